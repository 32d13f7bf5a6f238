"""Sizes of the database's pool and of Graph's connection limit, tried one after another.

The pool: our list and get at several numbers of clients, for each size and overflow. Graph: windows of forty
mailboxes read at once, four requests to each, for each limit of connections.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from infra.local import identities
from infra.local.stack import Stack
from shared.graph import client as graph_client
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.settings import Settings
from tests.benchmarks import load
from tests.benchmarks.api import LIFTED, asked_of_ours
from tests.benchmarks.frameworks import query
from tests.benchmarks.seeding import Person, add_people
from tests.benchmarks.ways import now
from tests.support.system import System

#: Connections kept, and more of them at a peak.
POOLS = ((2, 0), (5, 0), (5, 5), (10, 0), (20, 0))
CONNECTIONS = (4, 16, 50, 100, 200)
_CLIENTS = (16, 64, 200)
_MAILBOXES = 40
_EVENTS = 50
_LATENCY_MS = 50.0


async def measure(seconds: float = 1.5) -> list[dict[str, Any]]:
    """A row for each size tried."""
    return [*await _pools(seconds), *await _connections()]


async def _pools(seconds: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    persons: list[Person] = []
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        for size, overflow in POOLS:
            settings = {
                "ADMIN_ASSISTANT_DATABASE_POOL_SIZE": str(size),
                "ADMIN_ASSISTANT_DATABASE_MAX_OVERFLOW": str(overflow),
                "ADMIN_ASSISTANT_DATABASE_POOL_TIMEOUT": "30",
            }
            async with Stack(Path(folder) / "state", env=LIFTED | settings) as stack:
                if not persons:
                    persons = await add_people(stack.database_url, max(_CLIENTS), query.PAGE, query.START)
                asked = await asked_of_ours(stack, persons)
                await load.drive(stack.port, asked["list"][:16], seconds, stack.host_pid)
                for clients in _CLIENTS:
                    row: dict[str, Any] = {"pool": size, "overflow": overflow, "clients": clients}
                    for name, requests in asked.items():
                        row[name] = (
                            await load.drive(stack.port, requests[:clients], seconds, stack.host_pid)
                        ).row()
                    rows.append(row)
    return rows


async def _connections() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with Stack(Path(folder) / "state", latency_ms=_LATENCY_MS) as stack:
            system = await System.of(stack)
            for number in range(_MAILBOXES):
                await system.add_mailbox(f"sweep-{number}", _EVENTS)
            os.environ.update(stack.host_environment())
            return [await _connected(limit) for limit in CONNECTIONS]


async def _connected(limit: int) -> dict[str, Any]:
    chosen, graph_client._MAX_CONNECTIONS = graph_client._MAX_CONNECTIONS, limit
    client = GraphClient.create(Settings())
    calendars = CalendarAdapter(client)
    mailboxes = [identities.object_id(f"sweep-{number}@example.com") for number in range(_MAILBOXES)]
    try:
        # The token, the client and its first connection are not what is compared.
        await calendars.list_calendars(mailboxes[0])
        began = now()
        await asyncio.gather(*(calendars.list_calendars(each) for each in mailboxes for _ in range(8)))
        spent = now() - began
    finally:
        await client.close()
        graph_client._MAX_CONNECTIONS = chosen
    return {"graph_connections": limit, "requests_per_second": round(_MAILBOXES * 8 / spent, 1)}
