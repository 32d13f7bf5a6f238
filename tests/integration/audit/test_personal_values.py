"""Personal values of the audit: readable with the person's key, by nobody without it (domain.md 15.3)."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.clock import SystemClock
from shared.errors import Unavailable
from shared.schemas.audit import AuditEntryResource
from shared.services.audit.recording import AuditWriter
from shared.services.audit.trail import AuditTrail
from shared.services.person_keys.keys import PersonKeys
from shared.services.person_keys.stores import FolderKeyStore
from tests.integration.audit.conftest import Audit

APPOINTMENT: dict[str, Any] = {
    "subject": "Budget with Grace",
    "body": "<p>Numbers</p>",
    "location": "Room 4",
    "categories": ["Initech - billable"],
    "organizer": {"name": "Grace Hopper", "address": "grace@example.com"},
    "attendees": [{"name": "Ada Lovelace", "address": "ada@example.com"}],
    "sensitivity": "normal",
    "show_as": "busy",
    "start_at": "2026-03-02T09:00:00+00:00",
}


def after(entry: AuditEntryResource) -> dict[str, Any]:
    """What the changed fields hold since."""
    return {each.field: each.after for each in entry.changes}


PERSONAL = ("Budget", "Numbers", "Room 4", "Initech", "Grace", "grace@", "Lovelace", "ada@")


async def test_the_database_holds_no_personal_value_and_an_auditor_reads_them_all(audit: Audit) -> None:
    ada, _ = await audit.person()
    changes = {"before": APPOINTMENT, "after": APPOINTMENT | {"subject": "Budget, again"}}
    await audit.write(ada, changes)
    stored = await audit.stored()
    assert not [value for value in PERSONAL if value in stored]
    assert "busy" in stored
    (entry,) = await audit.read()
    (changed,) = entry.changes
    assert (changed.field, changed.before, changed.after) == ("subject", "Budget with Grace", "Budget, again")


async def test_equal_values_do_not_look_equal(audit: Audit) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"before": {"address": "a@b.example"}, "after": {"address": "a@b.example"}})
    (entry,) = (await audit.stored()).splitlines()
    assert len(set(entry.split('"$encrypted": ')[1:])) == 2


async def test_secrets_are_kept_for_nobody(audit: Audit) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"after": {"client_secret": "hunter2", "note": "x", "detail": "password=hunter2"}})
    assert "hunter2" not in await audit.stored()
    (entry,) = await audit.read()
    assert after(entry) == {"client_secret": "[redacted]", "note": "x", "detail": "[redacted]"}


async def test_erasing_a_person_makes_their_values_unreadable_and_leaves_the_chain_whole(
    audit: Audit,
) -> None:
    ada, _ = await audit.person()
    bob, _ = await audit.person()
    for person in (ada, bob):
        await audit.write(person, {"after": APPOINTMENT})
    await audit.sealer.seal()
    await audit.keys.destroy(ada)
    assert (await audit.verify()).intact
    (erased,) = await audit.read(user_id=ada)
    assert after(erased)["subject"] == "[erased]"
    assert after(erased)["attendees"] == "[erased]"
    assert after(erased)["start"] == APPOINTMENT["start_at"]
    (other,) = await audit.read(user_id=bob)
    assert after(other) == {"start": APPOINTMENT["start_at"]} | {
        name: value for name, value in APPOINTMENT.items() if name != "start_at"
    }


async def test_an_erased_person_never_gets_a_second_key(audit: Audit) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"after": APPOINTMENT})
    await audit.keys.destroy(ada)
    await audit.keys.destroy(ada)
    await audit.write(ada, {"after": {"subject": "Afterwards", "sensitivity": "normal"}})
    assert "Afterwards" not in await audit.stored()
    newest, _ = await audit.read()
    assert after(newest)["subject"] == "[withheld]"


async def test_a_value_moved_to_another_row_or_field_is_not_readable(audit: Audit) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"after": {"address": "ada@example.com", "display_name": "Ada"}})
    (entry,) = await audit.read()
    swapped = text(
        "INSERT INTO audit_entries SELECT :id, tenant_id, now(), actor, on_behalf_of, action, resource_type,"
        " resource_id, outcome, correlation_id, parent_correlation_id, source_ip,"
        " jsonb_build_object('after', jsonb_build_object('address', changes->'after'->'display_name',"
        " 'display_name', '{\"$encrypted\": \"AAAA\"}'::jsonb)) FROM audit_entries WHERE id = :old"
    )
    async with audit.database.session() as session:
        await session.execute(swapped, {"id": uuid4(), "old": entry.id})
    forged, _ = await audit.read()
    assert after(forged) == {"address": "[unreadable]", "display_name": "[unreadable]"}


async def test_without_a_person_or_a_store_personal_values_are_not_kept(audit: Audit) -> None:
    ada, _ = await audit.person()
    await audit.write(None, {"after": {"address": "ada@example.com", "active": True}})
    audit.writer = AuditWriter(audit.clock)
    await audit.write(ada, {"after": {"address": "ada@example.com", "active": True}})
    assert "ada@example.com" not in await audit.stored()
    for entry in await audit.read():
        assert after(entry) == {"address": "[withheld]", "active": True}


async def test_a_lost_key_is_told_from_a_destroyed_one(audit: Audit, tmp_path: Any) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"after": {"address": "ada@example.com"}})
    elsewhere = PersonKeys(FolderKeyStore(tmp_path / "other"), SystemClock())
    for keys in (elsewhere, None):
        audit.trail = AuditTrail(audit.database, keys)
        (entry,) = await audit.read()
        assert after(entry)["address"] == "[unreadable]"


class AwayStore(FolderKeyStore):
    """A store that can be away."""

    away = False

    async def read(self, person: Any) -> bytes | None:
        """The key, or Unavailable."""
        if self.away:
            raise Unavailable("away")
        return await super().read(person)


class MovedClock(SystemClock):
    """A clock five minutes ahead, once told so."""

    ahead = False

    def now(self) -> Any:
        """The instant."""
        from datetime import timedelta

        return super().now() + timedelta(minutes=5 * self.ahead)


async def test_no_change_is_made_whose_audit_cannot_be_protected(audit: Audit, tmp_path: Any) -> None:
    ada, _ = await audit.person()
    store, clock = AwayStore(tmp_path / "away"), MovedClock()
    store.away = True
    audit.writer = AuditWriter(audit.clock, PersonKeys(store, clock))
    with pytest.raises(Unavailable):
        await audit.write(ada, {"after": {"address": "ada@example.com"}})
    await audit.write(ada, {"after": {"active": False}})
    assert len(await audit.read()) == 1


async def test_a_remembered_key_serves_writers_while_the_store_is_away_but_no_reader(
    audit: Audit, tmp_path: Any
) -> None:
    ada, _ = await audit.person()
    store, clock = AwayStore(tmp_path / "away"), MovedClock()
    keys = PersonKeys(store, clock)
    audit.writer, audit.trail = AuditWriter(audit.clock, keys), AuditTrail(audit.database, keys)
    await audit.write(ada, {"after": {"address": "ada@example.com"}})
    store.away = clock.ahead = True
    await audit.write(ada, {"after": {"address": "ada@example.org"}})
    with pytest.raises(Unavailable):
        await audit.read()
    store.away = False
    assert [after(e)["address"] for e in await audit.read()] == [
        "ada@example.org",
        "ada@example.com",
    ]


async def test_another_worker_learns_of_an_erasure_within_minutes(audit: Audit, tmp_path: Any) -> None:
    ada, _ = await audit.person()
    await audit.write(ada, {"after": {"address": "ada@example.com"}})
    clock = MovedClock()
    audit.trail = AuditTrail(audit.database, PersonKeys(FolderKeyStore(tmp_path / "keys"), clock))
    (entry,) = await audit.read()
    assert after(entry)["address"] == "ada@example.com"
    await audit.keys.destroy(ada)
    clock.ahead = True
    (entry,) = await audit.read()
    assert after(entry)["address"] == "[erased]"
