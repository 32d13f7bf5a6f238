"""Logs that work is late, so that an alert can notify somebody (docs/runbook.md)."""

import logging

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.operation.system_state import SystemStateRepository
from shared.services.operation.system_health import BACKLOG_DEGRADED, LATE_DEGRADED

_log = logging.getLogger(__name__)


class LateWorkWatch:
    """Counts overdue jobs and waiting runs of all tenants. It returns only counts and names no tenant."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def tell(self) -> None:
        """Log one warning if a job is an hour overdue or a run has waited a quarter of an hour."""
        now = self._clock.now()
        async with self._database.session() as session:
            late = await SystemStateRepository(session).late_work_of_all_tenants(
                now - LATE_DEGRADED, now - BACKLOG_DEGRADED
            )
        if late.overdue_jobs or late.waiting_runs:
            _log.warning(
                "work is late",
                extra={"overdue_jobs": late.overdue_jobs, "waiting_runs": late.waiting_runs},
            )
