"""AuditRepository."""

import uuid
from datetime import timedelta
from typing import Any, cast

import pytest
from asyncpg import CheckViolationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.repositories.audit.audit import AuditFilter, AuditRepository
from shared.domain.audit.chain import AuditRow
from tests.support.factories import START, TENANT, Factory

HOUR = timedelta(hours=1)
PERSON = uuid.uuid4()


@pytest.fixture
def audit(session: AsyncSession) -> AuditRepository:
    return AuditRepository(session)


def _row(**columns: Any) -> AuditRow:
    defaults = {
        "id": uuid.uuid4(),
        "tenant_id": TENANT,
        "occurred_at": START,
        "actor": "user:1",
        "action": "user.created",
        "resource_type": "user",
        "resource_id": "1",
        "outcome": "success",
        "correlation_id": "c",
        "changes": {"after": {"active": True}},
    }
    return cast("AuditRow", defaults | columns)


async def test_added_rows_are_there_after_the_commit_and_only_then(database: Database) -> None:
    async def fail() -> None:
        async with database.session() as session:
            await AuditRepository(session).add([_row(actor="user:lost")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.session() as session:
        await AuditRepository(session).add([_row(), _row(actor="user:2")])
    async with database.session() as session:
        found = await AuditRepository(session).search(TENANT, AuditFilter(), None, 10)
        assert {row.actor for row in found} == {"user:1", "user:2"}
        assert found[0].changes == {"after": {"active": True}}


async def test_a_row_cannot_be_rewritten(database: Database) -> None:
    async def rewrite() -> None:
        async with database.session() as session:
            entry = await Factory(session).audit_entry()
            entry.actor = "nobody"

    with pytest.raises(DBAPIError, match="permission denied"):
        await rewrite()


async def test_an_outcome_is_success_or_failure(audit: AuditRepository, session: AsyncSession) -> None:
    with pytest.raises(CheckViolationError, match="outcome"):
        await audit.add([_row(outcome="maybe")])


@pytest.mark.parametrize(
    ("filters", "column", "value"),
    [
        (AuditFilter(actor="user:2"), "actor", "user:2"),
        (AuditFilter(on_behalf_of=PERSON), "on_behalf_of", PERSON),
        (AuditFilter(action="user.deleted"), "action", "user.deleted"),
        (AuditFilter(resource_type="job"), "resource_type", "job"),
        (AuditFilter(resource_id="2"), "resource_id", "2"),
        (AuditFilter(correlation_id="d"), "correlation_id", "d"),
        (AuditFilter(outcome="failure"), "outcome", "failure"),
        (AuditFilter(start=START + HOUR), "occurred_at", START + HOUR),
        (AuditFilter(end=START), "occurred_at", START - HOUR),
    ],
)
async def test_a_search_is_narrowed(
    audit: AuditRepository, filters: AuditFilter, column: str, value: object
) -> None:
    wanted = _row(**{column: value})
    await audit.add([_row()])
    await audit.add([wanted])
    assert [row.id for row in await audit.search(TENANT, filters, None, 10)] == [wanted["id"]]
    assert await audit.search(uuid.uuid4(), filters, None, 10) == []


async def test_the_newest_comes_first_page_by_page(audit: AuditRepository) -> None:
    rows = [_row(occurred_at=START + hours * HOUR) for hours in (0, 2, 1, 1, 1)]
    await audit.add(rows)
    seen: list[uuid.UUID] = []
    after = None
    while page := await audit.search(TENANT, AuditFilter(), after, 2):
        seen.extend(row.id for row in page)
        after = (page[-1].occurred_at, page[-1].id)
    newest_first = sorted(rows, key=lambda row: (row["occurred_at"], row["id"]), reverse=True)
    assert seen == [row["id"] for row in newest_first]
