"""Which rows of which tables belong to a person, for export and erasure (domain.md 15).

The tables themselves show it: ``owner_id`` names the person, or a foreign key leads to one of their rows. All
other cases are in the register below. A table without any of these raises ``LookupError``, so that no export
or erasure is incomplete.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKeyConstraint,
    MetaData,
    Table,
    Text,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.counting import why_not_sql
from shared.database.models.metadata import METADATA


@dataclass(frozen=True, slots=True)
class DataSubject:
    """The person to search for: our id, Entra's ids, and their names."""

    id: UUID
    tenant_id: UUID
    object_id: UUID
    address: str
    display_name: str

    @property
    def actor(self) -> str:
        """The person's name as a caller."""
        return f"user:{self.object_id}"


#: A row of any table that holds data of people, as it is held.
type HeldRow = dict[str, Any]
type Mine = Callable[[DataSubject], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Holding:
    """A person's part of a table. ``kept`` says why the erasure leaves it. Otherwise it is empty."""

    table: Table
    mine: Mine
    kept: str = ""

    @property
    def name(self) -> str:
        """The table's name."""
        # SQLAlchemy's own kind of str is no JSON key.
        return str(self.table.name)


_T: Final = METADATA.tables
_APPOINTMENTS, _ENTRIES = _T["appointments"], _T["archived_events"]
_ENTRY_OF_APPOINTMENT = _ENTRIES.c.id == _APPOINTMENTS.c.archived_event_id
_WHY_NOT: ColumnElement[str | None] = literal_column(why_not_sql("appointments", "archived_events"), Text)
_VERDICT: Final = (_WHY_NOT.is_(None).label("counts"), _WHY_NOT.label("reason_code"))


def _register() -> dict[str, Holding]:
    """Tables for which ``owner_id`` is not the whole truth."""
    users, gates, keys = _T["users"], _T["mailbox_gates"], _T["idempotency_keys"]
    invitations, audit, erasures = _T["invitations"], _T["audit_entries"], _T["user_erasures"]
    sightings, assistants = _T["admin_sightings"], _T["mailbox_assistants"]
    mail = _T["mail_outbox"]

    def invited(person: DataSubject) -> ColumnElement[bool]:
        address = func.lower(invitations.c.address) == func.lower(person.address)
        return or_(
            invitations.c.user_id == person.id, (invitations.c.tenant_id == person.tenant_id) & address
        )

    def asked(person: DataSubject) -> ColumnElement[bool]:
        caller = (keys.c.tenant_id == person.tenant_id) & (keys.c.caller == person.actor)
        return or_(keys.c.owner_id == person.id, caller)

    return {
        holding.name: holding
        for holding in (
            Holding(users, lambda person: users.c.id == person.id),
            Holding(gates, lambda person: gates.c.mailbox_id == person.object_id),
            Holding(keys, asked),
            Holding(invitations, invited),
            Holding(
                sightings,
                lambda person: (
                    (sightings.c.tenant_id == person.tenant_id) & (sightings.c.object_id == person.object_id)
                ),
            ),
            Holding(
                assistants,
                lambda person: (
                    (assistants.c.tenant_id == person.tenant_id)
                    & or_(
                        assistants.c.mailbox_id == person.object_id,
                        assistants.c.assistant_id == person.object_id,
                    )
                ),
            ),
            Holding(
                mail,
                lambda person: (
                    (mail.c.tenant_id == person.tenant_id) & (mail.c.person_id == person.object_id)
                ),
            ),
            Holding(
                audit,
                lambda person: audit.c.on_behalf_of == person.id,
                kept="the audit stays; without the person's key nobody can read what is personal in it",
            ),
            Holding(
                erasures,
                lambda person: erasures.c.user_id == person.id,
                kept="that they were erased, and what was deleted, is told by counts alone",
            ),
        )
    }


def held_by_others() -> tuple[tuple[str, Holding], ...]:
    """What others' archives hold of a person's calendar, and the reason, by file name (6.5).

    The erasure's list does not contain it, because the erasure selects by the mailbox of origin (domain.md
    15.3).
    """
    approvals = _T["mailbox_approvals"]
    events = _APPOINTMENTS.c

    def archived(person: DataSubject) -> ColumnElement[bool]:
        return (events.origin_mailbox_id == person.object_id) & (events.owner_id != person.id)

    def asked(person: DataSubject) -> ColumnElement[bool]:
        return (
            (approvals.c.tenant_id == person.tenant_id)
            & (approvals.c.person_id == person.object_id)
            & (approvals.c.owner_id != person.id)
        )

    return (
        ("archived-by-others.jsonl", Holding(_APPOINTMENTS, archived)),
        ("approvals-of-others.jsonl", Holding(approvals, asked)),
    )


#: Tables without any person's data, and why.
NOBODYS: Final[Mapping[str, str]] = {
    "audit_seals": "hashes of audit rows",
    "system_settings": "choices of a tenant; who made them is an object id",
    "tenants": "organisations",
}


def holdings(metadata: MetaData | None = None) -> tuple[Holding, ...]:
    """Every table with data of persons, in an order that respects references.

    Raises LookupError naming the tables without a known owner.
    """
    return _holdings(metadata or METADATA)


@cache
def _holdings(metadata: MetaData) -> tuple[Holding, ...]:
    register = _register()
    found: dict[str, Holding] = {}
    unknown = []
    for table in metadata.sorted_tables:
        holding = register.get(table.name) or _by_owner(table) or _by_parent(table, found)
        if holding is not None:
            found[table.name] = holding
        elif table.name not in NOBODYS:
            unknown.append(table.name)
    if unknown:
        raise LookupError(f"whose are the rows of {', '.join(unknown)}?")
    return tuple(reversed(found.values()))


def _by_owner(table: Table) -> Holding | None:
    if "owner_id" not in table.c:
        return None
    return Holding(table, lambda person: table.c.owner_id == person.id)


def _by_parent(table: Table, known: Mapping[str, Holding]) -> Holding | None:
    """Rows with a non-null foreign key to a row of the person."""
    for key in sorted(table.foreign_key_constraints, key=lambda each: str(each.name)):
        parent = known.get(key.referred_table.name)
        if parent is not None and not any(column.nullable for column in key.columns):
            return Holding(table, lambda person, key=key, parent=parent: _child_of(key, parent, person))  # type: ignore[misc]
    return None


def _child_of(key: ForeignKeyConstraint, parent: Holding, person: DataSubject) -> ColumnElement[bool]:
    referred = [element.column for element in key.elements]
    return tuple_(*key.columns).in_(select(*referred).where(parent.mine(person)))


class PersonDataRepository:
    """A person's rows in any table. Every statement names the person."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def count(self, holding: Holding, person: DataSubject) -> int:
        """How many rows of the table belong to the person."""
        statement = select(func.count()).select_from(holding.table).where(holding.mine(person))
        return int((await self._session.execute(statement)).scalar_one())

    async def page(
        self, holding: Holding, person: DataSubject, after: Sequence[Any] | None, limit: int
    ) -> list[HeldRow]:
        """The person's rows by primary key, after ``after``. An appointment says whether it counts (2.18)."""
        key = tuple(holding.table.primary_key.columns)
        statement = select(holding.table).where(holding.mine(person)).order_by(*key).limit(limit)
        if holding.name == _APPOINTMENTS.name:
            statement = statement.add_columns(*_VERDICT).join(_ENTRIES, _ENTRY_OF_APPOINTMENT)
        if after is not None:
            statement = statement.where(tuple_(*key) > tuple(after))
        return [dict(row) for row in (await self._session.execute(statement)).mappings()]

    async def delete_some(self, holding: Holding, person: DataSubject, limit: int) -> int:
        """Delete at most ``limit`` of the person's rows. Returns the number. Zero means that none is left."""
        table = holding.table
        key = tuple(table.primary_key.columns)
        chosen = select(*key).where(holding.mine(person))
        for reference in table.foreign_key_constraints:
            if reference.referred_table is table:
                # Rows of one table that refer to each other are deleted from the end of a chain to its start.
                other = table.alias()
                pairs = [
                    other.c[element.parent.name] == table.c[element.column.name]
                    for element in reference.elements
                ]
                chosen = chosen.where(~select(1).select_from(other).where(*pairs).exists())
        removal = delete(table).where(tuple_(*key).in_(chosen.limit(limit)))
        return int(getattr(await self._session.execute(removal), "rowcount", 0))
