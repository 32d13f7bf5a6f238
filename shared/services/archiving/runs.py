"""Reads archive runs and cancels them (domain.md 2.11, 2.12)."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.listed_operations import ListedOperationRepository
from shared.database.repositories.archiving.run_search import RunFilter, RunSearchRepository
from shared.domain.identity.caller import Caller
from shared.domain.runs.archive_run import RunState
from shared.domain.runs.outcome import OutcomeReport, StoredReport
from shared.errors import Conflict, NotFound
from shared.schemas.archive_runs import (
    ArchiveOperationListQuery,
    ArchiveOperationResource,
    ArchiveRunListQuery,
    ConfigurationRunsQuery,
)
from shared.schemas.paging import Place, Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access, reads_own, reads_own_of
from shared.services.identity.ownership import readable_configuration, readable_owner_of


class ArchiveRunService:
    """Runs as their owners see them. ArchivingService has the steps that the workflow calls."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def list(
        self, caller: Caller, configuration_id: UUID, query: ConfigurationRunsQuery
    ) -> tuple[Slice[ArchiveRun], bool]:
        """Runs of a configuration, newest first, and whether the caller is the person whose events they read.

        Raises NotFound for a configuration that is not visible to the caller, and ValidationFailed naming
        ``cursor``.
        """
        after = query.after
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            await readable_configuration(session, access, configuration_id)
            own = await reads_own(session, access, configuration_id)
            # Whether the caller may read them is decided above.
            wanted = _filter(query, reader=None, configuration_id=configuration_id)
            rows = await RunSearchRepository(session).page(caller.tenant_id, wanted, after, query.limit + 1)
        return Slice.cut(rows, query.limit, lambda run: Position(run.created_at, run.id)), own

    async def search(
        self, caller: Caller, query: ArchiveRunListQuery
    ) -> tuple[Slice[ArchiveRun], frozenset[UUID]]:
        """Runs of one person, or of the whole tenant for Admins and Auditors, newest first.

        Also returns the configurations whose events are the caller's own. Raises NotFound for a person or
        configuration that is not visible to the caller, and ValidationFailed naming ``cursor``.
        """
        after = query.after
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            wanted = _filter(
                query,
                reader=access.own.id if access.own is not None else None,
                owner_id=await _owner(session, access, query),
                configuration_id=query.configuration_id,
            )
            rows = await RunSearchRepository(session).page(caller.tenant_id, wanted, after, query.limit + 1)
            own = await reads_own_of(session, access, {row.configuration_id for row in rows})
        return Slice.cut(rows, query.limit, lambda run: Position(run.created_at, run.id)), own

    async def operations(
        self, caller: Caller, run_id: UUID, query: ArchiveOperationListQuery
    ) -> Slice[ArchiveOperationResource, Place]:
        """Writes of a run in the order of the calendar. Raises NotFound and ValidationFailed (``cursor``)."""
        after = query.after_place
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            run = await ArchiveRunRepository(session).get(caller.tenant_id, run_id, access.readable_owner)
            if run is None:
                raise NotFound("there is no such archive run")
            own = await reads_own(session, access, run.configuration_id)
            rows = await ListedOperationRepository(session, run.owner_id).of_run(
                run_id,
                query.status,
                (after.number, after.id) if after else None,
                query.limit + 1,
                # That an event is written at all may reveal its words, as in a timesheet (6.3).
                private=None if own else False,
            )
        found = Slice.cut(rows, query.limit, lambda row: Place(row["position"], row["id"]))
        return Slice([ArchiveOperationResource.of(row) for row in found.rows], found.next)

    async def cancel(self, caller: Caller, run_id: UUID) -> ArchiveRun:
        """Request that a run stops before its next batch. A run that has not begun ends at once.

        Writes that were sent are still reconciled (design.md, Archive). A second request changes nothing.
        Raises NotFound, and Conflict for a run that is over.
        """
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            runs = ArchiveRunRepository(session)
            run = await runs.get(caller.tenant_id, run_id, access.writable_owner, lock=True)
            if run is None:
                raise NotFound("there is no such archive run")
            if run.cancel_requested or run.state == RunState.CANCELLED:
                return run
            if RunState(run.state).terminal:
                raise Conflict("the run is over", code="run_over")
            await self._cancel(session, run)
        return run

    async def _cancel(self, session: AsyncSession, run: ArchiveRun) -> None:
        begun = run.state == RunState.RUNNING
        run.cancel_requested = True
        if not begun:
            run.state, run.finished_at = RunState.CANCELLED, self._clock.now()
            run.report = dict(StoredReport(OutcomeReport.of(0, {}), "cancelled before it began").to_json())
        await self._audit.record(
            session,
            "archive_run.cancel_requested" if begun else "archive_run.cancelled",
            "archive_run",
            run.id,
            {"after": {"cancel_requested": True, "state": str(run.state)}},
            on_behalf_of=run.owner_id,
        )


def _filter(
    query: ConfigurationRunsQuery,
    *,
    reader: UUID | None,
    configuration_id: UUID | None,
    owner_id: UUID | None = None,
) -> RunFilter:
    return RunFilter(
        reader=reader,
        owner_id=owner_id,
        configuration_id=configuration_id,
        state=query.status,
        troubled=query.troubled,
        created_from=query.created_from,
        created_before=query.created_before,
    )


async def _owner(session: AsyncSession, access: Access, query: ArchiveRunListQuery) -> UUID | None:
    """The owner whose runs are meant. None means everyone in the tenant."""
    if query.configuration_id is not None:
        owner = await readable_owner_of(session, access, query.user_id, query.configuration_id)
        return access.readable_owner if owner is None else owner.id
    if query.user_id is not None:
        return (await access.readable_user(query.user_id)).id
    return access.readable_owner
