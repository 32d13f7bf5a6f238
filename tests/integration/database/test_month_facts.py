"""MonthFactsRepository: each event of a month once, and its overlaps, always of one owner."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.categories.category_facts import ConfigurationRange, View
from shared.database.repositories.months.month_facts import MonthFactsRepository
from shared.domain.appointments.counting import WhyNot
from shared.domain.overlaps.status import OverlapStatus
from tests.support.factories import START, Factory

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def view(configuration: ArchiveConfiguration, *, own: bool = True) -> View:
    covered = ConfigurationRange(configuration.id, START, START + DAY)
    return View(configuration.owner_id, configuration.source_mailbox_id if own else None, (covered,))


async def test_events_of_the_range_with_their_reasons(session: AsyncSession, make: Factory) -> None:
    mine, others = await make.configuration(), await make.configuration()
    event = await make.archived_event(mine, start_at=START)
    modification = {
        "key": "s:x",
        "kind": "extended",
        "start": (START + HOUR).isoformat(),
        "end": (START + 2 * HOUR).isoformat(),
        "categories": [],
    }
    await make.appointment(event, subject="Long", modifications=[modification], end_at=START + 2 * HOUR)
    await make.archived_event(mine, start_at=START + HOUR, state="consumed", copy_id=None)
    for configuration, after in ((mine, DAY), (mine, -HOUR), (others, HOUR)):
        await make.appointment(await make.archived_event(configuration, start_at=START + after))
    long, consumed = await MonthFactsRepository(session).events(view(mine))
    assert (long.subject, long.counts, long.end) == ("Long", True, START + 2 * HOUR)
    assert [each.kind for each in long.modifications] == ["extended"]
    assert (consumed.id, consumed.why_not) == (None, WhyNot.CONSUMED)


async def test_overlaps_that_begin_in_the_range_and_are_not_over(
    session: AsyncSession, make: Factory
) -> None:
    mine, others = await make.configuration(), await make.configuration()
    for configuration, after, status in (
        (mine, HOUR, OverlapStatus.FLAGGED),
        (mine, 2 * HOUR, OverlapStatus.CLOSED),
        (mine, DAY, OverlapStatus.FLAGGED),
        (others, HOUR, OverlapStatus.FLAGGED),
    ):
        events = [await make.archived_event(configuration, start_at=START + after) for _ in range(2)]
        for event in events:
            await make.appointment(event, sensitivity="private", subject="Secret")
        await make.overlap_group(*events, status=status)
    facts = MonthFactsRepository(session)
    (found,) = await facts.overlaps(view(mine), None, [])
    assert (found.start, [each.subject for each in found.members]) == (START + HOUR, ["Secret", "Secret"])
    (masked,) = await facts.overlaps(view(mine, own=False), None, [])
    assert [(each.subject, each.hidden) for each in masked.members] == [("Private", True), ("Private", True)]
    assert masked.proposal() is None
    assert await facts.overlaps(view(mine), others.id, []) == []
