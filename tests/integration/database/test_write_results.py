"""WriteResultRepository: operation, map, record and progress after a write."""

import uuid
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveOperation, ArchiveRun
from shared.database.repositories.appointments.appointments import (
    AppointmentFilter,
    AppointmentRepository,
)
from shared.database.repositories.archiving.archived_events import ArchivedEventRepository, MapRow
from shared.database.repositories.archiving.write_results import ResultRow, WriteResultRepository
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory, record

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SENT: dict[str, Any] = {"state": "sent", "first_sent_at": START, "last_sent_at": START}
WITHOUT_COPY = {"copy_id": None, "copy_etag": None, "revision": ""}


@pytest.fixture
async def run(make: Factory) -> ArchiveRun:
    return await make.run(state="running", plan={"planned": 4}, planned_at=START)


@pytest.fixture
async def configuration(session: AsyncSession, run: ArchiveRun) -> ArchiveConfiguration:
    return await session.get_one(ArchiveConfiguration, run.configuration_id)


@pytest.fixture
def results(session: AsyncSession, run: ArchiveRun) -> WriteResultRepository:
    return WriteResultRepository(session, run.owner_id, run.configuration_id)


@pytest.fixture
def events(session: AsyncSession, run: ArchiveRun) -> ArchivedEventRepository:
    return ArchivedEventRepository(session, run.owner_id, run.configuration_id)


@pytest.fixture
def appointments(session: AsyncSession) -> AppointmentRepository:
    return AppointmentRepository(session)


def _result(operation: ArchiveOperation, state: str = "done", **more: Any) -> ResultRow:
    """As the services tell one; what the map learns is the state, unless named."""
    return cast("ResultRow", {"id": str(operation.id), "state": state, "known": state} | more)


async def _row(events: ArchivedEventRepository, key: str) -> MapRow:
    return (await events.by_keys([key]))[key]


async def _sent(make: Factory, run: ArchiveRun, event: ArchivedEvent | None = None) -> ArchiveOperation:
    written = record(owning_start=(START + HOUR).isoformat())
    return await make.operation(run, event, record=written, revision="new", **SENT)


async def test_each_answer_leaves_what_its_state_needs(
    results: WriteResultRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    states = ("done", "failed", "conflict", "planned")
    made = {state: await make.operation(run, **SENT) for state in states}
    rows = [
        _result(row, state, known=None, code="ErrorX" if state == "failed" else None)
        for state, row in made.items()
    ]
    assert await results.record(run.id, rows, START + MINUTE) == 4
    for state, row in made.items():
        await session.refresh(row)
        assert row.state == state
    ended = START + MINUTE
    done, failed, conflict, planned = made.values()
    assert (done.payload, done.record, done.finished_at) == (None, None, ended)
    assert (failed.payload, failed.error_code, failed.finished_at) == (None, "ErrorX", ended)
    # What failed or met an edit keeps what it meant to write, for a later restore.
    assert failed.record is not None
    assert conflict.record is not None
    assert (planned.payload, planned.first_sent_at) == ({"subject": "Weekly"}, None)
    assert planned.finished_at is None


async def test_an_answer_counts_once_and_only_for_what_was_sent(
    results: WriteResultRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    planned, sent = await make.operation(run), await make.operation(run, **SENT)
    assert await results.record(run.id, [_result(planned), _result(sent)], START) == 1
    assert await results.record(run.id, [_result(sent, "failed")], START) == 0
    for operation, state in ((planned, "planned"), (sent, "done")):
        await session.refresh(operation)
        assert operation.state == state


async def test_nobody_records_anothers_results(
    make: Factory, run: ArchiveRun, session: AsyncSession, events: ArchivedEventRepository
) -> None:
    operation = await _sent(make, run)
    stranger = WriteResultRepository(session, uuid.uuid4(), run.configuration_id)
    before = await _row(events, operation.source_key)
    assert await stranger.record(run.id, [_result(operation, "removed")], START, written=1) == 0
    await session.refresh(run)
    assert (run.writes_done, await _row(events, operation.source_key)) == (0, before)


async def test_the_progress_of_the_run_tells_what_was_written(
    results: WriteResultRepository, make: Factory, run: ArchiveRun, session: AsyncSession
) -> None:
    operations = [await make.operation(run, **SENT) for _ in range(4)]
    seen = []
    for first in (0, 2):
        rows = [_result(operation) for operation in operations[first : first + 2]]
        await results.record(run.id, rows, START, written=2)
        await session.refresh(run)
        seen.append((run.writes_done, run.progress))
    assert [written for written, _ in seen] == [2, 4]
    assert 0 < seen[0][1] < seen[1][1] < 100


async def test_a_write_that_arrived_makes_the_copy_present(
    results: WriteResultRepository,
    events: ArchivedEventRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    run: ArchiveRun,
) -> None:
    event = await make.archived_event(
        configuration, source_key="s:a", state="creating", pending_since=START, **WITHOUT_COPY
    )
    operation = await _sent(make, run, event)
    await results.record(run.id, [_result(operation, copy_id="c", etag="e")], START)
    row = await _row(events, "s:a")
    assert (row.state, row.copy_id, row.copy_etag, row.revision) == ("present", "c", "e", "new")
    assert (row.start_at, row.pending_since) == (START + HOUR, None)


async def test_a_copy_found_with_another_revision_is_known_by_that(
    results: WriteResultRepository,
    events: ArchivedEventRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    run: ArchiveRun,
) -> None:
    event = await make.archived_event(configuration, source_key="s:a", copy_id="kept", copy_etag="kept")
    operation = await _sent(make, run, event)
    await results.record(run.id, [_result(operation, revision="what it holds")], START)
    row = await _row(events, "s:a")
    assert (row.copy_id, row.copy_etag, row.revision) == ("kept", "kept", "what it holds")


async def test_a_failed_write_is_pending_since_its_first_failure_and_a_removed_copy_is_not_wanted(
    results: WriteResultRepository,
    events: ArchivedEventRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    run: ArchiveRun,
) -> None:
    failing = await make.archived_event(configuration, source_key="s:fails")
    removed = await make.archived_event(configuration, source_key="s:removed", pending_since=START)
    before = await _row(events, "s:fails")
    first = _result(await _sent(make, run, failing), "failed")
    gone = _result(await _sent(make, run, removed), "conflict", known="removed")
    await results.record(run.id, [first, gone], START + HOUR)
    again = _result(await _sent(make, await make.run(configuration), failing), "failed")
    await results.record(run.id, [again], START + DAY)
    after = await _row(events, "s:fails")
    assert after.pending_since == START + HOUR
    assert (after.state, after.revision, after.start_at) == (before.state, before.revision, before.start_at)
    out = await _row(events, "s:removed")
    assert (out.state, out.pending_since) == (ArchivedEventState.REMOVED_BY_OWNER, None)


async def test_what_operations_wrote_is_recorded_whole(
    results: WriteResultRepository, appointments: AppointmentRepository, make: Factory, run: ArchiveRun
) -> None:
    written = record(
        subject="Größe 日本",
        start_at="2026-03-02T09:30:00Z",
        end_at="2026-03-02T12:00:00+01:00",
        categories=["Acme - billable", "Online"],
        organizer=None,
        attendees=[{"name": "Bob", "address": "bob@example.com", "kind": "required", "response": "none"}],
        attachment_count=3,
    )
    operation = await make.operation(run, record=written, **SENT)
    await results.record(run.id, [_result(operation)], START)
    found = await appointments.record_of(operation.owner_id, operation.archived_event_id)
    assert found is not None
    assert found.start == START + timedelta(minutes=30)
    assert found.end == START + 2 * HOUR
    # An operation that was planned by an earlier version says nothing of its source's own times.
    times = {"start_at", "end_at", "source_start_at", "source_end_at", "source_type", "source_subject"}
    assert {k: v for k, v in found.columns().items() if k not in times} == {
        k: v for k, v in written.items() if k not in times
    }


async def test_an_update_replaces_the_record_and_finds_the_source_alive(
    results: WriteResultRepository,
    appointments: AppointmentRepository,
    make: Factory,
    run: ArchiveRun,
    session: AsyncSession,
) -> None:
    create = await make.operation(run, **SENT)
    await results.record(run.id, [_result(create)], START)
    await appointments.mark_source_deleted(run.owner_id, [create.archived_event_id], START)
    shown = AppointmentFilter(START, START + DAY)
    before = [each.row.id for each in await appointments.list(run.owner_id, shown)]
    event = await session.get_one(ArchivedEvent, create.archived_event_id)
    update = await make.operation(
        run, event, record=record(subject="Moved", categories=[]), source_key="s:moved", **SENT
    )
    await results.record(run.id, [_result(update)], START)
    owner = run.owner_id
    session.expire_all()
    after = [each.row for each in await appointments.list(owner, shown)]
    assert [row.id for row in after] == before
    assert (after[0].subject, after[0].categories, after[0].source_deleted_at) == ("Moved", [], None)


async def test_an_operation_without_a_record_records_nothing(
    results: WriteResultRepository, appointments: AppointmentRepository, make: Factory, run: ArchiveRun
) -> None:
    operation = await make.operation(run, record=None, **SENT)
    assert await results.record(run.id, [_result(operation)], START) == 1
    assert await appointments.record_of(run.owner_id, operation.archived_event_id) is None
