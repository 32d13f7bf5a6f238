"""An owner's explicit edit of an appointment (domain.md 2.5). A run of its own writes record and copy."""

from copy import replace
from datetime import timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_operations import (
    ArchiveOperationRepository,
    DraftRow,
    OperationRow,
)
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.archived_events import ArchivedEventRepository, MapRow
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository, WriteTimes
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.copies.archive_copy import copy_payload
from shared.domain.events.event_content import ContentChanges, EventContent
from shared.domain.events.revision import edited_revision
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import is_disclosed
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.window import Window
from shared.errors import Conflict, FieldError, Forbidden, NotFound, ValidationFailed
from shared.services.approvals.authorising import authorise
from shared.services.archiving.context import ArchivingPorts, RunContext, load_context
from shared.services.archiving.locked_periods import is_locked
from shared.services.archiving.plan_turn import PlanCancelled, PlanSuperseded, PlanTurn, record_plan
from shared.services.archiving.queueing import StartedRun, queue_run
from shared.services.identity.access import Access

_EDITABLE = (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED)


class OwnerEdits:
    """Stores edits with their runs. A run writes the edit exactly once, like every other write."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def edit(
        self, caller: Caller, appointment_id: UUID, changes: ContentChanges, expected: ExpectedVersion
    ) -> StartedRun:
        """Queue the run that writes ``changes`` to record and copy.

        A later change of the source still counts (2.4). Raises NotFound, Forbidden for another person's
        private appointment, PreconditionFailed, and ValidationFailed naming ``start`` or ``end``. Raises
        Conflict if the appointment has no copy, its configuration is inactive, its period is locked (2.8), or
        another edit waits.
        """
        async with self._ports.database.session() as session:
            appointment, configuration = await self._found(session, caller, appointment_id)
            expected.check(appointment.version)
            archived_events = ArchivedEventRepository(session, appointment.owner_id, configuration.id)
            row = await archived_events.by_id(appointment.archived_event_id)
            if row is None or row.copy_id is None or row.state not in _EDITABLE:
                raise Conflict("it has no copy in the archive calendar", code="not_archived")
            record = await self._record(session, appointment.owner_id, row)
            edited = _edited(record, changes)
            await refuse_locked(session, configuration, record, edited)
            started = await queue_run(
                self._ports,
                session,
                configuration,
                # The length has no meaning. It only makes the window, by which runs are told apart.
                Window(row.start_at, row.start_at + timedelta(microseconds=1), ZoneInfo("UTC")),
                RunKind.MANUAL,
                caller.actor,
                mode=RunMode.EDIT,
            )
            if not started.created:
                raise Conflict("an edit at this time is in progress; ask again", retry_after=2)
            operations = ArchiveOperationRepository(session, appointment.owner_id, configuration.id)
            await operations.add(started.run.id, [_draft(row, changes)])
        return started

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan to write the edit to what the copy holds now. Called again, it returns the stored counts.

        Raises NotFound, and Conflict while another attempt plans.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                run = await runs.get_unscoped(run_id)
                return PlanCounts.stored(run.plan if run else None)
        try:
            async with PlanTurn(self._ports, run_id, attempt).session() as session:
                counts = await self._promote(session, context)
                await record_plan(session, self._ports, context, counts)
        except PlanCancelled:
            return PlanCounts()
        except PlanSuperseded:
            raise Conflict("another attempt plans the run", retry_after=5) from None
        return counts

    async def _promote(self, session: AsyncSession, context: RunContext) -> PlanCounts:
        operations = context.operations(session)
        drafts = await operations.edit_drafts(context.run_id)
        waiting = await operations.open_keys(context.run_id)
        rows = await context.archived_events(session).by_keys(list(drafts))
        rewritten: list[DraftRow] = []
        for key, draft in drafts.items():
            row = rows.get(key)
            if row is None or row.copy_id is None or key in waiting or row.state not in _EDITABLE:
                continue
            record = _edited(await self._record(session, context.owner_id, row), draft.changes)
            rewritten.append(_write(context, row, record))
        await operations.rewrite(context.run_id, rewritten)
        promoted = await operations.promote(context.run_id, [write["source_key"] for write in rewritten])
        for key in promoted:
            if (etag := rows[key].copy_etag) is not None:
                await operations.rematch(drafts[key].id, etag)
        await operations.discard_rest(context.run_id)
        return PlanCounts(source=len(drafts), planned=len(promoted), unsettled=len(drafts) - len(promoted))

    async def _found(
        self, session: AsyncSession, caller: Caller, appointment_id: UUID
    ) -> tuple[Appointment, ArchiveConfiguration]:
        access = await Access.of(session, caller)
        found = await AppointmentRepository(session).find(
            caller.tenant_id, appointment_id, owner_id=access.writable_owner, viewer=caller.person
        )
        if found is None:
            raise NotFound("there is no such appointment")
        appointment = found.row
        origin = appointment.origin_mailbox_id
        if not is_disclosed(appointment.sensitivity, origin=origin, viewer=caller.person):
            raise Forbidden("a private appointment is its owner's to edit", code="private_appointment")
        configuration = await ArchiveConfigurationRepository(session).lock(
            caller.tenant_id, appointment.configuration_id, shared=True
        )
        if configuration is None or not configuration.active:
            raise Conflict("the archive configuration is not active")
        await authorise(session, caller, configuration)
        return appointment, configuration

    async def _record(self, session: AsyncSession, owner_id: UUID, row: MapRow) -> AppointmentRecord:
        """What is recorded about the event, for another write of it."""
        record = await AppointmentRepository(session).record_of(owner_id, row.id)
        if record is None:
            raise Conflict("it has no record", code="not_archived")
        gone = row.state is ArchivedEventState.SOURCE_DELETED
        return replace(record, owning_start=row.start_at, source_gone=gone)


async def refuse_locked(
    session: AsyncSession,
    configuration: ArchiveConfiguration,
    before: EventContent,
    after: EventContent,
) -> None:
    """Raise Conflict if a finalised timesheet contains the appointment before or after the edit (2.8).

    The transaction waits for a finalisation in progress.
    """
    periods = await LockedPeriodRepository(session).write_turn(configuration.owner_id)
    write: WriteTimes = {
        "start_at": after.start,
        "end_at": after.end,
        "is_all_day": after.is_all_day,
        "categories": after.categories,
        "old_start": before.start,
        "old_end": before.end,
        "old_all_day": before.is_all_day,
        "old_categories": before.categories,
    }
    if is_locked(write, periods, ZoneInfo(configuration.time_zone)):
        raise Conflict("a finalised timesheet locked this period", code="period_locked")


def _edited(record: AppointmentRecord, changes: ContentChanges) -> AppointmentRecord:
    """The record after the edit. Raises ValidationFailed naming the field with the invalid time."""
    if record.is_all_day and changes.keys() & {"start_at", "end_at"}:
        field = "start" if "start_at" in changes else "end"
        raise ValidationFailed([FieldError(field, "an all-day event has no times", "all_day")])
    named = record.subject if record.source_subject is None else record.source_subject
    edited = replace(record.changed(changes), source_subject=named)
    if edited.end < edited.start:
        field = "end" if "end_at" in changes else "start"
        raise ValidationFailed([FieldError(field, "the end must not be before the start", "range_order")])
    return edited


def _draft(row: MapRow, changes: ContentChanges) -> OperationRow:
    """A draft that holds only the changes, because the rest may change before the run."""
    return {
        "id": str(uuid4()),
        "position": 1,
        "source_key": row.source_key,
        "action": str(OperationAction.UPDATE),
        "state": str(OperationState.DRAFT),
        "payload": {},
        "record": changes,
        "revision": row.revision,
    }


def _write(context: RunContext, row: MapRow, record: AppointmentRecord) -> DraftRow:
    # The revision covers source and edit. An edit is no change of the source, so no run undoes it.
    revision = edited_revision(row.revision, str(context.run_id))
    payload = copy_payload(
        record.event(row.source_id, row.original_start),
        configuration_id=context.configuration_id,
        archive_key=row.archive_key,
        source_key=row.source_key,
        revision=revision,
        generation=row.generation,
        create=False,
    )
    return {
        "source_key": row.source_key,
        "payload": payload.body,
        "record": replace(record, revision=revision),
        "revision": revision,
    }
