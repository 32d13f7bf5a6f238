"""Answers to changes that their callers may repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.models.idempotency import IdempotencyKey
from shared.database.repositories.base import Repository

_WAIT_AT_MOST = text("SELECT set_config('lock_timeout', :milliseconds, true)")
_WAIT_AS_USUAL = text("SET LOCAL lock_timeout TO DEFAULT")


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose repetition of what: unique in the table."""

    tenant_id: UUID
    caller: str
    operation: str
    key: str


class IdempotencyKeyRepository(Repository):
    """The ``idempotency_keys`` table, always within one caller of one tenant."""

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
        """Insert the row of a change that begins; None if there is one that was made after ``forgotten``.

        While another transaction has inserted the same and is open, this waits, for ``patience`` seconds at
        most: then the database reports a lock timeout (SQLSTATE 55P03).
        """
        row = {
            "id": uuid4(),
            "tenant_id": claim.tenant_id,
            "caller": claim.caller,
            "operation": claim.operation,
            "key": claim.key,
            "request_hash": request_hash,
            "roles": list(roles),
            "owner_id": None,
            "status": None,
            "headers": {},
            "body": None,
            "created_at": now,
        }
        replaced = {name: value for name, value in row.items() if name not in _UNIQUE}
        statement = (
            insert(IdempotencyKey)
            .values(row)
            .on_conflict_do_update(
                index_elements=_UNIQUE, set_=replaced, where=IdempotencyKey.created_at <= forgotten
            )
            .returning(IdempotencyKey.id)
        )
        await self._session.execute(_WAIT_AT_MOST, {"milliseconds": str(round(patience * 1000))})
        inserted = (await self._session.execute(statement)).scalar_one_or_none()
        await self._session.execute(_WAIT_AS_USUAL)
        return inserted

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
        """Keep the answer to a change in the row of :meth:`claim`."""
        values: dict[str, Any] = {"status": status, "headers": dict(headers), "body": body}
        await self._session.execute(
            update(IdempotencyKey).where(IdempotencyKey.id == claimed).values(values | {"owner_id": owner_id})
        )

    async def forget_unscoped(self, until: datetime, limit: int) -> int:
        """Delete rows of every tenant made until then, oldest first; returns how many they were."""
        oldest = (
            select(IdempotencyKey.id)
            .where(IdempotencyKey.created_at <= until)
            .order_by(IdempotencyKey.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = delete(IdempotencyKey).where(IdempotencyKey.id.in_(oldest.scalar_subquery()))
        return cast("CursorResult[Any]", await self._session.execute(statement)).rowcount


_UNIQUE = ("tenant_id", "caller", "operation", "key")
