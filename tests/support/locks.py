"""Waiting for somebody to wait for a lock."""

import asyncio
from typing import Any

from sqlalchemy import text

from shared.database.engine import Database

_WAITING = text("""
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


async def until_blocked(database: Database, task: asyncio.Task[Any]) -> None:
    """Return once a connection waits for a lock; fails if the task is over without."""
    while True:
        async with database.session() as session:
            if (await session.execute(_WAITING)).scalar_one():
                return
        assert not task.done(), "it waited for nothing"
        await asyncio.sleep(0.01)
