"""A database with archives of others' calendars is upgraded: they wait for an approval (domain.md 6.5)."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.database import migrate
from tests.integration.database.conftest import Former
from tests.support.postgres import administrator
from tests.support.settings import make_settings

TENANT, ADA, BOB = uuid4(), uuid4(), uuid4()
_USER = """
    INSERT INTO users (id, tenant_id, object_id, address, display_name) VALUES ($1, $2, $3, $4, 'A')
"""
_CONFIGURATION = """
    INSERT INTO archive_configurations (id, tenant_id, owner_id, name, source_reference, source_mailbox_id,
           source_calendar_id, archive_reference, archive_mailbox_id, archive_calendar_id, time_zone, purpose,
           archive_from)
    VALUES ($1, $2, $3, $4, 'msgraph://a/calendar', $5, 'S' || $4, 'msgraph://a/calendars/Archive', $6,
            'A' || $4, 'UTC', 'general', '2026-01-01')
"""
_EVENT = """
    INSERT INTO archived_events (id, owner_id, configuration_id, source_key, archive_key, source_id, ical_uid,
           original_start, state, start_at)
    VALUES ($1, $2, $3, $4, $4, $4, $4, now(), 'present', now())
"""
_APPOINTMENT = """
    INSERT INTO appointments (id, owner_id, configuration_id, archived_event_id, subject, body, body_type,
           start_at, end_at, start_zone, end_zone, is_all_day, location, categories, show_as, importance,
           sensitivity, is_cancelled, is_declined, organizer, attendees, attachment_count, ical_uid, revision)
    VALUES (gen_random_uuid(), $1, $2, $3, $4, $4, 'text', now(), now(), 'UTC', 'UTC', false, $4, ARRAY[$4],
            'busy', 'normal', $5, false, false, NULL, '[]', 0, 'uid', 'revision')
"""


async def archive(connection: Any, owner: UUID, name: str, source: UUID, archive_in: UUID) -> UUID:
    """An archive with a private and a normal event."""
    configuration = uuid4()
    await connection.execute(_CONFIGURATION, configuration, TENANT, owner, name, source, archive_in)
    for sensitivity in ("private", "normal"):
        event = uuid4()
        await connection.execute(_EVENT, event, owner, configuration, f"{name} {sensitivity}")
        await connection.execute(_APPOINTMENT, owner, configuration, event, f"{name} text", sensitivity)
    return configuration


async def test_archives_of_others_wait_for_an_approval_and_hold_private_events_masked(
    former: Former,
) -> None:
    database = await former("The mailbox of origin")
    ada, bob = uuid4(), uuid4()
    async with administrator(database.owner) as connection:
        await connection.execute(_USER, ada, TENANT, ADA, "ada@example.com")
        await connection.execute(_USER, bob, TENANT, BOB, "bob@example.com")
        own = await archive(connection, ada, "own", ADA, ADA)
        over = await archive(connection, bob, "over", ADA, BOB)

    settings = make_settings(database_url=database.user, migration_database_url=database.owner)
    assert await migrate.upgrade(settings) == migrate.newest_revision()

    async with administrator(database.owner) as connection:
        rows = await connection.fetch(
            "SELECT id, names_another, open_until <= now() AS closed FROM archive_configurations"
        )
        found = {row["id"]: (row["names_another"], row["closed"]) for row in rows}
        assert found == {own: (False, None), over: (True, True)}
        held = await connection.fetch(
            "SELECT configuration_id, subject, body, origin_mailbox_id FROM appointments"
        )
        texts = sorted((row["configuration_id"] == over, row["subject"], row["body"]) for row in held)
        assert texts == [
            (False, "own text", "own text"),
            (False, "own text", "own text"),
            (True, "Private", ""),
            (True, "over text", "over text"),
        ]
        assert {row["origin_mailbox_id"] for row in held} == {ADA}
        (asked,) = await connection.fetch("SELECT configuration_id, person_id, state FROM mailbox_approvals")
        assert (asked["configuration_id"], asked["person_id"], asked["state"]) == (over, ADA, "requested")
        told = await connection.fetch("SELECT owner_id, audience FROM notifications")
        assert {(row["owner_id"], row["audience"]) for row in told} == {
            (bob, "admins"),
            (bob, "owner"),
            (ada, "owner"),
        }
        # The version before still writes while this one is rolled out: the database tells whose event it is.
        event = uuid4()
        await connection.execute(_EVENT, event, bob, over, "late")
        origin = await connection.fetchval(
            "SELECT origin_mailbox_id FROM archived_events WHERE id = $1", event
        )
        assert origin == ADA
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(
                "INSERT INTO mailbox_approvals SELECT (jsonb_populate_record(a, jsonb_build_object('id',"
                " gen_random_uuid()))).* FROM mailbox_approvals a"
            )
