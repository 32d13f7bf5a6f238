"""Our bulk writes against COPY of the same rows, and against synchronous SQLAlchemy in a thread pool.

A page of 1000 events becomes 1000 rows of the map and 1000 operations with their payload. It is one
transaction, as in planning. Four pages are in flight at a time.
"""

import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.orm import Session

from shared.database.engine import Database
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.runs import ArchiveOperation
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository, OperationRow
from shared.database.repositories.archiving.archived_events import ArchivedEventRepository, NewMapRow
from shared.domain.events.source_event import archive_key
from shared.settings import Settings
from tests.benchmarks.blocking import BlockingDatabase
from tests.benchmarks.ways import Told, Way, compare, main, new_database, now
from tests.support.factories import Factory, record

PAGE = 1000
LANES = 4
_ROWS = 20_000
_ROUNDS = 3
_START = datetime(2026, 3, 2, tzinfo=UTC)
_PAYLOAD = {"subject": "Meeting", "body": {"contentType": "html", "content": "word " * 60}}

type Page = list[tuple[dict[str, Any], dict[str, Any]]]
type Scope = tuple[UUID, UUID, UUID]


async def measure(rows: int = _ROWS, rounds: int = _ROUNDS) -> list[dict[str, Any]]:
    """Rows a second of each way, the median of several rounds, and ours over COPY and over the baseline."""
    async with new_database() as postgres:
        found = [
            await compare("tests.benchmarks.database", postgres, ("copy", "ours", "blocking"), rows)
            for _ in range(rounds)
        ]

    def ratio(one: str, other: str) -> float:
        ratios: list[float] = [each[one]["per_second"] / each[other]["per_second"] for each in found]
        return round(statistics.median(ratios), 2)

    middle = sorted(found, key=lambda each: float(each["ours"]["per_second"]))[len(found) // 2]
    return [
        {"rows": rows, "rounds": rounds}
        | middle
        | {"copy_over_ours": ratio("copy", "ours"), "ours_over_blocking": ratio("ours", "blocking")}
    ]


async def _ours(url: str, rows: int) -> Told:
    database = Database(Settings(database_url=url))  # type: ignore[arg-type]
    scope = await _scope(database)
    owner, configuration, run = scope

    async def write(page: Page) -> None:
        async with database.session() as session:
            events = ArchivedEventRepository(session, owner, configuration)
            await events.add([cast("NewMapRow", _plain(event)) for event, _ in page])
            operations = ArchiveOperationRepository(session, owner, configuration)
            await operations.add(run, [cast("OperationRow", operation) for _, operation in page])

    try:
        return await _written(_pages(scope, rows), write)
    finally:
        await database.close()


async def _copy(url: str, rows: int) -> Told:
    database = Database(Settings(database_url=url))  # type: ignore[arg-type]
    scope = await _scope(database)
    await database.close()
    owner, configuration, run = scope
    pool = await asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1, max_size=LANES)
    common = {"owner_id": owner, "configuration_id": configuration}

    async def write(page: Page) -> None:
        events = [event | common for event, _ in page]
        operations = [
            _typed(operation) | common | {"run_id": run, "archived_event_id": event["id"], **_REST}
            for event, operation in page
        ]
        async with pool.acquire() as connection, connection.transaction():
            for table, records in (("archived_events", events), ("archive_operations", operations)):
                await connection.copy_records_to_table(
                    table, columns=list(records[0]), records=[tuple(each.values()) for each in records]
                )

    try:
        return await _written(_pages(scope, rows), write)
    finally:
        await pool.close()


async def _blocking(url: str, rows: int) -> Told:
    database = Database(Settings(database_url=url))  # type: ignore[arg-type]
    scope = await _scope(database)
    await database.close()
    owner, configuration, run = scope
    blocking = BlockingDatabase(url, LANES)
    pool = ThreadPoolExecutor(LANES)

    def work(session: Session, page: Page) -> None:
        common = {"owner_id": owner, "configuration_id": configuration}
        session.add_all([ArchivedEvent(**event, **common) for event, _ in page])
        session.flush()
        session.add_all(
            [
                ArchiveOperation(
                    **{**operation, "id": UUID(operation["id"])},
                    **common,
                    run_id=run,
                    archived_event_id=event["id"],
                    payload_bytes=_REST["payload_bytes"],
                )
                for event, operation in page
            ]
        )

    async def write(page: Page) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, lambda: blocking.run(lambda session: work(session, page)))

    try:
        return await _written(_pages(scope, rows), write)
    finally:
        pool.shutdown()
        blocking.close()


#: Columns that the repository's statement fills.
_REST = {"payload_bytes": len(json.dumps(_PAYLOAD)), "previous_revision": ""}


async def _written(pages: list[Page], write: Callable[[Page], Awaitable[None]]) -> Told:
    units: list[float] = []
    waiting = iter(pages)

    async def lane() -> None:
        for page in waiting:
            began = now()
            await write(page)
            units.append(now() - began)

    began = now()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    # Two rows an event.
    return Told(2 * sum(len(page) for page in pages), now() - began, units)


async def _scope(database: Database) -> Scope:
    async with database.session() as session:
        make = Factory(session)
        # Processes count their people from one.
        owner = await make.user(address=f"{uuid4()}@example.com")
        run = await make.run(await make.configuration(owner))
        return run.owner_id, run.configuration_id, run.id


def _pages(scope: Scope, rows: int) -> list[Page]:
    return [
        [_event(scope[1], number) for number in range(first, first + PAGE)]
        for first in range(0, rows // 2, PAGE)
    ]


def _event(configuration: UUID, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    start, key = _START + timedelta(minutes=30 * number), f"s:event-{number:08}"
    event = {
        "id": uuid4(),
        "source_key": key,
        "archive_key": archive_key(configuration, key),
        "source_id": f"event-{number}",
        "ical_uid": f"uid-{number}",
        "original_start": start,
        "state": "creating",
        "start_at": start,
    }
    operation = {
        "id": str(uuid4()),
        "position": number,
        "source_key": key,
        "action": "create",
        "state": "planned",
        "payload": _PAYLOAD,
        "record": record(),
        "revision": f"revision-{number}",
    }
    return event, operation


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    """As JSON takes it."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in event.items()
    }


def _typed(operation: dict[str, Any]) -> dict[str, Any]:
    """As COPY takes it."""
    documents = {name: json.dumps(operation[name]) for name in ("payload", "record")}
    return operation | documents | {"id": UUID(operation["id"])}


_WAYS: dict[str, Way] = {"ours": _ours, "copy": _copy, "blocking": _blocking}

if __name__ == "__main__":
    main(_WAYS)
