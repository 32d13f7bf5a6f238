"""A row of a person in every table, whatever tables there are; each text of it can be found again."""

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    insert,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, Range
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.database.engine import Database
from shared.database.models.metadata import METADATA
from shared.database.models.users import User
from shared.database.repositories.people.person_data import NOBODYS, holdings

SECRET = "Lovelace's secret"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
_CHOICES = re.compile(r"(\w+)\s+IN\s+\(([^)]*)\)")
_LATER = re.compile(r"end|until|expires|finished")
#: What the texts of a table are not free to be.
_PATTERNS = {
    ("local_categories", "color"): "preset1",
    ("archive_configurations", "source_reference"): "msgraph://augusta@example.com/calendar",
    ("archive_configurations", "archive_reference"): "msgraph://augusta@example.com/calendars/A",
    ("period_locks", "reopened_at"): START,
    ("break_glass_accesses", "closed_at"): START,
    ("user_exports", "state"): "failed",
    ("user_erasures", "state"): "withdrawn",
    ("archive_runs", "state"): "completed",
}
#: What must not appear afterwards, though it is told apart from the texts.
NEEDLES = (SECRET, "augusta@example.com", "Augusta", "Lovelace")


async def fill(database: Database, user: User) -> dict[str, int]:
    """Insert a row into every table that holds something of persons; how many rows of each there are now."""
    made: dict[str, dict[str, Any]] = {"users": {"id": user.id}}
    covered = {holding.name for holding in holdings()} - {"users", "audit_entries", "user_erasures"}
    async with database.session() as session:
        for table in METADATA.sorted_tables:
            if table.name in covered:
                row = _row(table, user, made)
                await session.execute(insert(table).values(row))
                made[table.name] = row
    return dict.fromkeys(covered, 1)


def _row(table: Table, user: User, made: dict[str, dict[str, Any]]) -> dict[str, Any]:
    choices = _choices(table)
    row: dict[str, Any] = {}
    for column in table.columns:
        given = (table.name, column.name)
        if given in _PATTERNS:
            row[column.name] = _PATTERNS[given]
        elif given == ("action_item_events", "archived_event_id"):
            # What is archived of an item is a row of the map.
            row[column.name] = made["archived_events"]["id"]
        elif column.name == "owner_id":
            row[column.name] = user.id
        elif column.foreign_keys:
            row[column.name] = _parent(table, column, made)
        elif column.name in choices:
            row[column.name] = None if column.nullable else choices[column.name][0]
        elif column.name == "tenant_id":
            row[column.name] = user.tenant_id
        elif column.name in ("mailbox_id", "origin_mailbox_id") or given == ("mail_outbox", "person_id"):
            row[column.name] = user.object_id
        else:
            row[column.name] = _value(table, column)
    return row


def _parent(table: Table, column: Column[Any], made: dict[str, dict[str, Any]]) -> Any:
    other = next(iter(column.foreign_keys)).column
    if other.table is table or (column.nullable and other.table.name != "users"):
        return None
    return made[other.table.name][other.name]


def _choices(table: Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            for name, values in _CHOICES.findall(str(constraint.sqltext)):
                if name in table.columns:
                    found[name] = [value.strip().strip("'") for value in values.split(",")]
    return found


def _value(table: Table, column: Column[Any]) -> Any:
    secret = f"{SECRET} in {table.name}.{column.name}"
    kind = column.type
    later = timedelta(hours=1) if _LATER.search(column.name) else timedelta(0)
    if isinstance(kind, PG_UUID):
        return uuid.uuid4()
    if isinstance(kind, DateTime):
        return None if column.nullable else START + later
    if isinstance(kind, DATERANGE):
        return Range(date(2026, 1, 1), date(2026, 2, 1))
    if isinstance(kind, Date):
        return START.date()
    if isinstance(kind, Boolean):
        return None if column.nullable else False
    if isinstance(kind, BigInteger | Integer):
        return None if column.nullable else 1
    if isinstance(kind, JSONB):
        return [{"name": secret}] if "list" in str(column.default) else _document(column, secret)
    if isinstance(kind, ARRAY):
        return [uuid.uuid4()] if isinstance(kind.item_type, PG_UUID) else [secret]
    if isinstance(kind, LargeBinary):
        return secret.encode()
    return secret


def _document(column: Column[Any], secret: str) -> Any:
    if column.name in ("attendees", "log"):
        return [{"name": secret, "address": "augusta@example.com"}]
    return {"subject": secret, "address": "augusta@example.com"}


async def dump(database: Database) -> str:
    """Every row of every table as text, as a logical dump holds it."""
    parts = []
    async with database.session() as session:
        for table in METADATA.sorted_tables:
            rows = await session.execute(text(f'SELECT t::text FROM "{table.name}" AS t'))  # noqa: S608
            parts += [f"{table.name}: {row}" for row in rows.scalars()]
            binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
            for name in binary:
                # In the dump they are hexadecimal.
                found = await session.execute(
                    text(f'SELECT encode("{name}", \'escape\') FROM "{table.name}"')  # noqa: S608
                )
                parts += [f"{table.name}.{name}: {value}" for value in found.scalars()]
    return "\n".join(parts)


def unknown_tables() -> set[str]:
    """Tables of which neither the rules nor the register say whose they are."""
    known = {holding.name for holding in holdings()} | set(NOBODYS)
    return set(METADATA.tables) - known
