"""Claiming many due jobs: ours against synchronous SQLAlchemy in a thread pool.

A claim inserts the run with its audit row and sets the job's next instant, in one transaction. It skips jobs
that another worker holds (domain.md 8.2). Ours claims many jobs in a transaction. The baseline does it as
schedulers in threads do: one job per transaction, in as many threads as ours has connections at most. A unit
is the time until a due job was known to be claimed.
"""

import asyncio
import statistics
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from shared.clock import SystemClock
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.graph.calendar_adapter import CalendarAdapter
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.service import ArchivingService
from shared.settings import Settings
from tests.benchmarks.blocking import BlockingDatabase
from tests.benchmarks.ways import Told, Way, compare, main, new_database, now
from tests.support.factories import START, TENANT

_JOBS = 1000
_ROUNDS = 3
_THREADS = 10


async def measure(jobs: int = _JOBS, rounds: int = _ROUNDS) -> list[dict[str, Any]]:
    """Jobs a second of both ways, the median of several rounds, and ours over the baseline."""
    async with new_database() as postgres:
        found = [
            await compare("tests.benchmarks.jobs", postgres, ("ours", "blocking"), jobs)
            for _ in range(rounds)
        ]
    ratio = statistics.median(each["ours"]["per_second"] / each["blocking"]["per_second"] for each in found)
    middle = sorted(found, key=lambda each: float(each["ours"]["per_second"]))[len(found) // 2]
    return [{"jobs": jobs, "rounds": rounds} | middle | {"ours_over_blocking": round(ratio, 2)}]


async def _ours(url: str, jobs: int) -> Told:
    settings = Settings(database_url=url)  # type: ignore[arg-type]
    database = Database(settings)
    try:
        await _add_due_jobs(database, jobs)
        # No claim asks Graph anything.
        calendars = cast(CalendarAdapter, None)
        archiving = ArchivingService(ArchivingPorts(database, calendars, SystemClock(), settings))
        waited: list[float] = []
        began = now()
        while claimed := await archiving.claim_due_jobs():
            waited += [now() - began] * len(claimed)
        assert len(waited) == jobs, len(waited)
        return Told(jobs, now() - began, waited)
    finally:
        await database.close()


async def _blocking(url: str, jobs: int) -> Told:
    database = Database(Settings(database_url=url))  # type: ignore[arg-type]
    await _add_due_jobs(database, jobs)
    await database.close()
    blocking = BlockingDatabase(url, _THREADS)
    waited: list[float] = []
    began = now()

    def worker() -> None:
        while blocking.run(_claim_one):
            waited.append(now() - began)

    with ThreadPoolExecutor(_THREADS) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, worker) for _ in range(_THREADS)))
    blocking.close()
    assert len(waited) == jobs, len(waited)
    return Told(jobs, now() - began, waited)


def _claim_one(session: Session) -> bool:
    moment = datetime.now(UTC)
    job = session.scalars(
        select(Job)
        .where(Job.paused.is_(False), Job.next_run_at <= moment)
        .order_by(Job.next_run_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if job is None:
        return False
    configuration = session.get_one(ArchiveConfiguration, job.configuration_id)
    scope = {"tenant_id": job.tenant_id, "owner_id": job.owner_id}
    run = ArchiveRun(
        **scope,
        id=uuid4(),
        configuration_id=configuration.id,
        job_id=job.id,
        scheduled_for=job.next_run_at,
        kind="nightly",
        window_start=START,
        window_end=moment,
        requested_by="system:jobs",
        correlation_id=uuid4().hex,
    )
    session.add(run)
    session.add(
        AuditEntry(
            tenant_id=job.tenant_id,
            occurred_at=moment,
            actor="system:jobs",
            on_behalf_of=job.owner_id,
            action="archive_run.requested",
            resource_type="archive_run",
            resource_id=str(run.id),
            outcome="success",
            correlation_id=run.correlation_id,
            changes={"kind": "nightly"},
        )
    )
    job.next_run_at = moment + timedelta(days=1)
    return True


async def _add_due_jobs(database: Database, jobs: int) -> None:
    users: list[dict[str, Any]] = []
    configurations: list[dict[str, Any]] = []
    due: list[dict[str, Any]] = []
    for _ in range(jobs):
        owner, mailbox, configuration = uuid4(), uuid4(), uuid4()
        address = f"{mailbox}@example.com"
        scope = {"tenant_id": TENANT, "owner_id": owner}
        users.append(
            {
                "id": owner,
                "tenant_id": TENANT,
                "object_id": mailbox,
                "address": address,
                "display_name": address,
            }
        )
        configurations.append(
            scope
            | {
                "id": configuration,
                "name": "Archive",
                "source_reference": "",
                "source_mailbox_id": mailbox,
                "source_calendar_id": "source",
                "archive_reference": "",
                "archive_mailbox_id": mailbox,
                "archive_calendar_id": "archive",
                "time_zone": "UTC",
                "archive_from": START.date(),
            }
        )
        due.append(
            scope
            | {
                "configuration_id": configuration,
                "schedule": {"kind": "daily", "at": "02:00"},
                "time_zone": "UTC",
                "next_run_at": START,
            }
        )
    async with database.session() as session:
        await session.execute(insert(User), users)
        await session.execute(insert(ArchiveConfiguration), configurations)
        await session.execute(insert(Job), due)


_WAYS: dict[str, Way] = {"ours": _ours, "blocking": _blocking}

if __name__ == "__main__":
    main(_WAYS)
