"""The ``idempotency_keys`` table: answers to changes that their callers may repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy import CursorResult, delete, select, text

from shared.database.models.idempotency import IdempotencyKey
from shared.database.repositories.base import Repository

# The lock timeout must be set before the row is inserted and reset after it. As separate statements, both
# would cost more than the row.
_CLAIM = text("""
    WITH patience AS MATERIALIZED (
        SELECT current_setting('lock_timeout') AS usual, set_config('lock_timeout', :patience, true) AS short
    ), claimed AS (
        INSERT INTO idempotency_keys AS kept
               (id, tenant_id, caller, operation, key, request_hash, roles, headers, created_at)
        SELECT CAST(:id AS uuid), CAST(:tenant AS uuid), :caller, :operation, :key, CAST(:hash AS bytea),
               CAST(:roles AS text[]), '{}', CAST(:now AS timestamptz)
          FROM patience WHERE short IS NOT NULL
        ON CONFLICT (tenant_id, caller, operation, key) DO UPDATE
           SET id = excluded.id, request_hash = excluded.request_hash, roles = excluded.roles,
               owner_id = NULL, status = NULL, headers = '{}', body = NULL, created_at = excluded.created_at
         WHERE kept.created_at <= CAST(:forgotten AS timestamptz)
        RETURNING id
    )
    SELECT claimed.id, set_config('lock_timeout', patience.usual, true) FROM claimed, patience
""")
_COMPLETE = text("""
    UPDATE idempotency_keys
       SET status = :status, headers = CAST(:headers AS jsonb), body = :body, owner_id = CAST(:owner AS uuid)
     WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """Identifies a repeated change. Unique in the table."""

    tenant_id: UUID
    caller: str
    operation: str
    key: str


class IdempotencyKeyRepository(Repository):
    """The ``idempotency_keys`` table, always for one caller of one tenant."""

    async def claim(
        self,
        claim: Claim,
        request_hash: bytes,
        *,
        roles: Sequence[str],
        now: datetime,
        forgotten: datetime,
        patience: float,
    ) -> UUID | None:
        """Insert the row of a change that begins. None if one exists that was made after ``forgotten``.

        While another open transaction has inserted the same row, this waits for at most ``patience`` seconds.
        Then the database reports a lock timeout (SQLSTATE 55P03). If a row exists, that timeout stays until
        the transaction ends.
        """
        parameters = {
            "id": uuid4(),
            "tenant": claim.tenant_id,
            "caller": claim.caller,
            "operation": claim.operation,
            "key": claim.key,
            "hash": request_hash,
            "roles": list(roles),
            "now": now,
            "forgotten": forgotten,
            "patience": str(round(patience * 1000)),
        }
        return (await self._session.execute(_CLAIM, parameters)).scalar_one_or_none()

    async def find(self, claim: Claim) -> IdempotencyKey | None:
        """The completed row of an earlier change."""
        return await self._one(
            select(IdempotencyKey).where(
                IdempotencyKey.tenant_id == claim.tenant_id,
                IdempotencyKey.caller == claim.caller,
                IdempotencyKey.operation == claim.operation,
                IdempotencyKey.key == claim.key,
            )
        )

    async def complete(
        self, claimed: UUID, *, status: int, headers: Mapping[str, str], body: bytes, owner_id: UUID | None
    ) -> None:
        """Store the answer to a change in the row of :meth:`claim`."""
        given = {"id": claimed, "status": status, "body": body, "owner": owner_id}
        document = orjson.dumps(dict(headers)).decode()
        await self._session.execute(_COMPLETE, given | {"headers": document})

    async def forget_unscoped(self, until: datetime, limit: int) -> int:
        """Delete rows of every tenant that were made until then, oldest first. Returns the number."""
        oldest = (
            select(IdempotencyKey.id)
            .where(IdempotencyKey.created_at <= until)
            .order_by(IdempotencyKey.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = delete(IdempotencyKey).where(IdempotencyKey.id.in_(oldest.scalar_subquery()))
        return cast("CursorResult[Any]", await self._session.execute(statement)).rowcount
