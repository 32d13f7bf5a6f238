"""OverlapMemberRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.repositories.overlaps.overlap_members import (
    OverlapMemberRepository,
    StatusRow,
    Waits,
)
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archived_event import ArchivedEventState
from tests.integration.database.overlap_rows import (
    HOUR,
    LATER,
    WAITS,
    group_row,
    member_row,
    members_of,
    store,
    stored_group,
)
from tests.support.factories import START, Factory, record
from tests.support.records import recorded


async def test_what_is_stored_is_known_to_its_owner_only(
    overlaps: OverlapMemberRepository, session: AsyncSession, flagged: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    known = await overlaps.known(["s:0", "s:1", "s:2"])
    assert set(known) == {"s:0", "s:1"}
    assert (known["s:0"].group_id, known["s:0"].member_count, known["s:0"].revision) == (group_id, 2, "one")
    assert (await stored_group(session, group_id)).expires_at == LATER
    stranger = OverlapMemberRepository(session, uuid.uuid4(), flagged[0].configuration_id)
    assert await stranger.known(["s:0"]) == {}


async def test_a_changed_group_keeps_its_age_and_a_decided_one_its_resolution_as_proposal(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    group = await stored_group(session, group_id)
    group.status, group.resolution = OverlapStatus.SETTLED, {"kept": ["s:0"]}
    group.reminders_sent = 2
    await session.flush()
    again = Waits(LATER + HOUR, WAITS.remind + HOUR)
    await overlaps.store(
        uuid.uuid4(), [group_row(group_id)], [member_row(group_id, "s:0")], [], START + HOUR, again
    )
    group = await stored_group(session, group_id)
    assert (group.status, group.opened_at, group.version) == ("flagged", START, 2)
    assert (group.resolution, group.proposal) == (None, {"kept": ["s:0"]})
    assert (group.expires_at, group.remind_at, group.reminders_sent) == (again.expires, again.remind, 0)


async def test_a_group_that_keeps_waiting_keeps_its_reminders(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    group = await stored_group(session, group_id)
    group.remind_at, group.reminders_sent = START + 3 * timedelta(days=1), 1
    await session.flush()
    await store(overlaps, group_id, "s:0", "s:1", "s:2")
    group = await stored_group(session, group_id)
    assert (group.remind_at, group.reminders_sent) == (START + 3 * timedelta(days=1), 1)


async def test_of_a_group_seen_whole_the_others_depart(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1", "s:2")
    await store(overlaps, group_id, "s:0", "s:1", complete=False)
    assert not (await members_of(session, group_id))["s:2"].departed
    await store(overlaps, group_id, "s:0", "s:1")
    assert (await members_of(session, group_id))["s:2"].departed
    assert set(await overlaps.known(["s:0", "s:2"])) == {"s:0"}
    await overlaps.sweep(START, LATER, START)
    assert set(await members_of(session, group_id)) == {"s:0", "s:1"}


async def test_a_member_that_departed_because_its_source_is_gone_stays_until_it_is_archived(
    overlaps: OverlapMemberRepository, session: AsyncSession, flagged: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1", "s:2")
    await overlaps.set_records({"s:2": recorded(revision="one")})
    flagged[2].state = ArchivedEventState.SOURCE_DELETED
    await session.flush()
    await store(overlaps, group_id, "s:0", "s:1")
    await overlaps.sweep(START, LATER, START)
    assert set(await members_of(session, group_id)) == {"s:0", "s:1", "s:2"}
    assert await overlaps.close([group_id], START) == []
    group = await stored_group(session, group_id)
    group.status = OverlapStatus.SETTLED
    (await members_of(session, group_id))["s:2"].kept = True
    await session.flush()
    assert set(await overlaps.gone_but_kept(10)) == {"s:2"}
    flagged[2].copy_id = "copy"
    await session.flush()
    assert await overlaps.gone_but_kept(10) == {}
    await overlaps.sweep(START, LATER, START)
    assert set(await members_of(session, group_id)) == {"s:0", "s:1"}
    assert await overlaps.close([group_id], START) == [group_id]
    assert await overlaps.known(["s:0"]) == {}


@pytest.mark.parametrize(
    ("state", "days", "excluded", "stays"),
    [
        (ArchivedEventState.PRESENT, 30, None, False),
        (ArchivedEventState.SOURCE_DELETED, 30, "resolution", False),
        # Another run reads its window. Until then nobody knows whether it vanished.
        (ArchivedEventState.PRESENT, 0, "resolution", True),
    ],
)
async def test_what_a_decision_left_out_counts_again_when_it_departs_unless_it_vanished(
    overlaps: OverlapMemberRepository,
    session: AsyncSession,
    make: Factory,
    flagged: list[ArchivedEvent],
    state: ArchivedEventState,
    days: int,
    excluded: str | None,
    stays: bool,
) -> None:
    group_id = uuid.uuid4()
    appointment = await make.appointment(flagged[2])
    flagged[2].state, flagged[2].copy_id = state, "copy"
    await session.flush()
    await store(overlaps, group_id, "s:0", "s:1", "s:2")
    # The owner decides.
    appointment.excluded = "resolution"
    await session.flush()
    await store(overlaps, group_id, "s:0", "s:1")
    await overlaps.sweep(START, START + timedelta(days=days), START)
    await session.refresh(appointment)
    assert (appointment.excluded, "s:2" in await members_of(session, group_id)) == (excluded, stays)


async def test_a_member_belongs_to_one_open_group_and_takes_its_record_along(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    await store(overlaps, first, "s:0", "s:1")
    await overlaps.set_records({"s:1": recorded(revision="one")})
    await store(overlaps, second, "s:1", "s:2")
    assert set(await members_of(session, first)) == {"s:0"}
    assert (await members_of(session, second))["s:1"].record == recorded(revision="one").to_json()
    assert await overlaps.unrecorded(["s:1", "s:2"]) == ["s:2"]


async def test_a_merged_group_gives_its_members_to_the_other(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    older, younger = uuid.uuid4(), uuid.uuid4()
    await store(overlaps, older, "s:0")
    await store(overlaps, younger, "s:1", "s:2")
    await store(overlaps, older, "s:0", "s:1")
    await overlaps.merge({younger: older}, START)
    assert (await stored_group(session, younger)).merged_into == older
    members = await members_of(session, older)
    assert {key: member.departed for key, member in members.items()} == {
        "s:0": False,
        "s:1": False,
        "s:2": True,
    }


async def test_records_come_from_the_drafts_of_the_run(
    overlaps: OverlapMemberRepository, make: Factory, session: AsyncSession, flagged: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    run = await make.run(
        configuration=await session.get_one(type(await make.configuration()), flagged[0].configuration_id)
    )
    await make.operation(
        run=run,
        event=flagged[0],
        source_key="s:0",
        state="draft",
        record=record(subject="Kept", revision="one"),
    )
    await overlaps.keep_records(run.id, ["s:0", "s:1"])
    members = await members_of(session, group_id)
    assert members["s:0"].record is not None
    assert members["s:0"].record["subject"] == "Kept"
    assert members["s:1"].record is None


async def test_an_unchanged_group_gets_another_status_only_at_the_version_seen(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    await overlaps.rename_status([StatusRow(id=str(group_id), status="recorded", version=7)], START, WAITS)
    assert (await stored_group(session, group_id)).status == "flagged"
    await overlaps.rename_status([StatusRow(id=str(group_id), status="recorded", version=1)], START, WAITS)
    group = await stored_group(session, group_id)
    assert (group.status, group.expires_at, group.version) == ("recorded", None, 2)


async def test_a_decision_is_carried_out_when_no_member_waits_elsewhere(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:2")
    group = await stored_group(session, group_id)
    group.status, group.archive_due_at = OverlapStatus.SETTLED, START
    for member in (await members_of(session, group_id)).values():
        member.kept = True
    await session.flush()
    await overlaps.carried_out(START - HOUR, START, START + 3 * HOUR)
    await overlaps.carried_out(START, START, START + 2 * HOUR)
    assert (await stored_group(session, group_id)).archive_due_at is not None
    await overlaps.carried_out(START, START, START + 3 * HOUR)
    assert (await stored_group(session, group_id)).archive_due_at is None
