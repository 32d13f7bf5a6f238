"""Puts copies back and adopts edits, only on their owner's word (domain.md 2.15)."""

from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.verifications import VerificationFinding
from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.verifying.listed_findings import ListedFindingRepository
from shared.database.repositories.verifying.verification_findings import VerificationFindingRepository
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.copies.calendar_copy import CONTENT, Copy, differing_fields
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.identity.caller import Caller
from shared.domain.json_object import JsonObject
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.window import Window, local_day_start
from shared.domain.verifying.verification import FindingKind, FindingReason, FindingState
from shared.errors import Conflict, Forbidden, NotFound, StoreRefused
from shared.services.approvals.authorising import authorise
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.drafting import OperationDrafter
from shared.services.archiving.owner_edits import refuse_locked
from shared.services.archiving.pairs import refuse_paused_pair
from shared.services.archiving.plan_turn import PlanCancelled, PlanSuperseded, PlanTurn, record_plan
from shared.services.archiving.queueing import StartedRun, queue_run
from shared.services.identity.access import Access

#: Fields that change together with another one that is compared.
_ALONG = {"body": "body_type", "start": "start_zone", "end": "end_zone"}


class CopyRestoring:
    """What an owner can request about a finding."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def put_back(self, caller: Caller, verification_id: UUID, finding_id: UUID) -> StartedRun:
        """Queue the run that puts a missing copy back. If one is queued already, it is returned.

        Raises NotFound, and ArchiveInUse for the newer of a pair (domain.md 2.19). Raises Conflict for any
        other kind of finding, one that was put back, or an inactive configuration. So it does while a run of
        that day is in progress.
        """
        async with self._ports.database.session() as session:
            configuration, finding = await self._finding(session, caller, verification_id, finding_id)
            if finding.kind != FindingKind.MISSING:
                raise Conflict("only what is missing can be put back", code="not_missing")
            runs = ArchiveRunRepository(session)
            if finding.state == FindingState.PUTTING_BACK and finding.run_id is not None:
                run = await runs.get_unscoped(finding.run_id)
                if run is not None and not RunState(run.state).terminal:
                    return StartedRun(run, created=False)
                # Cancelled before it began, so the finding was not updated.
                finding.state = FindingState.OPEN
            _expect_open(finding)
            if not configuration.active:
                raise Conflict("the archive configuration is not active")
            access = await Access.of(session, caller)
            await refuse_paused_pair(session, access, configuration, self._ports.audit)
            recorded = await self._has_record(session, finding)
            mode = RunMode.PUT_BACK if recorded else RunMode.NORMAL
            window = _day_of(finding.starts_at, ZoneInfo(configuration.time_zone))
            started = await queue_run(
                self._ports, session, configuration, window, RunKind.MANUAL, caller.actor, mode=mode
            )
            run = await runs.get_unscoped(started.run.id, lock=True)
            if run is None or run.plan_attempt:
                raise Conflict("a run of that day is in progress; ask again", retry_after=5)
            finding.state, finding.run_id = FindingState.PUTTING_BACK, run.id
            await self._record(session, finding, "put_back_requested", {"run": str(run.id)})
        return started

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Plan a run that puts copies back: one create for each that is really gone, a generation later.

        Copies of a locked period come back too, because the record already has them (2.8). Planning a planned
        run again returns the stored counts. Raises NotFound, StoreUnavailable if the archive calendar cannot
        be read now, and Conflict while another attempt plans.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                run = await runs.get_unscoped(run_id)
                return PlanCounts.stored(run.plan if run else None)
            rows = await self._wanted(session, context)
        turn = PlanTurn(self._ports, run_id, attempt)
        try:
            async with accounted(self._ports, context):
                there = await self._there(context, rows)
            return await self._complete(turn, context, rows, there)
        except StoreRefused as refused:
            return await self._refuse(turn, context, refused)
        except PlanCancelled:
            return PlanCounts()
        except PlanSuperseded:
            raise Conflict("another attempt plans the run", retry_after=5) from None

    async def finished(self, run_id: UUID) -> None:
        """Mark what the run put back as resolved and reopen the rest. A second call changes nothing."""
        async with self._ports.database.session() as session:
            repository = VerificationFindingRepository(session)
            findings = await repository.of_run(run_id, lock=True)
            if not findings:
                return
            run = await ArchiveRunRepository(session).get_unscoped(run_id)
            first = findings[0]
            rows = await self._rows_of(session, findings)
            done: list[str] = []
            for finding in findings:
                row = rows.get(finding.archived_event_id or finding.source_key)
                if row is not None and row.copy_id is not None and row.state in _PRESENT:
                    finding.state, finding.resolved_at = FindingState.PUT_BACK, self._ports.clock.now()
                    finding.resolved_by = run.requested_by if run else None
                    finding.copy_id = row.copy_id
                    done.append(str(finding.id))
                else:
                    finding.state, finding.run_id = FindingState.OPEN, None
            await self._ports.audit.record(
                session,
                "verification_finding.put_back",
                "archive_run",
                run_id,
                {"findings": done, "still_open": len(findings) - len(done)},
                on_behalf_of=first.owner_id,
                outcome="success" if len(done) == len(findings) else "failure",
            )

    async def adopt(self, caller: Caller, verification_id: UUID, finding_id: UUID) -> VerificationFinding:
        """Record the owner's version of the copy. Later changes of the source still count (2.4).

        Raises NotFound. Raises Conflict for any other kind of finding, a copy that is gone, or a locked
        period (2.8). So it does while this copy has a write in flight. Raises Forbidden if the event is
        another person's private one (6.3).
        """
        wanted = verification_id, finding_id
        async with self._ports.database.session() as session:
            configuration, finding = await self._finding(session, caller, *wanted)
            if not await ListedFindingRepository(session).shown_to(caller.person, [finding.id]):
                raise Forbidden("a private event is for its person to decide on", code="private_event")
            if finding.kind != FindingKind.EDITED:
                raise Conflict("only an edit can be adopted", code="not_edited")
            if finding.state == FindingState.ADOPTED:
                return finding
            copy_id = finding.copy_id or ""
        mailbox, calendar = str(configuration.archive_mailbox_id), configuration.archive_calendar_id
        calendars = self._ports.calendars.in_tenant(caller.tenant_id)
        copy = (await calendars.get_copies(mailbox, calendar, [copy_id])).get(copy_id)
        if copy is None:
            raise Conflict("the copy is not in the archive calendar any more", code="copy_gone")
        async with self._ports.database.session() as session:
            configuration, finding = await self._finding(session, caller, *wanted)
            if finding.state != FindingState.ADOPTED:
                await self._adopt(session, configuration, finding, copy, caller)
        return finding

    async def _adopt(
        self,
        session: AsyncSession,
        configuration: ArchiveConfiguration,
        finding: VerificationFinding,
        copy: Copy,
        caller: Caller,
    ) -> None:
        now = self._ports.clock.now()
        row = (await self._rows_of(session, [finding])).get(finding.archived_event_id)
        if row is None or row.record is None or copy.archive_key != row.archive_key:
            raise Conflict("the copy is not the one of the record any more", code="copy_gone")
        if row.busy:
            raise Conflict("a write of this copy is in flight; ask again", retry_after=5)
        before, after = row.record, _taken_over(copy, row.record)
        await refuse_locked(session, configuration, before, after)
        await AppointmentRepository(session).adopt(finding.owner_id, row.id, after, now)
        await VerificationFindingRepository(session).point_to_copy(
            finding.owner_id, row.id, copy.id, copy.etag, now
        )
        finding.state, finding.resolved_at = FindingState.ADOPTED, now
        finding.resolved_by = caller.actor
        await self._ports.audit.record(
            session,
            "appointment.edited_by_owner",
            "archived_event",
            row.id,
            {"before": before.columns(), "after": after.columns(), "finding": str(finding.id)},
            on_behalf_of=finding.owner_id,
        )

    async def _finding(
        self, session: AsyncSession, caller: Caller, verification_id: UUID, finding_id: UUID
    ) -> tuple[ArchiveConfiguration, VerificationFinding]:
        """The configuration and the finding, both locked. Raises NotFound, Forbidden and Conflict (6.5)."""
        access = await Access.of(session, caller)
        verification = await VerificationRepository(session).get(
            caller.tenant_id, verification_id, access.writable_owner
        )
        if verification is None:
            raise NotFound("there is no such verification")
        configuration = await ArchiveConfigurationRepository(session).lock(
            caller.tenant_id, verification.configuration_id, shared=True
        )
        finding = await VerificationFindingRepository(session).get(verification_id, finding_id, lock=True)
        if configuration is None or finding is None:
            raise NotFound("there is no such finding")
        await authorise(session, caller, configuration)
        return configuration, finding

    async def _has_record(self, session: AsyncSession, finding: VerificationFinding) -> bool:
        if finding.reason == FindingReason.NOT_ARCHIVED or finding.archived_event_id is None:
            return False
        record = await AppointmentRepository(session).record_of(finding.owner_id, finding.archived_event_id)
        return record is not None

    async def _rows_of(
        self, session: AsyncSession, findings: Sequence[VerificationFinding]
    ) -> dict[UUID | str | None, RecordedCopy]:
        """The present records of the findings' events, by id and by source key."""
        repository, first = VerificationFindingRepository(session), findings[0]
        ids = [each.archived_event_id for each in findings if each.archived_event_id is not None]
        keys = [each.source_key for each in findings if each.source_key is not None]
        rows = await repository.recorded(first.owner_id, first.configuration_id, ids, keys)
        by_key: dict[UUID | str | None, RecordedCopy] = {row.source_key: row for row in rows}
        return by_key | {row.id: row for row in rows}

    async def _wanted(self, session: AsyncSession, context: RunContext) -> list[RecordedCopy]:
        findings = await VerificationFindingRepository(session).of_run(context.run_id)
        ids = [each.archived_event_id for each in findings if each.archived_event_id is not None]
        return await VerificationFindingRepository(session).recorded(
            context.owner_id, context.configuration_id, ids
        )

    async def _there(self, context: RunContext, rows: Sequence[RecordedCopy]) -> dict[UUID, Copy]:
        """Copies that exist in the archive calendar after all, by archived event."""
        calendars = self._ports.calendars.in_tenant(context.tenant_id)
        mailbox = context.archive_mailbox
        calendar = context.archive_calendar_id
        known = await calendars.get_copies(mailbox, calendar, [row.copy_id for row in rows if row.copy_id])
        there: dict[UUID, Copy] = {}
        for row in rows:
            copy = known.get(row.copy_id) if row.copy_id else None
            if copy is None:
                found = await calendars.find_copies(mailbox, calendar, row.archive_key)
                copy = found[0] if found else None
            if copy is not None:
                there[row.id] = copy
        return there

    async def _complete(
        self, turn: PlanTurn, context: RunContext, wanted: Sequence[RecordedCopy], there: Mapping[UUID, Copy]
    ) -> PlanCounts:
        async with turn.session() as session:
            now = self._ports.clock.now()
            repository = VerificationFindingRepository(session)
            ids = [row.id for row in wanted]
            rows = await repository.recorded(context.owner_id, context.configuration_id, ids)
            free = [row for row in rows if not row.busy and row.record is not None]
            for row in free:
                if (copy := there.get(row.id)) is not None:
                    await repository.point_to_copy(context.owner_id, row.id, copy.id, copy.etag, now)
            gone = [row for row in free if row.id not in there]
            await repository.prepare_again(context.owner_id, [row.id for row in gone], now)
            await self._draft(session, context, gone)
            counts = PlanCounts(
                source=len(rows),
                planned=len(gone),
                unchanged=len(free) - len(gone),
                unsettled=len(rows) - len(free),
            )
            await record_plan(session, self._ports, context, counts)
        return counts

    async def _draft(self, session: AsyncSession, context: RunContext, rows: Sequence[RecordedCopy]) -> None:
        entries = await context.archived_events(session).by_keys([row.source_key for row in rows])
        records = {
            row.source_key: replace(row.record, owning_start=row.start_at)
            for row in rows
            if row.record is not None
        }
        planned = OperationDrafter(self._ports, context).recorded(records, entries)
        await context.operations(session).add(context.run_id, planned)

    async def _refuse(self, turn: PlanTurn, context: RunContext, refused: StoreRefused) -> PlanCounts:
        counts = PlanCounts(refused=f"{refused.reason}: {refused.detail}", gone=refused.gone)
        async with turn.session() as session:
            await record_plan(session, self._ports, context, counts)
        return counts

    async def _record(
        self, session: AsyncSession, finding: VerificationFinding, what: str, changes: JsonObject
    ) -> None:
        await self._ports.audit.record(
            session,
            f"verification_finding.{what}",
            "verification_finding",
            finding.id,
            changes,
            on_behalf_of=finding.owner_id,
        )


_PRESENT = (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED)


def _expect_open(finding: VerificationFinding) -> None:
    if finding.state != FindingState.OPEN:
        raise Conflict("that was done already", code="finding_resolved")


def _day_of(instant: datetime, zone: ZoneInfo) -> Window:
    day = instant.astimezone(zone).date()
    return Window(local_day_start(day, zone), local_day_start(day + timedelta(days=1), zone), zone)


def _taken_over(copy: Copy, record: AppointmentRecord) -> AppointmentRecord:
    """The record with what differs in the owner's copy."""
    changed = [CONTENT[name] for name in differing_fields(copy, record)]
    changed += [_ALONG[field] for field in changed if field in _ALONG]
    return replace(record, **{field: getattr(copy.event, field) for field in changed})
