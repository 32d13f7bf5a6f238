"""Writes the audit: one row for each state change, in the transaction of the change (domain.md 7.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID, uuid4

from shared import telemetry
from shared.clock import Clock
from shared.domain.audit.chain import AuditRow
from shared.domain.audit.values import separate
from shared.domain.json_object import JsonObject
from shared.services.person_keys.keys import PersonKeys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

type Outcome = Literal["success", "failure"]


class AuditFact(NamedTuple):
    """One state change. ``changes`` and ``on_behalf_of`` are as in ``AuditWriter.record``."""

    action: str
    resource_type: str
    resource_id: str
    outcome: Outcome
    changes: JsonObject
    on_behalf_of: UUID | None = None


class AuditWriter:
    """Writes who did what. Actor, correlation id and source address come from the context variables.

    Without ``keys``, personal values are withheld. They never enter the audit unencrypted.
    """

    def __init__(self, clock: Clock, keys: PersonKeys | None = None) -> None:
        self._clock = clock
        self._keys = keys

    async def record(
        self,
        session: "AsyncSession",
        action: str,
        resource_type: str,
        resource_id: UUID | str,
        changes: JsonObject,
        *,
        on_behalf_of: UUID | None = None,
        outcome: Outcome = "success",
    ) -> None:
        """Add one row in the transaction of ``session``, so it exists if and only if the change does.

        ``on_behalf_of`` is the user (our id) whose data is changed. Personal values of ``changes`` are
        encrypted with that person's key. They are withheld if no person is named or the key was destroyed.
        Secrets are redacted. A task for another person (``telemetry.ActingFor``) names and encrypts for them.
        Raises RuntimeError if no caller is bound, because nothing may change without an actor. Raises
        Unavailable if the key is needed and the key store is away.
        """
        fact = AuditFact(action, resource_type, str(resource_id), outcome, changes, on_behalf_of)
        await self.record_all(session, [fact])

    async def record_all(self, session: "AsyncSession", facts: Sequence[AuditFact]) -> None:
        """As ``record``: one row for each fact, in one statement."""
        await self.add(session, [await self.row(fact) for fact in facts])

    async def add(self, session: "AsyncSession", rows: Sequence[AuditRow]) -> None:
        """Add rows made by ``row`` to the transaction of ``session``, in one statement."""
        if rows:
            # Every service has a writer, but most requests write nothing (cold start).
            from shared.database.repositories.audit.audit import AuditRepository

            await AuditRepository(session).add(rows)

    async def row(self, fact: AuditFact) -> AuditRow:
        """The row of a fact, for the current caller. Raises as ``record`` does."""
        caller = telemetry.current_caller.get()
        if caller is None:
            raise RuntimeError(f"{fact.action}: no caller is bound")
        entry_id = uuid4()
        acting = telemetry.acting_for_person.get()
        person = (acting.person if acting is not None else None) or fact.on_behalf_of
        return {
            "id": entry_id,
            "tenant_id": caller.tenant_id,
            "occurred_at": self._clock.now(),
            "actor": caller.actor,
            "on_behalf_of": person,
            "action": fact.action,
            "resource_type": fact.resource_type,
            "resource_id": fact.resource_id,
            "outcome": fact.outcome,
            "correlation_id": telemetry.correlation_id.get() or telemetry.new_correlation_id(),
            "parent_correlation_id": telemetry.parent_correlation_id.get(),
            "source_ip": telemetry.source_ip.get(),
            "changes": await self._protected(entry_id, fact.changes, person),
        }

    async def _protected(self, entry_id: UUID, changes: JsonObject, person: UUID | None) -> JsonObject:
        kept, personal = separate(changes)
        if personal and self._keys is not None and person is not None:
            key = await self._keys.for_writing(person)
            if key is not None:
                for each in personal:
                    each.fill(key.encrypt(each.value, value_context(entry_id, each.path)))
        return kept


def value_context(entry_id: UUID, path: str) -> str:
    """The context to which an encrypted value is bound: its row and its place in the changes."""
    return f"{entry_id}{path}"
