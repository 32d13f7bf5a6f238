"""A database that holds two configurations of one pair is upgraded: the newer pauses (domain.md 2.19)."""

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.database import migrate
from tests.integration.database.conftest import Former
from tests.support.postgres import administrator
from tests.support.settings import make_settings

TENANT, MAILBOX = uuid4(), uuid4()
_USER = """
    INSERT INTO users (id, tenant_id, object_id, address, display_name)
    VALUES ($1, $2, $3, 'a@example.com', 'A')
"""
_CONFIGURATION = """
    INSERT INTO archive_configurations (id, tenant_id, owner_id, name, source_reference, source_mailbox_id,
           source_calendar_id, archive_reference, archive_mailbox_id, archive_calendar_id, time_zone, purpose,
           archive_from, created_at, deleted_at, active)
    VALUES ($1, $2, $3, $4, 'msgraph://a/calendar', $5, $6, 'msgraph://a/calendars/Archive', $5, $7, 'UTC',
            'general', '2026-01-01', timestamptz '2026-01-01' + $8 * interval '1 day',
            CASE WHEN $9 THEN now() END, $10)
"""
_JOB = """
    INSERT INTO jobs (id, tenant_id, owner_id, configuration_id, kind, schedule, time_zone, next_run_at,
           paused)
    VALUES (gen_random_uuid(), $1, $2, $3, $4, '{"kind": "daily", "at": "02:00"}', 'UTC', now(), $5)
"""


async def test_of_pairs_that_exist_the_newer_pauses(former: Former) -> None:
    database = await former("One configuration")
    owner, ids = uuid4(), {}
    async with administrator(database.owner) as connection:
        await connection.execute(_USER, owner, TENANT, MAILBOX)

        async def add(name: str, source: str, archive: str, day: int, **more: Any) -> None:
            ids[name] = uuid4()
            values = (ids[name], TENANT, owner, name, MAILBOX, source, archive, day)
            await connection.execute(_CONFIGURATION, *values, more.get("gone", False), more.get("on", True))
            await connection.execute(_JOB, TENANT, owner, ids[name], "archive", more.get("paused", False))

        await add("newest", "S", "A", 3, paused=True)
        await add("older", "S", "A", 1, on=False)
        await add("newer", "S", "A", 2)
        await add("deleted", "S", "A", 0, gone=True)
        await add("other source", "T", "A", 4)
        await add("other archive", "S", "B", 5)
        await connection.execute(_JOB, TENANT, owner, ids["newer"], "verify", False)

    settings = make_settings(database_url=database.user, migration_database_url=database.owner)
    assert await migrate.upgrade(settings) == migrate.newest_revision()
    assert await migrate.check(settings) == []

    async with administrator(database.owner) as connection:
        marked = await connection.fetch("SELECT id FROM archive_configurations WHERE archive_in_use")
        assert {row["id"] for row in marked} == {ids["newer"], ids["newest"]}
        jobs = await connection.fetch("SELECT configuration_id, kind, paused, waits_for_pair FROM jobs")
        paused = {
            (row["configuration_id"], row["kind"]): row["waits_for_pair"] for row in jobs if row["paused"]
        }
        # What was paused for another reason keeps that reason.
        assert paused == {
            (ids["newer"], "archive"): True,
            (ids["newer"], "verify"): True,
            (ids["newest"], "archive"): False,
        }
        told = await connection.fetch("SELECT audience, class, resource_id, text FROM notifications")
        assert {(row["audience"], row["class"], row["resource_id"]) for row in told} == {
            ("owner", "job_paused", ids["newer"]),
            ("admins", "job_paused", ids["newer"]),
        }
        (entry,) = await connection.fetch("SELECT action, resource_id, changes FROM audit_entries")
        assert (entry["action"], entry["resource_id"]) == ("job.paused", str(ids["newer"]))
        assert json.loads(entry["changes"]) == {"kinds": ["archive", "verify"], "reason": "archive_in_use"}
        again = (UUID(int=9), TENANT, owner, "again", MAILBOX, "S", "A", 9, False, True)
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(_CONFIGURATION, *again)
