"""Runs that carry decisions out: those about overlaps and the answers to action items.

A decision is a change of rows (design.md, Durable Functions). A run over the windows of its events carries it
out. The row stays due until a plan did so, and the timer queues another run for rows that stay due.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.models.overlaps import OverlapGroup
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.decisions import DecisionRepository
from shared.domain.identity.caller import Caller
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.window import Window
from shared.errors import Conflict, NotFound
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.queueing import queue_run
from shared.services.identity.access import Access
from shared.services.identity.acting import acting_as

ROWS_PER_TICK = 200
#: How long a run queued for a decision may take before another one is queued.
LOOK_AGAIN_AFTER = timedelta(minutes=15)
_INSTANT = timedelta(seconds=1)


class DecisionRuns[Row: ActionItem | OverlapGroup]:
    """Decides what expired and queues runs, for one kind of decision."""

    def __init__(
        self, ports: ArchivingPorts, repository: Callable[[AsyncSession], DecisionRepository[Row]]
    ) -> None:
        self._ports = ports
        self._repository = repository

    async def expire(
        self, actor: str, decide: Callable[[AsyncSession, Row, Caller], Awaitable[UUID | None]]
    ) -> list[UUID]:
        """Decide rows that expired, as the system's ``actor``. Returns the runs that ``decide`` queued."""
        runs: list[UUID | None] = []
        async with self._ports.database.session() as session:
            now = self._ports.clock.now()
            for row in await self._repository(session).claim_expired_unscoped(now, ROWS_PER_TICK):
                caller = Caller.system(row.tenant_id, actor)
                with acting_as(caller):
                    runs.append(await decide(session, row, caller))
        return [run for run in runs if run is not None]

    async def carry_out(self, actor: str) -> list[UUID]:
        """Queue a run for each decision that no plan has carried out yet. Returns the runs."""
        runs: list[UUID | None] = []
        async with self._ports.database.session() as session:
            rows, now = self._repository(session), self._ports.clock.now()
            for row in await rows.claim_due_unscoped(now - LOOK_AGAIN_AFTER, ROWS_PER_TICK):
                caller = Caller.system(row.tenant_id, actor)
                with acting_as(caller):
                    runs.append(await self.queue(session, row, caller))
                await rows.keep_due(row.id, now)
        return [run for run in runs if run is not None]

    async def locked(self, session: AsyncSession, caller: Caller, row_id: UUID, what: str) -> Row:
        """The row, locked until the transaction ends. Raises NotFound if the caller may not decide it."""
        access = await Access.of(session, caller)
        rows = self._repository(session)
        found = await rows.get_in_tenant(caller.tenant_id, row_id)
        if found is None or access.writable_owner not in (None, found.owner_id):
            raise NotFound(f"there is no such {what}")
        row = await rows.get(found.owner_id, row_id, lock=True)
        assert row is not None  # noqa: S101 - they go with their owner alone
        return row

    async def queue(self, session: AsyncSession, row: Row, caller: Caller) -> UUID | None:
        """Queue the run that carries the decision out. None if none can be queued now."""
        configuration = await ArchiveConfigurationRepository(session).lock(
            row.tenant_id, row.configuration_id, shared=True
        )
        span = await self._repository(session).span(row.owner_id, row.id)
        if configuration is None or not configuration.active or span is None:
            return None
        window = Window(span[0], span[1] + _INSTANT, ZoneInfo(configuration.time_zone))
        try:
            started = await queue_run(
                self._ports, session, configuration, window, RunKind.MANUAL, caller.actor
            )
        except Conflict:
            # The run of this window has just ended. The row stays due, and the timer tries again.
            return None
        return started.run.id
