"""What stops when a person leaves, by offboarding or erasure (domain.md 15.1)."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.database.repositories.people.people import LeavingRepository
from shared.domain.runs.archive_run import RunState
from shared.domain.runs.outcome import OutcomeReport, StoredReport
from shared.services.audit.recording import AuditWriter


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was stopped: waiting runs are over, and runs in progress are asked to end."""

    runs_cancelled: int
    runs_ending: int
    verifications_ended: int
    jobs_paused: int
    deactivated: bool


class Leaving:
    """Stops a person's work in the transaction of its caller. A second call changes nothing."""

    def __init__(self, clock: Clock, audit: AuditWriter) -> None:
        self._clock = clock
        self._audit = audit

    async def stop(self, session: AsyncSession, user: User) -> Stopped:
        """Ask the person's runs to end, pause their jobs, and deactivate them. ``user`` is locked.

        A run still reconciles what it has sent (design.md, Archive).
        """
        leaving = LeavingRepository(session)
        cancelled, ending = await self._stop_runs(session, leaving, user)
        paused = await leaving.pause_jobs(user.id)
        # The dispatcher may have queued another run while this waited for the jobs.
        late = await self._stop_runs(session, leaving, user)
        reason = "its owner left"
        ended = await leaving.end_verifications(user.id, reason, self._clock.now())
        deactivated = user.active
        if deactivated:
            user.active = False
            user.touch(self._clock.now())
        return Stopped(cancelled + late[0], ending + late[1], len(ended), len(paused), deactivated)

    async def _stop_runs(
        self, session: AsyncSession, leaving: LeavingRepository, user: User
    ) -> tuple[int, int]:
        cancelled = ending = 0
        for run in await leaving.open_runs(user.id):
            if run.cancel_requested:
                continue
            begun = run.state == RunState.RUNNING
            await self._stop_run(session, run, begun=begun)
            ending += begun
            cancelled += not begun
        await session.flush()
        return cancelled, ending

    async def _stop_run(self, session: AsyncSession, run: ArchiveRun, *, begun: bool) -> None:
        run.cancel_requested = True
        if not begun:
            run.state, run.finished_at = RunState.CANCELLED, self._clock.now()
            run.report = dict(
                StoredReport(OutcomeReport.of(0, {}), "its owner left before it began").to_json()
            )
        await self._audit.record(
            session,
            "archive_run.cancel_requested" if begun else "archive_run.cancelled",
            "archive_run",
            run.id,
            {"after": {"cancel_requested": True, "state": str(run.state)}},
            on_behalf_of=run.owner_id,
        )
