"""A person's rules: events with this trait get this category (domain.md 3.6)."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.categories import CategoryRuleRow
from shared.database.repositories.categories.categories import CategoryRuleRepository
from shared.domain.categories.suggestions import trait_key
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.schemas.categories import CategoryRuleCreate, CategoryRuleListQuery, CategoryRuleUpdate
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.categories.naming import checked_category
from shared.services.categories.scope import writable_person
from shared.services.identity.access import Access, session_for
from shared.services.identity.ownership import readable_person
from shared.services.operation.person_limits import refuse_category_rule
from shared.services.operation.system_settings import SystemSettings


class CategoryRules:
    """Adds, reads, changes and deletes rules. Each change writes one audit row."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditWriter, settings: SystemSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._settings = settings

    async def list(self, caller: Caller, query: CategoryRuleListQuery) -> Slice[CategoryRuleRow]:
        """Rules of one person in the order they were added. Raises as ``readable_person`` does."""
        after = query.after
        async with self._database.session() as session:
            owner = await readable_person(await Access.of(session, caller), query.user_id)
            if owner is None:
                return Slice((), None)
            rows = await CategoryRuleRepository(session).list(owner.id, after, query.limit + 1)
        return Slice.cut(rows, query.limit, lambda row: Position(row.created_at, row.id))

    async def get(self, caller: Caller, rule_id: UUID) -> CategoryRuleRow:
        """One rule visible to the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            row = await CategoryRuleRepository(session).get(caller.tenant_id, rule_id, access.readable_owner)
        if row is None:
            raise _no_rule()
        return row

    async def create(self, caller: Caller, wanted: CategoryRuleCreate) -> CategoryRuleRow:
        """Add a rule. It changes nothing until its owner applies it.

        Raises NotFound, ValidationFailed naming ``match`` or ``category``, and LimitReached. Raises Conflict
        if a rule for the same match exists, or the person is deactivated.
        """
        key = trait_key(wanted.relation, wanted.match)
        if not key:
            raise ValidationFailed([FieldError("match", "says nothing to compare by", "match_empty")])
        category = checked_category("category", wanted.category)
        now = self._clock.now()
        in_force = await self._settings.of(caller.tenant_id)
        async with self._database.session() as session:
            owner = await writable_person(await Access.of(session, caller), wanted.user_id)
            rules = CategoryRuleRepository(session)
            await refuse_category_rule(session, owner.id, in_force)
            row = CategoryRuleRow(
                id=uuid4(),
                owner_id=owner.id,
                relation=wanted.relation.value,
                match=wanted.match,
                match_key=key,
                category=category,
                auto_apply=wanted.auto_apply,
                version=1,
                created_at=now,
                updated_at=now,
            )
            await rules.add(row)
            await self._record(session, row, "created", {"after": _audited(row)})
        return row

    async def update(
        self, caller: Caller, rule_id: UUID, wanted: CategoryRuleUpdate, expected: ExpectedVersion
    ) -> CategoryRuleRow:
        """Change the given fields. Raises NotFound, PreconditionFailed and ValidationFailed."""
        given = wanted.given()
        if "category" in given:
            given["category"] = checked_category("category", wanted.category)
        async with self._database.session() as session:
            row = await self._locked(session, caller, rule_id, expected)
            before = _audited(row)
            for field, value in given.items():
                setattr(row, field, value)
            after = _audited(row)
            if after != before:
                row.touch(self._clock.now())
                await session.flush()
                await self._record(session, row, "updated", {"before": before, "after": after})
        return row

    async def delete(self, caller: Caller, rule_id: UUID, expected: ExpectedVersion) -> None:
        """Delete a rule. Raises NotFound and PreconditionFailed."""
        async with self._database.session() as session:
            row = await self._locked(session, caller, rule_id, expected)
            await CategoryRuleRepository(session).delete(row.owner_id, row.id)
            await self._record(session, row, "deleted", {"before": _audited(row)})

    async def _locked(
        self, session: AsyncSession, caller: Caller, rule_id: UUID, expected: ExpectedVersion
    ) -> CategoryRuleRow:
        access = await Access.of(session, caller)
        row = await CategoryRuleRepository(session).get(
            caller.tenant_id, rule_id, access.writable_owner, lock=True
        )
        if row is None:
            raise _no_rule()
        expected.check(row.version)
        return row

    async def _record(
        self, session: AsyncSession, row: CategoryRuleRow, what: str, changes: dict[str, Any]
    ) -> None:
        await self._audit.record(
            session, f"category_rule.{what}", "category_rule", row.id, changes, on_behalf_of=row.owner_id
        )


def _audited(row: CategoryRuleRow) -> dict[str, Any]:
    # The audit treats these names as personal: a match may be a subject, and a category names a customer.
    return {
        "relation": row.relation,
        "text": row.match,
        "categories": [row.category],
        "auto_apply": row.auto_apply,
    }


def _no_rule() -> NotFound:
    return NotFound("there is no such category rule")
