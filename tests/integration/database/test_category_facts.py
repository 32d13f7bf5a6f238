"""CategoryFactsRepository: the archive by its categories, always of one owner."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.database.repositories.categories.category_facts import (
    CategoryFactsRepository,
    ConfigurationRange,
    HistoryWish,
    View,
)
from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.statistics import CountedEvent
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)
ACME = "Acme - billable"


def viewer(configuration: ArchiveConfiguration, *, own: bool = True) -> UUID | None:
    """Its person, or somebody else."""
    return configuration.source_mailbox_id if own else None


async def add(
    make: Factory,
    configuration: ArchiveConfiguration,
    *categories: str,
    after: timedelta = timedelta(),
    key: str | None = None,
    **columns: Any,
) -> Appointment:
    named = {} if key is None else {"source_key": key}
    event = await make.archived_event(configuration, start_at=START + after, **named)
    defaults = {"categories": list(categories), "organizer": None, "attendees": [], "location": ""}
    return await make.appointment(event, **(defaults | columns))


def view(configuration: ArchiveConfiguration, *, own: bool = True, hours: float = 24) -> View:
    covered = ConfigurationRange(configuration.id, START, START + timedelta(hours=hours))
    return View(configuration.owner_id, viewer(configuration, own=own), (covered,))


async def test_groups_add_up_events_that_start_in_the_range(session: AsyncSession, make: Factory) -> None:
    facts = CategoryFactsRepository(session)
    mine, others = await make.configuration(), await make.configuration()
    await add(make, mine, ACME)
    await add(make, mine, ACME, after=2 * HOUR, is_all_day=True)
    await add(make, mine, ACME, after=3 * HOUR, is_cancelled=True)
    await add(make, mine, after=4 * HOUR, sensitivity="private")
    await add(make, mine, ACME, after=timedelta(seconds=-1))
    await add(make, mine, ACME, after=24 * HOUR)
    await add(make, others, ACME)
    groups = {(group.categories, group.why_not): group for group in await facts.groups(view(mine))}
    assert {key: group.events for key, group in groups.items()} == {
        ((ACME,), None): 1,
        ((ACME,), WhyNot.ALL_DAY): 1,
        ((ACME,), WhyNot.CANCELLED): 1,
        ((), None): 1,
    }
    assert groups[(ACME,), None].counted == (CountedEvent(START, START + HOUR),)
    assert groups[(ACME,), WhyNot.ALL_DAY].counted == ()
    assert not groups[(), None].hidden
    hidden = [group for group in await facts.groups(view(mine, own=False)) if group.hidden]
    assert [(group.categories, group.label, group.events) for group in hidden] == [((), "", 1)]
    # A view of somebody else's configuration is empty: the owner is asked for with every row.
    assert await facts.groups(View(mine.owner_id, viewer(mine), view(others).ranges)) == []


async def test_a_page_holds_the_groups_that_are_asked_for(session: AsyncSession, make: Factory) -> None:
    facts = CategoryFactsRepository(session)
    mine = await make.configuration()
    rows = [
        await add(make, mine, "Red", after=HOUR),
        await add(make, mine, "Red", 'It\'s {odd}, "quoted"', after=2 * HOUR),
        await add(make, mine, ACME, after=3 * HOUR, sensitivity="private"),
    ]
    await add(make, mine, "Red", after=4 * HOUR, is_declined=True)
    labels = [group.label for group in await facts.groups(view(mine)) if ACME not in group.categories]
    found = await facts.page(view(mine), labels, None, 10, hidden=True)
    assert [event.id for event in found] == [row.id for row in rows[:2]]
    rest = await facts.page(view(mine), labels, (1, rows[0].start_at, rows[0].id), 10, hidden=True)
    assert [event.id for event in rest] == [rows[1].id]
    for hidden in (True, False):
        theirs = await facts.page(view(mine, own=False), [], None, 10, hidden=hidden)
        assert [(event.id, event.hidden) for event in theirs] == ([(rows[2].id, True)] if hidden else [])


async def test_events_are_got_from_their_owner_alone(session: AsyncSession, make: Factory) -> None:
    facts = CategoryFactsRepository(session)
    mine, others = await make.configuration(), await make.configuration()
    row = await add(make, mine, ACME, attendees=[{"address": "ann@acme.com"}, {}], organizer={"name": "X"})
    theirs = await add(make, others, ACME)
    (event,) = await facts.get(mine.owner_id, [row.id, theirs.id], viewer=None)
    assert (event.id, event.addresses, event.source_calendar_id) == (
        row.id,
        ("ann@acme.com", "", ""),
        mine.source_calendar_id,
    )


async def test_history_is_what_shares_something_the_latest_first(
    session: AsyncSession, make: Factory
) -> None:
    facts = CategoryFactsRepository(session)
    mine, others = await make.configuration(), await make.configuration()
    await add(make, mine, ACME, subject=" WEEKLY", after=HOUR)
    await add(make, mine, ACME, location="Room 1", after=2 * HOUR)
    await add(make, mine, ACME, organizer={"address": "Ann@ACME.com"}, after=3 * HOUR)
    await add(make, mine, ACME, key="o:master:2026-01-01T00:00:00Z", subject="Series", after=4 * HOUR)
    await add(make, mine, ACME, subject="Weekly", sensitivity="private", after=5 * HOUR)
    await add(make, mine, ACME, subject="Weekly", is_cancelled=True)
    await add(make, mine, subject="Weekly")
    await add(make, mine, ACME, subject="Else")
    await add(make, others, ACME, subject="Weekly")
    wish = HistoryWish(["master"], ["Weekly"], ["room 1 "], ["acme.com"])
    found = await facts.history(mine.owner_id, wish, 10, viewer=viewer(mine))
    assert [event.start_at - START for event in found] == [number * HOUR for number in (5, 4, 3, 2, 1)]
    assert found[2].addresses == ("ann@acme.com",)
    assert len(await facts.history(mine.owner_id, wish, 10, viewer=None)) == 4
    assert len(await facts.history(mine.owner_id, wish, 2, viewer=viewer(mine))) == 2
    assert await facts.history(mine.owner_id, HistoryWish(), 10, viewer=viewer(mine)) == []


async def test_an_event_archived_twice_counts_for_the_living_default(
    session: AsyncSession, make: Factory
) -> None:
    facts = CategoryFactsRepository(session)
    first = await make.configuration(is_default=False)
    owner = await session.get_one(User, first.owner_id)
    second = await make.configuration(owner, is_default=True)
    deleted = await make.configuration(owner, deleted_at=START)
    for configuration in (deleted, first, second):
        await add(make, configuration, f"{configuration.name} - billable", key="s:same", subject="Weekly")
    ids = (deleted.id, first.id, second.id)
    ranges = tuple(ConfigurationRange(each, START, START + HOUR) for each in ids)
    (group,) = await facts.groups(View(owner.id, owner.object_id, ranges))
    assert group.categories == (f"{second.name} - billable",)
    (past,) = await facts.history(owner.id, HistoryWish(subjects=["weekly"]), 10, viewer=owner.object_id)
    assert past.categories == group.categories
    assert {each for each, _ in await facts.configurations(owner.id)} == set(ids)
    assert await facts.configurations(owner.id, first.id) == [(first.id, "Europe/Berlin")]
    assert len(await facts.used(owner.id, 10, viewer=owner.object_id)) == 3
