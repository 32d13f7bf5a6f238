"""Archive runs: one execution for one configuration and one window."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, case, func, select, text, tuple_, update

from shared.database.models.runs import ArchiveRun
from shared.database.repositories.base import DrivenRepository
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.outcome import StoredReport
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.run_progress import PLANNING_BEGINS, WRITING_BEGINS, WRITING_ENDS, RunStep

_OPEN = (RunState.QUEUED, RunState.RUNNING)
# Until a lost archive is rebuilt, other runs would think that the owner deleted its copies.
_PROMOTION = case(
    (ArchiveRun.mode == RunMode.REBUILD, -1),
    *((ArchiveRun.kind == kind, place) for place, kind in enumerate(RunKind)),
)
# Every step of a run begins with it. Built once, because building a statement costs as much as running it.
_BY_ID = select(ArchiveRun).where(ArchiveRun.id == bindparam("run"))
_LOCKED_BY_ID = _BY_ID.with_for_update()
# At most one open run has the same values of all of these (uq_archive_runs_open_window).
_ONE_OPEN = ("owner_id", "configuration_id", "window_start", "window_end", "mode")
# Claims of one configuration take turns, each with its own snapshot, instead of failing on the index.
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:configuration AS text), 1))")
_BEGIN = text("""
    UPDATE archive_runs SET state = 'running', started_at = COALESCE(started_at, :now),
           step = COALESCE(step, 'settling'), dispatched_at = :now
     WHERE id = :run AND state IN ('queued', 'running')
       AND NOT EXISTS (SELECT 1 FROM archive_runs other WHERE other.configuration_id = :configuration
                        AND other.state = 'running' AND other.id <> :run)
       AND (mode = 'rebuild'
            OR NOT EXISTS (SELECT 1 FROM archive_runs first WHERE first.configuration_id = :configuration
                            AND first.mode = 'rebuild' AND first.state = 'queued'))
    RETURNING id
""")
_PROGRESSED = text("""
    SELECT GREATEST(started_at, planned_at, (SELECT max(finished_at) FROM archive_operations
                                              WHERE run_id = archive_runs.id)) AS progressed_at
      FROM archive_runs WHERE id = :run
""")
_BEGIN_PLAN = text("""
    UPDATE archive_runs SET plan_attempt = plan_attempt + 1, step = 'planning',
           progress = GREATEST(progress, :begins)
     WHERE id = :run AND state IN ('queued', 'running') AND planned_at IS NULL
    RETURNING plan_attempt
""")
_HOLD_PLAN = text("""
    SELECT id FROM archive_runs
     WHERE id = :run AND plan_attempt = :attempt AND state IN ('queued', 'running') AND planned_at IS NULL
       AND NOT cancel_requested
       FOR SHARE
""")
_LOCK_RUNS = text("SELECT id FROM archive_runs WHERE id = ANY(CAST(:runs AS uuid[])) ORDER BY id FOR SHARE")
_ENTER_STEP = text("""
    UPDATE archive_runs SET step = :step, progress = GREATEST(progress, :percent)
     WHERE id = :run AND state = 'running'
""")
#: Counts ``:written`` more finished writes of a run, and updates its progress. A run that writes has a living
#: orchestration, so Durable is not asked about it.
ADD_WRITTEN = """
    UPDATE archive_runs SET writes_done = writes_done + :written, dispatched_at = CAST(:now AS timestamptz),
           progress = CASE state WHEN 'running' THEN GREATEST(progress, :begins + :share
               * LEAST(writes_done + :written, CAST(plan->>'planned' AS int))
               / GREATEST(CAST(plan->>'planned' AS int), 1)) ELSE progress END
     WHERE id = :run AND owner_id = :owner AND :written > 0"""
#: How its progress is computed.
WRITTEN_SHARE = {"begins": WRITING_BEGINS, "share": WRITING_ENDS - WRITING_BEGINS}
_ADD_WRITTEN = text(ADD_WRITTEN)
_COVERED = text("""
    SELECT lower(part) AS begins, upper(part) AS ends FROM (
        SELECT unnest(range_agg(tstzrange(window_start, window_end))
               * tstzmultirange(tstzrange(:start, :end))) AS part
          FROM archive_runs
         WHERE owner_id = :owner AND configuration_id = :configuration AND planned_at IS NOT NULL
           AND plan->>'refused' IS NULL AND mode IN ('normal', 'replace')
           AND window_start < :end AND window_end > :start) AS parts
     ORDER BY 1
""")
# The first and last instants of ``covered``.
_EXTENTS = text("""
    SELECT configuration_id, min(window_start) AS begins, max(window_end) AS ends
      FROM archive_runs
     WHERE configuration_id = ANY(CAST(:configurations AS uuid[])) AND planned_at IS NOT NULL
       AND plan->>'refused' IS NULL AND mode IN ('normal', 'replace')
     GROUP BY configuration_id
""")
#: When a plan began to read. For plans without this information, when they were finished.
READ_AT = "COALESCE(CAST(r.plan->>'read_at' AS timestamptz), r.planned_at)"
_LAST_PLANNED = text(f"""
    SELECT wanted.instant, max({READ_AT}) AS read_at
      FROM unnest(CAST(:instants AS timestamptz[])) AS wanted(instant)
      JOIN archive_runs r ON r.owner_id = :owner AND r.configuration_id = :configuration
                         AND r.planned_at IS NOT NULL AND r.plan->>'refused' IS NULL
                         AND r.mode IN ('normal', 'replace')
                         AND r.window_start <= wanted.instant AND r.window_end > wanted.instant
     GROUP BY wanted.instant
""")  # noqa: S608
_ADD_USAGE = text("""
    UPDATE archive_runs SET graph_requests = graph_requests + :requests, round_trips = round_trips + :trips
     WHERE id = :run AND owner_id = :owner
""")


class ArchiveRunRepository(DrivenRepository[ArchiveRun]):
    """The ``archive_runs`` table."""

    model = ArchiveRun

    async def add_all(self, runs: Sequence[ArchiveRun]) -> dict[UUID, ArchiveRun]:
        """Insert runs in one statement. Returns those inserted, by id: their window and instant were free."""
        return {run.id: run for run in await self._insert_free(ArchiveRun, runs)}

    async def get(
        self, tenant_id: UUID, run_id: UUID, owner_id: UUID | None = None, *, lock: bool = False
    ) -> ArchiveRun | None:
        """The run in the tenant. With ``owner_id``, only if that user owns it."""
        statement = select(ArchiveRun).where(ArchiveRun.tenant_id == tenant_id, ArchiveRun.id == run_id)
        if owner_id is not None:
            statement = statement.where(ArchiveRun.owner_id == owner_id)
        if lock:
            statement = statement.with_for_update()
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def get_unscoped(self, run_id: UUID, *, lock: bool = False) -> ArchiveRun | None:
        """The run by id alone, for its workflow."""
        statement = _LOCKED_BY_ID if lock else _BY_ID
        return (await self._session.execute(statement, {"run": run_id})).scalar_one_or_none()

    async def by_id_unscoped(self, run_ids: Sequence[UUID]) -> dict[UUID, ArchiveRun]:
        """Runs of several owners by id, for the dispatcher."""
        found = await self._all(select(ArchiveRun).where(ArchiveRun.id.in_(run_ids)))
        return {run.id: run for run in found}

    async def last_planned(
        self, owner_id: UUID, configuration_id: UUID, instants: Collection[datetime]
    ) -> dict[datetime, datetime]:
        """For each instant, when the last plan whose window contains it began to read. Others are missing."""
        if not instants:
            return {}
        rows = await self._session.execute(
            _LAST_PLANNED,
            {"owner": owner_id, "configuration": configuration_id, "instants": sorted(instants)},
        )
        return {row.instant: row.read_at for row in rows}

    async def any_open(self, owner_id: UUID, configuration_id: UUID) -> bool:
        """Whether a run of the configuration is queued or running."""
        statement = select(ArchiveRun.id).where(
            ArchiveRun.owner_id == owner_id,
            ArchiveRun.configuration_id == configuration_id,
            ArchiveRun.state.in_(_OPEN),
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def any_running(self, owner_id: UUID, configuration_id: UUID) -> bool:
        """Whether a run of the configuration is running."""
        statement = select(ArchiveRun.id).where(
            ArchiveRun.owner_id == owner_id,
            ArchiveRun.configuration_id == configuration_id,
            ArchiveRun.state == RunState.RUNNING,
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def open_of_mode(self, owner_id: UUID, configuration_id: UUID, mode: RunMode) -> ArchiveRun | None:
        """The oldest queued or running run of a mode."""
        statement = select(ArchiveRun).where(
            ArchiveRun.owner_id == owner_id,
            ArchiveRun.configuration_id == configuration_id,
            ArchiveRun.mode == mode,
            ArchiveRun.state.in_(_OPEN),
        )
        ordered = statement.order_by(ArchiveRun.created_at, ArchiveRun.id).limit(1)
        return (await self._session.execute(ordered)).scalar_one_or_none()

    async def none_running(self, owner_id: UUID, configuration_id: UUID) -> bool:
        """Whether no run of the configuration is running. None begins until the transaction ends."""
        await self._session.execute(_TURN, {"configuration": str(configuration_id)})
        return not await self.any_running(owner_id, configuration_id)

    async def open_like(self, runs: Sequence[ArchiveRun]) -> list[ArchiveRun]:
        """The queued and running runs with exactly the windows and modes of these (domain.md 2.11)."""
        columns = tuple_(*(getattr(ArchiveRun, name) for name in _ONE_OPEN))
        wanted = [tuple(getattr(run, name) for name in _ONE_OPEN) for run in runs]
        statement = select(ArchiveRun).where(columns.in_(wanted), ArchiveRun.state.in_(_OPEN))
        return await self._all(statement)

    async def begin(self, run: ArchiveRun, now: datetime) -> bool:
        """Make the run the running one of its configuration. False if another one runs or it is over.

        It reconciles open writes first. A waiting rebuild of the archive goes before other runs.
        """
        await self._session.execute(_TURN, {"configuration": str(run.configuration_id)})
        result = await self._session.execute(
            _BEGIN, {"run": run.id, "configuration": run.configuration_id, "now": now}
        )
        return result.one_or_none() is not None

    async def progressed_at(self, run_id: UUID) -> datetime | None:
        """When the run began, was planned or finished a write: the latest of these. None before it began."""
        return (await self._session.execute(_PROGRESSED, {"run": run_id})).scalar_one_or_none()

    async def begin_plan(self, run_id: UUID) -> int | None:
        """The number of a new planning attempt, which supersedes all earlier ones. None if none is due.

        The run is planning from now on.
        """
        return (
            await self._session.execute(_BEGIN_PLAN, {"run": run_id, "begins": PLANNING_BEGINS})
        ).scalar_one_or_none()

    async def hold_plan(self, run_id: UUID, attempt: int) -> bool:
        """Lock the run until the transaction ends. False if it is over, must stop, or was superseded."""
        result = await self._session.execute(_HOLD_PLAN, {"run": run_id, "attempt": attempt})
        return result.one_or_none() is not None

    async def hold_unscoped(self, run_ids: Sequence[UUID]) -> None:
        """Prevent these runs from ending until the transaction ends."""
        await self._session.execute(_LOCK_RUNS, {"runs": list(run_ids)})

    async def enter_step(self, run_id: UUID, step: RunStep, percent: int) -> None:
        """Set the step of the running run. Its progress never decreases."""
        await self._session.execute(_ENTER_STEP, {"run": run_id, "step": str(step), "percent": percent})

    async def add_written(self, owner_id: UUID, run_id: UUID, count: int, now: datetime) -> None:
        """Count finished writes of the run, in the transaction that records them."""
        await self._session.execute(
            _ADD_WRITTEN, {"run": run_id, "owner": owner_id, "written": count, "now": now} | WRITTEN_SHARE
        )

    async def covered(
        self, owner_id: UUID, configuration_id: UUID, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime]]:
        """The part of ``[start, end)`` that any run planned: intervals in order, without overlaps."""
        rows = await self._session.execute(
            _COVERED, {"owner": owner_id, "configuration": configuration_id, "start": start, "end": end}
        )
        return [(row.begins, row.ends) for row in rows]

    async def extents_unscoped(
        self, configuration_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[datetime, datetime]]:
        """The first and last planned instant of each configuration that has one."""
        rows = await self._session.execute(_EXTENTS, {"configurations": list(configuration_ids)})
        return {row.configuration_id: (row.begins, row.ends) for row in rows}

    async def set_planned(self, run_id: UUID, plan: PlanCounts, now: datetime) -> None:
        """Store the counts of the complete plan. Writing begins."""
        await self._session.execute(
            update(ArchiveRun)
            .where(ArchiveRun.id == run_id, ArchiveRun.planned_at.is_(None))
            .values(
                plan=plan.to_json(),
                planned_at=now,
                step=RunStep.APPLYING,
                progress=func.greatest(ArchiveRun.progress, WRITING_BEGINS),
            )
        )

    async def finish(self, run_id: UUID, state: RunState, report: StoredReport, now: datetime) -> bool:
        """End a running run. False if it had ended already."""
        result = await self._session.execute(
            update(ArchiveRun)
            .where(ArchiveRun.id == run_id, ArchiveRun.state.in_(_OPEN))
            .values(
                state=state, report=report.to_json(), finished_at=now, step=RunStep.FINISHED, progress=100
            )
            .returning(ArchiveRun.id)
        )
        return result.one_or_none() is not None

    async def next_queued(self, owner_id: UUID, configuration_id: UUID) -> UUID | None:
        """The next queued run: rebuild, retry, nightly, manual, backfill, each oldest first."""
        statement = (
            select(ArchiveRun.id)
            .where(
                ArchiveRun.owner_id == owner_id,
                ArchiveRun.configuration_id == configuration_id,
                ArchiveRun.state == RunState.QUEUED,
            )
            .order_by(_PROMOTION, ArchiveRun.created_at, ArchiveRun.id)
            .limit(1)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def to_drive_unscoped(self, before: datetime, limit: int) -> list[UUID]:
        """Runs that need a living orchestration and were last checked before ``before``.

        One for each configuration: the running one, or else the next queued one.
        """
        ranked = (
            select(
                ArchiveRun.id,
                ArchiveRun.dispatched_at,
                func.row_number()
                .over(
                    partition_by=ArchiveRun.configuration_id,
                    order_by=(
                        case((ArchiveRun.state == RunState.RUNNING, 0), else_=1),
                        _PROMOTION,
                        ArchiveRun.created_at,
                        ArchiveRun.id,
                    ),
                )
                .label("place"),
            )
            .where(ArchiveRun.state.in_(_OPEN))
            .subquery()
        )
        statement = (
            select(ranked.c.id)
            .where(ranked.c.place == 1)
            .where((ranked.c.dispatched_at.is_(None)) | (ranked.c.dispatched_at < before))
            .order_by(ranked.c.dispatched_at.asc().nulls_first(), ranked.c.id)
            .limit(limit)
        )
        return list((await self._session.execute(statement)).scalars())

    async def add_usage(self, owner_id: UUID, run_id: UUID, requests: int, round_trips: int) -> None:
        """Add Graph requests to the run's counters (domain.md 2.13)."""
        if requests or round_trips:
            await self._session.execute(
                _ADD_USAGE, {"run": run_id, "owner": owner_id, "requests": requests, "trips": round_trips}
            )
