"""The audit's chain: what a hash covers, and what a broken one is told by."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from shared.domain.audit.chain import (
    GENESIS,
    SEALED_FIELDS,
    AuditRow,
    Break,
    ChainCheck,
    Fault,
    Link,
    link,
    seal_hash,
)

TENANT = UUID("11111111-1111-4111-8111-111111111111")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(number: int = 1, **columns: Any) -> AuditRow:
    """A row of the audit by column name."""
    defaults = {
        "id": UUID(int=number),
        "tenant_id": TENANT,
        "occurred_at": NOON + timedelta(minutes=number),
        "actor": "user:1",
        "on_behalf_of": None,
        "action": "user.created",
        "resource_type": "user",
        "resource_id": "1",
        "outcome": "success",
        "correlation_id": "c",
        "parent_correlation_id": None,
        "source_ip": "192.0.2.1",
        "changes": {"after": {"b": 1, "a": {"$encrypted": "AQ=="}}},
    }
    return cast("AuditRow", defaults | columns)


def chain(rows: list[AuditRow]) -> list[Link]:
    """The seals of rows, in their order."""
    links: list[Link] = []
    for each in rows:
        links.append(link(links[-1] if links else None, each))
    return links


def check(links: list[Link], rows: list[AuditRow | None]) -> Break | None:
    """The first fault of a chain."""
    following = ChainCheck()
    for each, found in zip(links, rows, strict=True):
        if (fault := following.follow(each, found)) is not None:
            return fault
    return None


def test_a_chain_of_rows_holds() -> None:
    rows = [row(n) for n in range(1, 6)]
    links = chain(rows)
    assert [each.position for each in links] == [1, 2, 3, 4, 5]
    assert links[0].previous_hash == GENESIS
    assert check(links, [*rows]) is None


def test_the_hash_is_the_same_at_any_place_and_time() -> None:
    # Never to change: a new version of the app must find the chains of the old one whole.
    assert seal_hash(GENESIS, 1, row()) == "2738311a6e61b5e7aef018bf8d09fe45dedab4669d476c56af049f29587b483e"
    reordered = row(changes={"after": {"a": {"$encrypted": "AQ=="}, "b": 1}})
    elsewhere = row(occurred_at=row()["occurred_at"].astimezone(timezone(timedelta(hours=5))))
    assert (
        seal_hash(GENESIS, 1, reordered) == seal_hash(GENESIS, 1, elsewhere) == seal_hash(GENESIS, 1, row())
    )


@pytest.mark.parametrize("column", SEALED_FIELDS)
def test_a_change_of_any_column_breaks_its_position(column: str) -> None:
    rows = [row(n) for n in range(1, 4)]
    links = chain(rows)
    other: dict[str, Any] = {
        "id": uuid4(),
        "tenant_id": uuid4(),
        "occurred_at": NOON,
        "on_behalf_of": uuid4(),
        "changes": {"after": {"b": 2, "a": {"$encrypted": "AQ=="}}},
    }
    rows[1] = row(2, **{column: other.get(column, "other")})
    assert check(links, [*rows]) == Break(2, UUID(int=2), Fault.CHANGED_ROW)


def test_a_row_that_is_gone_breaks_its_position() -> None:
    rows: list[AuditRow | None] = [row(n) for n in range(1, 4)]
    links = chain([each for each in rows if each])
    rows[2] = None
    assert check(links, rows) == Break(3, UUID(int=3), Fault.MISSING_ROW)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_seal_that_is_gone_is_noticed_at_its_position(gone: int) -> None:
    rows = [row(n) for n in range(1, 4)]
    links = chain(rows)
    del links[gone], rows[gone]
    assert check(links, [*rows]) == Break(gone + 1, None, Fault.MISSING_POSITION)


def test_a_chain_continued_from_another_one_is_noticed() -> None:
    rows = [row(n) for n in range(1, 4)]
    forged = chain([row(1), row(2, actor="user:2")])
    links = [*chain(rows)[:2], link(forged[-1], rows[2])]
    assert check(links, [*rows]) == Break(3, UUID(int=3), Fault.BROKEN_LINK)


def test_anyone_can_recompute_a_hash_with_a_standard_json_library() -> None:
    given = row()
    plain = dict(given) | {"id": str(given["id"]), "tenant_id": str(TENANT)}
    plain["occurred_at"] = "2026-03-02T12:01:00.000000+00:00"
    document = {"position": 7, "previous_hash": GENESIS, "row": plain}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert seal_hash(GENESIS, 7, given) == hashlib.sha256(text.encode()).hexdigest()


def test_the_position_counts() -> None:
    assert seal_hash(GENESIS, 1, row()) != seal_hash(GENESIS, 2, row())
    assert seal_hash("1" * 64, 1, row()) != seal_hash(GENESIS, 1, row())
