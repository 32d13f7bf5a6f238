"""OverlapMemberRepository."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.repositories.overlaps.overlap_members import (
    GroupRow,
    MemberRow,
    OverlapMemberRepository,
    StatusRow,
    Waits,
)
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory, record
from tests.support.records import recorded

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=30)
WAITS = Waits(expires=LATER, remind=START + timedelta(days=1))


@pytest.fixture
async def events(make: Factory) -> list[ArchivedEvent]:
    """Three flagged events of one configuration."""
    configuration = await make.configuration()
    flagged = {"state": ArchivedEventState.FLAGGED, "copy_id": None, "copy_etag": None}
    return [
        await make.archived_event(configuration, source_key=f"s:{n}", start_at=START + n * HOUR, **flagged)
        for n in range(3)
    ]


@pytest.fixture
def overlaps(session: AsyncSession, events: list[ArchivedEvent]) -> OverlapMemberRepository:
    return OverlapMemberRepository(session, events[0].owner_id, events[0].configuration_id)


def _group(group_id: uuid.UUID, status: str = "flagged", count: int = 2) -> GroupRow:
    start, end = START.isoformat(), (START + HOUR).isoformat()
    return GroupRow(id=str(group_id), status=status, member_count=count, log=[], start_at=start, end_at=end)


def _member(group_id: uuid.UUID, key: str, revision: str = "one") -> MemberRow:
    start, end = START.isoformat(), (START + HOUR).isoformat()
    return MemberRow(
        group_id=str(group_id),
        source_key=key,
        verdict="flagged",
        revision=revision,
        start_at=start,
        end_at=end,
    )


async def _store(
    overlaps: OverlapMemberRepository, group_id: uuid.UUID, *keys: str, complete: bool = True, **group: Any
) -> None:
    await overlaps.store(
        uuid.uuid4(),
        [_group(group_id, count=len(keys), **group)],
        [_member(group_id, key) for key in keys],
        [group_id] if complete else [],
        START,
        WAITS,
    )


async def _members(session: AsyncSession, group_id: uuid.UUID) -> dict[str, OverlapMember]:
    rows = await session.execute(
        select(OverlapMember)
        .where(OverlapMember.group_id == group_id)
        .execution_options(populate_existing=True)
    )
    return {row.source_key: row for row in rows.scalars()}


async def _stored(session: AsyncSession, group_id: uuid.UUID) -> OverlapGroup:
    return await session.get_one(OverlapGroup, group_id, populate_existing=True)


async def test_what_is_stored_is_known_to_its_owner_only(
    overlaps: OverlapMemberRepository, session: AsyncSession, events: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    known = await overlaps.known(["s:0", "s:1", "s:2"])
    assert set(known) == {"s:0", "s:1"}
    assert (known["s:0"].group_id, known["s:0"].member_count, known["s:0"].revision) == (group_id, 2, "one")
    assert (await _stored(session, group_id)).expires_at == LATER
    stranger = OverlapMemberRepository(session, uuid.uuid4(), events[0].configuration_id)
    assert await stranger.known(["s:0"]) == {}


async def test_a_changed_group_keeps_its_age_and_a_decided_one_its_resolution_as_proposal(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    group = await _stored(session, group_id)
    group.status, group.resolution = OverlapStatus.SETTLED, {"kept": ["s:0"]}
    group.reminders_sent = 2
    await session.flush()
    again = Waits(LATER + HOUR, WAITS.remind + HOUR)
    await overlaps.store(
        uuid.uuid4(), [_group(group_id)], [_member(group_id, "s:0")], [], START + HOUR, again
    )
    group = await _stored(session, group_id)
    assert (group.status, group.opened_at, group.version) == ("flagged", START, 2)
    assert (group.resolution, group.proposal) == (None, {"kept": ["s:0"]})
    assert (group.expires_at, group.remind_at, group.reminders_sent) == (again.expires, again.remind, 0)


async def test_a_group_that_keeps_waiting_keeps_its_reminders(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    group = await _stored(session, group_id)
    group.remind_at, group.reminders_sent = START + 3 * timedelta(days=1), 1
    await session.flush()
    await _store(overlaps, group_id, "s:0", "s:1", "s:2")
    group = await _stored(session, group_id)
    assert (group.remind_at, group.reminders_sent) == (START + 3 * timedelta(days=1), 1)


async def test_of_a_group_seen_whole_the_others_depart(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1", "s:2")
    await _store(overlaps, group_id, "s:0", "s:1", complete=False)
    assert not (await _members(session, group_id))["s:2"].departed
    await _store(overlaps, group_id, "s:0", "s:1")
    assert (await _members(session, group_id))["s:2"].departed
    assert set(await overlaps.known(["s:0", "s:2"])) == {"s:0"}
    await overlaps.sweep(START, LATER, START)
    assert set(await _members(session, group_id)) == {"s:0", "s:1"}


async def test_a_member_that_departed_because_its_source_is_gone_stays_until_it_is_archived(
    overlaps: OverlapMemberRepository, session: AsyncSession, events: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1", "s:2")
    await overlaps.set_records({"s:2": recorded(revision="one")})
    events[2].state = ArchivedEventState.SOURCE_DELETED
    await session.flush()
    await _store(overlaps, group_id, "s:0", "s:1")
    await overlaps.sweep(START, LATER, START)
    assert set(await _members(session, group_id)) == {"s:0", "s:1", "s:2"}
    assert await overlaps.close([group_id], START) == []
    group = await _stored(session, group_id)
    group.status = OverlapStatus.SETTLED
    (await _members(session, group_id))["s:2"].kept = True
    await session.flush()
    assert set(await overlaps.gone_but_kept(10)) == {"s:2"}
    events[2].copy_id = "copy"
    await session.flush()
    assert await overlaps.gone_but_kept(10) == {}
    await overlaps.sweep(START, LATER, START)
    assert set(await _members(session, group_id)) == {"s:0", "s:1"}
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
    events: list[ArchivedEvent],
    state: ArchivedEventState,
    days: int,
    excluded: str | None,
    stays: bool,
) -> None:
    group_id = uuid.uuid4()
    appointment = await make.appointment(events[2])
    events[2].state, events[2].copy_id = state, "copy"
    await session.flush()
    await _store(overlaps, group_id, "s:0", "s:1", "s:2")
    # The owner decides.
    appointment.excluded = "resolution"
    await session.flush()
    await _store(overlaps, group_id, "s:0", "s:1")
    await overlaps.sweep(START, START + timedelta(days=days), START)
    await session.refresh(appointment)
    assert (appointment.excluded, "s:2" in await _members(session, group_id)) == (excluded, stays)


async def test_a_member_belongs_to_one_open_group_and_takes_its_record_along(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    await _store(overlaps, first, "s:0", "s:1")
    await overlaps.set_records({"s:1": recorded(revision="one")})
    await _store(overlaps, second, "s:1", "s:2")
    assert set(await _members(session, first)) == {"s:0"}
    assert (await _members(session, second))["s:1"].record == recorded(revision="one").to_json()
    assert await overlaps.unrecorded(["s:1", "s:2"]) == ["s:2"]


async def test_a_merged_group_gives_its_members_to_the_other(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    older, younger = uuid.uuid4(), uuid.uuid4()
    await _store(overlaps, older, "s:0")
    await _store(overlaps, younger, "s:1", "s:2")
    await _store(overlaps, older, "s:0", "s:1")
    await overlaps.merge({younger: older}, START)
    assert (await _stored(session, younger)).merged_into == older
    members = await _members(session, older)
    assert {key: member.departed for key, member in members.items()} == {
        "s:0": False,
        "s:1": False,
        "s:2": True,
    }


async def test_records_come_from_the_drafts_of_the_run(
    overlaps: OverlapMemberRepository, make: Factory, session: AsyncSession, events: list[ArchivedEvent]
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    run = await make.run(
        configuration=await session.get_one(type(await make.configuration()), events[0].configuration_id)
    )
    await make.operation(
        run=run,
        event=events[0],
        source_key="s:0",
        state="draft",
        record=record(subject="Kept", revision="one"),
    )
    await overlaps.keep_records(run.id, ["s:0", "s:1"])
    members = await _members(session, group_id)
    assert members["s:0"].record is not None
    assert members["s:0"].record["subject"] == "Kept"
    assert members["s:1"].record is None


async def test_an_unchanged_group_gets_another_status_only_at_the_version_seen(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    await overlaps.rename_status([StatusRow(id=str(group_id), status="recorded", version=7)], START, WAITS)
    assert (await _stored(session, group_id)).status == "flagged"
    await overlaps.rename_status([StatusRow(id=str(group_id), status="recorded", version=1)], START, WAITS)
    group = await _stored(session, group_id)
    assert (group.status, group.expires_at, group.version) == ("recorded", None, 2)


async def test_a_decision_is_carried_out_when_no_member_waits_elsewhere(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:2")
    group = await _stored(session, group_id)
    group.status, group.archive_due_at = OverlapStatus.SETTLED, START
    for member in (await _members(session, group_id)).values():
        member.kept = True
    await session.flush()
    await overlaps.carried_out(START - HOUR, START, START + 3 * HOUR)
    await overlaps.carried_out(START, START, START + 2 * HOUR)
    assert (await _stored(session, group_id)).archive_due_at is not None
    await overlaps.carried_out(START, START, START + 3 * HOUR)
    assert (await _stored(session, group_id)).archive_due_at is None


async def test_a_repointed_member_keeps_its_place(
    overlaps: OverlapMemberRepository, session: AsyncSession
) -> None:
    group_id = uuid.uuid4()
    await _store(overlaps, group_id, "s:0", "s:1")
    await overlaps.repoint("s:0", "o:series")
    assert set(await overlaps.known(["o:series", "s:0"])) == {"o:series"}


@pytest.mark.parametrize(
    ("member", "status", "kept", "excluded"),
    [
        (True, OverlapStatus.RECORDED, None, None),
        (True, OverlapStatus.SETTLED, True, None),
        (True, OverlapStatus.SETTLED, False, "resolution"),
        # It takes the place of the other, and so the decision about that.
        (False, OverlapStatus.SETTLED, None, "resolution"),
    ],
)
async def test_a_copy_that_was_handed_on_counts_as_is_decided_of_its_new_event(
    overlaps: OverlapMemberRepository,
    session: AsyncSession,
    make: Factory,
    events: list[ArchivedEvent],
    *,
    member: bool,
    status: OverlapStatus,
    kept: bool | None,
    excluded: str | None,
) -> None:
    group_id = uuid.uuid4()
    appointment = await make.appointment(events[2])
    await _store(overlaps, group_id, "s:0", "s:1", *(["s:2"] if member else []))
    (await _stored(session, group_id)).status = status
    members = await _members(session, group_id)
    members["s:0"].kept = False
    if member:
        members["s:2"].kept = kept
    # That of the former event, which left its copy.
    appointment.excluded = "resolution"
    await session.flush()
    await overlaps.repoint("s:0", "s:2")
    await overlaps.follow("s:2", START)
    await session.refresh(appointment)
    assert (appointment.excluded, "s:2" in await _members(session, group_id)) == (excluded, True)
