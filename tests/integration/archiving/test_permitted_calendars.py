"""A run asks again whether its configuration may name its calendars (domain.md 1)."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.window import Window
from shared.errors import Conflict
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.previewing import Previewer
from shared.services.archiving.queueing import queue_run
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_faults import OUTER
from tests.integration.archiving.world import DAY, World

WEEK = timedelta(days=7)


def meetings(count: int) -> list[dict[str, Any]]:
    return [event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(count)]


async def another_mailbox(world: World) -> None:
    """The archive is moved to somebody else's mailbox behind the product's back."""
    await world.configure(archive_mailbox_id=uuid4())


async def approve(world: World, state: str = "approved", **columns: Any) -> None:
    """The owner becomes somebody else than the person read, and it is approved."""
    async with world.database.session() as session:
        await session.execute(update(User).values(object_id=uuid4()))
        configuration = await session.get_one(ArchiveConfiguration, world.configuration_id)
        until = world.clock.now() + timedelta(days=30)
        configuration.names_another, configuration.open_until = True, until
        values: dict[str, Any] = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "person_id": configuration.source_mailbox_id,
            "archive_person_id": configuration.archive_mailbox_id,
            "source_mailbox_id": configuration.source_mailbox_id,
            "source_calendar_id": configuration.source_calendar_id,
            "archive_mailbox_id": configuration.archive_mailbox_id,
            "archive_calendar_id": configuration.archive_calendar_id,
            "purpose": configuration.purpose,
            "days": 30,
            "state": state,
            "requested_by": "user:admin",
            "ends_at": until,
        }
        session.add(MailboxApproval(**(values | columns)))


async def approval_withdrawn(world: World) -> None:
    """An Admin approved it, and took it back."""
    await approve(world, "withdrawn")


async def approval_over(world: World) -> None:
    """Its time is over, though no timer has noticed yet."""
    await approve(world, ends_at=world.clock.now() - timedelta(seconds=1))


async def approved_for_another_calendar(world: World) -> None:
    """The configuration reads another calendar than was approved."""
    await approve(world, source_calendar_id="another")


async def approved_for_another_purpose(world: World) -> None:
    """It is for something else than was approved."""
    await approve(world, purpose="timesheet")


async def another_account(world: World) -> None:
    """The owner's account was created again, so the calendars are not in their mailbox any more."""
    async with world.database.session() as session:
        await session.execute(update(User).values(object_id=uuid4()))


async def archived_again(world: World) -> None:
    """Another configuration of the tenant reads the archive."""
    await other_configuration(world, source_calendar_id="archive", archive_calendar_id="elsewhere")


async def reads_an_archive(world: World) -> None:
    """Another configuration of the tenant archives into the source."""
    await other_configuration(world, source_calendar_id="elsewhere", archive_calendar_id="source")


async def owner_deactivated(world: World) -> None:
    async with world.database.session() as session:
        await session.execute(update(User).values(active=False))


async def other_configuration(world: World, **calendars: str) -> None:
    async with world.database.session() as session:
        main = await session.get_one(ArchiveConfiguration, world.configuration_id)
        ids = {"source": main.source_calendar_id, "archive": main.archive_calendar_id}
        session.add(
            ArchiveConfiguration(
                tenant_id=main.tenant_id,
                owner_id=main.owner_id,
                name="Chain",
                source_reference="",
                source_mailbox_id=main.source_mailbox_id,
                archive_reference="",
                archive_mailbox_id=main.archive_mailbox_id,
                time_zone="UTC",
                archive_from=date(2026, 1, 1),
                **{name: ids.get(value, value) for name, value in calendars.items()},
            )
        )


OBJECTIONS = [
    (another_mailbox, "mailbox_not_permitted"),
    (approval_withdrawn, "mailbox_not_permitted"),
    (approval_over, "mailbox_not_permitted"),
    (approved_for_another_calendar, "mailbox_not_permitted"),
    (approved_for_another_purpose, "mailbox_not_permitted"),
    (another_account, "mailbox_not_permitted"),
    (archived_again, "calendar_has_two_roles"),
    (reads_an_archive, "calendar_has_two_roles"),
    (owner_deactivated, "user_deactivated"),
]


@pytest.mark.parametrize(("happens", "code"), OBJECTIONS)
async def test_a_run_that_may_not_fails_pauses_its_job_and_asks_graph_nothing(
    world: World, happens: Callable[[World], Awaitable[None]], code: str
) -> None:
    await world.open(meetings(3))
    await world.add_job()
    run = await world.request()
    await happens(world)
    before = world.counts()
    report = await world.drive(run.id)
    assert world.counts() == before
    assert (report["state"], report["archived"]) == ("failed", 0)
    assert report["reason"].startswith(f"{code}: ")
    assert await world.job() == (True, 1)
    (planned,) = await world.rows(
        "SELECT actor, outcome, changes FROM audit_entries WHERE action = 'archive_run.planned'"
    )
    assert (planned["outcome"], planned["changes"]["plan"]["code"]) == ("failure", code)


async def test_what_was_sent_is_not_sent_again_into_anothers_mailbox(world: World) -> None:
    await world.open(meetings(3))
    world.simulator.faults.add({"match": OUTER, "kind": "drop_before"})
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    await world.finish(run.id)
    await another_mailbox(world)
    again = await world.request()
    before = world.counts()
    await world.drive(again.id)
    assert world.counts() == before
    assert await world.rows("SELECT id FROM archive_operations WHERE state = 'sent'") != []


async def test_an_admins_approval_lets_it_run_and_an_unchanged_run_reads_no_more(world: World) -> None:
    await world.open(meetings(3))
    await approve(world)
    assert (await world.archive())["archived"] == 3
    before = world.counts()
    assert (await world.archive())["unchanged"] == 3
    after = world.counts()
    assert (after["writes"] - before["writes"], after["reads"] - before["reads"]) == (0, 2)


async def test_what_a_person_who_left_had_undecided_is_still_archived(world: World) -> None:
    await world.open(meetings(2))
    ports = ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    run = await world.request()
    await owner_deactivated(world)
    async with world.archiving.acting_for(run.id), world.database.session() as session:
        configuration = (await session.execute(select(ArchiveConfiguration))).scalar_one()
        window = Window(DAY, DAY + timedelta(days=1), ZoneInfo(configuration.time_zone))
        started = await queue_run(
            ports, session, configuration, window, RunKind.MANUAL, "system:expire_overlaps"
        )
    assert (await world.drive(started.run.id))["archived"] == 2


async def test_a_dry_run_reads_no_calendar_that_a_run_may_not(world: World) -> None:
    await world.open(meetings(1))
    ports = ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    await another_mailbox(world)
    before = world.counts()
    with pytest.raises(Conflict) as refused:
        await Previewer(ports).preview(world.admin, world.configuration_id, DAY, DAY + WEEK, 10)
    assert refused.value.code == "mailbox_not_permitted"
    assert world.counts() == before
