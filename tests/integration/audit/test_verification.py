"""``audit verify``: what someone who owns the tables changed is found, at its first position."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from shared.domain.audit.chain import Fault
from shared.errors import Unavailable
from shared.services.audit import verification as audit_verification
from tests.integration.api.caller import Caller as Client
from tests.integration.api.caller import problem
from tests.integration.api.conftest import People
from tests.integration.audit.conftest import Audit
from tests.support.factories import TENANT
from tests.support.postgres import TestDatabase, administrator


@pytest.fixture
async def owner(worker_database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner of the tables, who may do what the app may not."""
    async with administrator(worker_database.owner) as connection:
        yield connection


@pytest.fixture
async def sealed(audit: Audit) -> Audit:
    """Six sealed rows."""
    for number in range(6):
        await audit.write(changes={"number": number})
    await audit.sealer.seal()
    return audit


@pytest.mark.parametrize(
    ("statement", "position", "fault"),
    [
        (
            "UPDATE audit_entries SET actor = 'user:x' WHERE id = (SELECT audit_id FROM audit_seals"
            " WHERE position = 4)",
            4,
            Fault.CHANGED_ROW,
        ),
        (
            "UPDATE audit_entries SET changes = changes || '{\"number\": 9}' WHERE id ="
            " (SELECT audit_id FROM audit_seals WHERE position = 2)",
            2,
            Fault.CHANGED_ROW,
        ),
        (
            "UPDATE audit_entries SET occurred_at = occurred_at + interval '1 microsecond'",
            1,
            Fault.CHANGED_ROW,
        ),
        (
            "DELETE FROM audit_entries WHERE id = (SELECT audit_id FROM audit_seals WHERE position = 3)",
            3,
            Fault.MISSING_ROW,
        ),
        ("DELETE FROM audit_seals WHERE position = 5", 5, Fault.MISSING_POSITION),
        ("DELETE FROM audit_seals WHERE position = 1", 1, Fault.MISSING_POSITION),
        ("UPDATE audit_seals SET hash = repeat('0', 64) WHERE position = 3", 3, Fault.CHANGED_ROW),
        ("UPDATE audit_seals SET previous_hash = repeat('1', 64) WHERE position = 6", 6, Fault.BROKEN_LINK),
        (
            "UPDATE audit_seals SET audit_id = gen_random_uuid() WHERE position = 2",
            2,
            Fault.MISSING_ROW,
        ),
    ],
)
@pytest.mark.parametrize("batch", [2, 1000])
async def test_tampering_is_found_at_its_first_position(
    sealed: Audit,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    position: int,
    fault: Fault,
    batch: int,
) -> None:
    monkeypatch.setattr(audit_verification, "BATCH_ROWS", batch)
    assert (await sealed.verify()).intact
    await owner.execute(statement)
    found = await sealed.verify()
    assert not found.intact
    assert found.broken is not None
    assert (found.broken.position, found.broken.reason_code) == (position, fault.value)
    assert found.sealed == position - 1


async def test_a_chain_whose_end_was_cut_off_is_found_by_a_known_end(
    sealed: Audit, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    end = (await sealed.verify()).end_hash
    assert (await sealed.verify(position=6, hash=end)).intact
    (kept,) = (tmp_path / "storage" / "audit-anchors").iterdir()
    kept.unlink()
    await owner.execute(
        "WITH gone AS (DELETE FROM audit_seals WHERE position > 4 RETURNING audit_id)"
        " DELETE FROM audit_entries USING gone WHERE id = gone.audit_id"
    )
    assert (await sealed.verify()).intact
    found = await sealed.verify(position=6, hash=end)
    assert found.broken is not None
    assert (found.intact, found.broken.position, found.broken.reason_code) == (False, 6, "known_end")


async def test_the_unsealed_tail_is_reported(sealed: Audit) -> None:
    await sealed.write(rows=2)
    found = await sealed.verify()
    (newest, oldest) = (await sealed.read(limit=2))[:2]
    assert (found.intact, found.sealed, found.unsealed) == (True, 6, 2)
    assert found.oldest_unsealed_at == oldest.occurred_at <= newest.occurred_at


async def test_an_empty_audit_holds(audit: Audit) -> None:
    found = await audit.verify()
    assert (found.intact, found.sealed, found.end_hash, found.unsealed) == (True, 0, None, 0)


@pytest.mark.parametrize("table", ["audit_entries", "audit_seals"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"]
)
async def test_the_app_cannot_change_the_record(
    sealed: Audit, worker_database: TestDatabase, table: str, statement: str
) -> None:
    async with administrator(worker_database.user) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(table))
    assert (await sealed.verify()).intact


async def test_admins_and_auditors_verify_over_http_and_users_may_not(api: Client, people: People) -> None:
    await api.app.operation.audit_sealer.seal()
    for token in (people.admin, people.auditor):
        found = (await api("GET", "v1/audit/verification", token=token)).json
        assert (found["intact"], found["sealed"], found["broken"], found["unsealed"]) == (True, 2, None, 0)
        again = await api("GET", "v1/audit/verification", token=token, position=2, hash=found["end_hash"])
        assert again.json["intact"] is True
    problem(await api("GET", "v1/audit/verification", token=people.ada.token), 403)
    refused = await api("GET", "v1/audit/verification", token=people.admin, position=2)
    problem(refused, 422)
    assert refused.fields == ["hash"]


async def test_another_tenants_chain_is_not_looked_at(sealed: Audit, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE audit_entries SET tenant_id = $1", uuid4())
    found = await sealed.verify()
    assert found.broken is not None
    assert (found.broken.position, found.unsealed) == (1, 0)


class TestKeptEnd:
    """The end of the chain is in storage, which the owner of the tables cannot reach."""

    async def test_a_cut_end_is_found(self, sealed: Audit, owner: asyncpg.Connection) -> None:
        await _cut(owner, after=4)
        found = await sealed.verify()
        assert (found.intact, found.sealed) == (False, 4)
        assert found.broken is not None
        assert (found.broken.position, found.broken.reason_code) == (6, "kept_end")

    async def test_a_chain_that_grows_again_hides_nothing(
        self, sealed: Audit, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        await _cut(owner, after=4)
        await sealed.write(rows=5)
        await sealed.sealer.seal()
        assert "does not hold position 6" in caplog.text
        found = await sealed.verify()
        assert found.broken is not None
        assert (found.broken.position, found.broken.reason_code) == (6, "kept_end")

    async def test_each_seal_moves_it_on(self, sealed: Audit, owner: asyncpg.Connection) -> None:
        await sealed.write(rows=2)
        await sealed.sealer.seal()
        kept = await sealed.anchors.read(TENANT)
        assert kept is not None
        assert kept.position == 8
        assert (await sealed.verify()).intact

    async def test_a_damaged_file_is_told_and_sealing_continues(self, sealed: Audit, tmp_path: Path) -> None:
        (file,) = (tmp_path / "storage" / "audit-anchors").iterdir()
        for damage in (b"", b"[]", b'{"position": "x", "hash": ""}'):
            file.write_bytes(damage)
            await sealed.write()
            assert await sealed.sealer.seal() == 1
            found = await sealed.verify()
            assert found.broken is not None
            assert found.broken.reason_code == "kept_end"

    async def test_storage_that_is_away_keeps_no_row_unsealed(
        self, sealed: Audit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> bytes:
            raise Unavailable("the storage does not answer", retry_after=5)

        with monkeypatch.context() as patched:
            patched.setattr(sealed.storage, "read", away)
            await sealed.write()
            assert await sealed.sealer.seal() == 1
        await sealed.write()
        await sealed.sealer.seal()
        kept = await sealed.anchors.read(TENANT)
        assert kept is not None
        assert kept.position == 8
        assert (await sealed.verify()).intact


async def _cut(owner: asyncpg.Connection, *, after: int) -> None:
    rows = "SELECT audit_id FROM audit_seals WHERE position > $1"
    cut = [row["audit_id"] for row in await owner.fetch(rows, after)]
    await owner.execute("DELETE FROM audit_seals WHERE position > $1", after)
    await owner.execute("DELETE FROM audit_entries WHERE id = ANY($1)", cut)
