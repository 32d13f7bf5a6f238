"""How many statements a request costs: the same for one row and for many."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.notifications.notification import Audience
from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import Caller
from tests.support.factories import Factory

RANGE = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}
LISTS = [
    "list_users",
    "list_archive_configurations",
    "list_archive_runs",
    "list_archive_operations",
    "list_appointments",
    "list_overlaps",
    "list_notifications",
    "search_audit",
    "list_category_rules",
    "validate_categories",
    "suggest_categories",
]
RANGED = {"list_appointments", "validate_categories", "suggest_categories"}
#: The caller, what they may see, the page. Configurations also their jobs. Suggestions also ranges, totals,
#: rules and history.
MOST = 6
# Suggestions read what counts (which needs former keys), the history and the rules.
MOST_OF = {"suggest_categories": 9}


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are executed in the block."""
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def grow(database: Database, owner: User, run: ArchiveRun, rows: int) -> None:
    async with database.session() as session:
        make = Factory(session)
        for _ in range(rows):
            await make.user()
            configuration = await make.configuration(owner)
            await make.job(configuration)
            event = await make.archived_event(configuration)
            await make.appointment(event)
            await make.appointment(await make.archived_event(configuration), categories=[])
            await make.category_rule(owner.id)
            await make.overlap_group(event)
            await make.notification(owner)
            await make.notification(owner, audience=Audience.ADMINS)
            await make.operation(run)
            await make.run(await session.get_one(ArchiveConfiguration, run.configuration_id))
            await make.audit_entry(on_behalf_of=owner.id)


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_of_many_costs_as_much_as_a_list_of_few(
    api: Caller, database: Database, name: str
) -> None:
    async with database.session() as session:
        make = Factory(session)
        owner = await make.user()
        run = await make.run(await make.configuration(owner))
        await make.job(await session.get_one(ArchiveConfiguration, run.configuration_id))
    operation = OPERATIONS[name]
    ids = {"list_archive_runs": run.configuration_id, "list_archive_operations": run.id}
    path = operation.route.replace("{id}", str(ids.get(name, "")))
    token = api.person(owner.object_id, "Admin")
    query: dict[str, Any] = RANGE if name in RANGED else {}
    costs = []
    for rows in (2, 20):
        await grow(database, owner, run, rows)
        await api("GET", path, token=token, limit=200, **query)
        with counted(database) as statements:
            response = await api("GET", path, token=token, limit=200, **query)
        assert len(response.json["items"]) >= rows
        costs.append(len(statements))
    assert costs[0] == costs[1] <= MOST_OF.get(name, MOST), costs
