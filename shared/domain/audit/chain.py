"""The audit's hash chain: each hash covers its row and the previous hash (domain.md 7.1).

The hash is lower-case hex SHA-256 over canonical JSON: keys sorted at every level, no white space, UTF-8,
instants in UTC with microseconds. Encrypted values are hashed as stored, so the chain is valid even when
nobody can decrypt them.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypedDict
from uuid import UUID

import orjson

from shared.domain.json_object import JsonObject

#: The hash before the first position of a chain.
GENESIS: Final = "0" * 64


class AuditRow(TypedDict):
    """A row of the audit, by column."""

    id: UUID
    tenant_id: UUID
    occurred_at: datetime
    actor: str
    on_behalf_of: UUID | None
    action: str
    resource_type: str
    resource_id: str
    outcome: str
    correlation_id: str
    parent_correlation_id: str | None
    source_ip: str | None
    #: What it says differs by action.
    changes: JsonObject


#: The columns of a row that its hash covers: all of them.
SEALED_FIELDS: Final = tuple(AuditRow.__annotations__)


@dataclass(frozen=True, slots=True)
class Link:
    """One sealed position of a tenant's chain. Positions count from 1."""

    position: int
    audit_id: UUID
    previous_hash: str
    hash: str


class Fault(StrEnum):
    """What is wrong at a position."""

    MISSING_POSITION = "missing_position"
    BROKEN_LINK = "broken_link"
    MISSING_ROW = "missing_row"
    CHANGED_ROW = "changed_row"


@dataclass(frozen=True, slots=True)
class Break:
    """The first broken position of a chain. ``audit_id`` is None if the seal is gone."""

    position: int
    audit_id: UUID | None
    fault: Fault


def seal_hash(previous_hash: str, position: int, row: AuditRow) -> str:
    """The hash of a row (by column name) at a position that follows ``previous_hash``."""
    fields = {name: _canonical(value) for name, value in row.items() if name in SEALED_FIELDS}
    document = {"position": position, "previous_hash": previous_hash, "row": fields}
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def link(previous: Link | None, row: AuditRow) -> Link:
    """The seal of a row that follows ``previous``. ``previous`` is None for the first row."""
    position = previous.position + 1 if previous else 1
    previous_hash = previous.hash if previous else GENESIS
    return Link(position, row["id"], previous_hash, seal_hash(previous_hash, position, row))


class ChainCheck:
    """Checks a chain from its first position. ``last`` is the last valid link."""

    def __init__(self) -> None:
        self.last: Link | None = None

    def follow(self, found: Link, row: AuditRow | None) -> Break | None:
        """What is wrong with the next link and its row (None: the row is gone). None if it is valid."""
        position = self.last.position + 1 if self.last else 1
        if found.position != position:
            return Break(position, None, Fault.MISSING_POSITION)
        if found.previous_hash != (self.last.hash if self.last else GENESIS):
            return Break(position, found.audit_id, Fault.BROKEN_LINK)
        if row is None:
            return Break(position, found.audit_id, Fault.MISSING_ROW)
        if found.hash != seal_hash(found.previous_hash, position, row):
            return Break(position, found.audit_id, Fault.CHANGED_ROW)
        self.last = found
        return None


def _canonical(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
