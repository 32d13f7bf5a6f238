"""What people look for: by name, date, status; over a tenant; in a declared order."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.users import User
from shared.domain.runs.archive_run import RunState
from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import START, Factory

NIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def items(api: Caller, token: str, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, by pages of two."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api("GET", f"v1/{path}", token=token, **query, limit=2, **cursor)
        assert page.status == 200, page.body
        found += page.json["items"]
        if page.json["next"] is None:
            return found
        cursor = {"cursor": page.json["next"]}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "LOVE"}, ["Ada Lovelace"]),
        ({"name": "ada@"}, ["Ada Lovelace"]),
        ({"name": "%"}, ["100 % Bob"]),
        ({"name": "_"}, []),
        ({"active": "false"}, ["100 % Bob"]),
        ({"active": "true", "name": "bob"}, []),
    ],
)
async def test_users_are_found_by_name_and_active(
    api: Caller, people: People, database: Database, query: dict[str, Any], names: list[str]
) -> None:
    async with database.session() as session:
        (await session.get_one(User, people.ada.id)).display_name = "Ada Lovelace"
        bob = await session.get_one(User, people.bob.id)
        bob.display_name, bob.active = "100 % Bob", False
    assert [each["display_name"] for each in await items(api, people.admin, "users", **query)] == names
    own = [each["display_name"] for each in await items(api, people.ada.token, "users", **query)]
    assert own == [name for name in names if name == "Ada Lovelace"]


async def test_runs_of_a_tenant_tell_what_failed_last_night(
    api: Caller, people: People, database: Database
) -> None:
    """Of everybody for an Admin and an Auditor; of oneself for a User."""
    async with database.session() as session:
        make = Factory(session)
        runs: dict[str, UUID] = {}
        for name, person in (("ada", people.ada), ("bob", people.bob)):
            owner = await session.get_one(User, person.id)
            configuration = await make.configuration(owner, source_mailbox_id=owner.object_id)
            for state, hours in ((RunState.FAILED, 0), (RunState.COMPLETED, 1), (RunState.FAILED, -24)):
                run = await make.run(configuration, state=state, created_at=NIGHT + hours * HOUR)
                runs[f"{name} {state} {hours}"] = run.id
            with_errors = RunState.COMPLETED_WITH_ERRORS
            made = await make.run(configuration, state=with_errors, created_at=NIGHT + 2 * HOUR)
            runs[f"{name} errors"] = made.id
    names = {str(key): name for name, key in runs.items()}
    night: dict[str, Any] = {"created_from": "2026-03-01T20:00:00Z", "created_before": "2026-03-02T06:00:00Z"}
    for token in (people.admin, people.auditor):
        found = await items(api, token, "archive-runs", troubled="true", **night)
        assert {names[each["id"]] for each in found} == {
            *("ada failed 0", "ada errors", "bob failed 0", "bob errors")
        }
        assert [each["created_at"] for each in found] == sorted(
            (each["created_at"] for each in found), reverse=True
        )
    own = await items(api, people.ada.token, "archive-runs")
    assert [names[each["id"]] for each in own] == [
        *("ada errors", "ada completed 1", "ada failed 0", "ada failed -24")
    ]
    failed = await items(api, people.admin, "archive-runs", status="failed", user_id=people.bob.id)
    assert [names[each["id"]] for each in failed] == ["bob failed 0", "bob failed -24"]
    calm = await items(api, people.admin, "archive-runs", troubled="false")
    assert {names[each["id"]] for each in calm} == {"ada completed 1", "bob completed 1"}


async def test_runs_of_a_configuration_are_found_as_those_of_a_tenant(
    api: Caller, people: People, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        configuration = await make.configuration(ada, source_mailbox_id=ada.object_id)
        for state, hours in ((RunState.FAILED, 0), (RunState.COMPLETED, 1), (RunState.FAILED, -24)):
            await make.run(configuration, state=state, created_at=NIGHT + hours * HOUR)
        other = await make.configuration(ada, source_mailbox_id=ada.object_id)
        await make.run(other, state=RunState.FAILED, created_at=NIGHT)
    of_one = f"archive-configurations/{configuration.id}/runs"
    queries: tuple[dict[str, Any], ...] = (
        {},
        {"status": "failed"},
        {"troubled": "false"},
        {"created_from": "2026-03-02T00:00:00Z"},
        {"created_before": "2026-03-02T00:00:00Z", "troubled": "true"},
    )
    for query, count in zip(queries, (3, 2, 1, 2, 1), strict=True):
        of_tenant = await items(
            api, people.ada.token, "archive-runs", configuration_id=configuration.id, **query
        )
        assert await items(api, people.ada.token, of_one, **query) == of_tenant
        assert len(of_tenant) == count, query
    page = await api("GET", f"v1/{of_one}", token=people.ada.token, status="failed", limit=1)
    other_filter = await api(
        "GET", f"v1/{of_one}", token=people.ada.token, status="completed", cursor=page.json["next"]
    )
    problem(other_filter, 422, "validation_failed")
    assert other_filter.fields == ["cursor"]


async def test_runs_show_their_owner_alone_what_the_run_cost(
    api: Caller, people: People, database: Database
) -> None:
    """Others see no requests of a run in which private events may have a part (domain.md 6.3)."""
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        configuration = await make.configuration(ada, source_mailbox_id=ada.object_id)
        await make.run(configuration, state=RunState.RUNNING, started_at=NIGHT, graph_requests=7)
    (own,) = await items(api, people.ada.token, "archive-runs")
    (others,) = await items(api, people.admin, "archive-runs")
    assert (own["graph_requests"], others["graph_requests"]) == (7, None)


async def test_runs_of_an_archive_without_approval_are_closed_to_its_owner(
    api: Caller, people: People, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        closed = await make.configuration(
            ada, source_mailbox_id=uuid4(), names_another=True, open_until=START
        )
        await make.run(closed)
    assert await items(api, people.ada.token, "archive-runs") == []
    assert len(await items(api, people.admin, "archive-runs")) == 1


async def test_runs_of_others_do_not_exist_for_a_user(
    api: Caller, people: People, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        await make.run(configuration)
    assert await items(api, people.bob.token, "archive-runs") == []
    wanted: tuple[dict[str, Any], ...] = ({"user_id": people.ada.id}, {"configuration_id": configuration.id})
    for query in wanted:
        problem(await api("GET", "v1/archive-runs", token=people.bob.token, **query), 404, "not_found")
    elsewhere = api.token("Admin", tenant=str(uuid4()))
    assert (await api("GET", "v1/archive-runs", token=elsewhere)).status in (401, 403)


@pytest.mark.parametrize("path", ["overlaps", "action-items"])
async def test_overlaps_and_items_are_found_by_the_range_in_which_they_begin(
    api: Caller, people: People, database: Database, path: str
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        begin = {}
        for days in (0, 1, 2):
            start = START + timedelta(days=days)
            event = await make.archived_event(configuration, start_at=start)
            if path == "overlaps":
                made: Any = await make.overlap_group(
                    event, await make.archived_event(configuration, start_at=start), opened_at=start
                )
            else:
                made = await make.action_item(event, opened_at=start)
            begin[str(made.id)] = made.start_at
    ordered = sorted(begin.values())
    window: dict[str, Any] = {"window_start": ordered[1].isoformat(), "window_end": ordered[2].isoformat()}
    found = await items(api, people.ada.token, path, **window)
    assert [begin[each["id"]] for each in found] == [ordered[1]]
    half = await api("GET", f"v1/{path}", token=people.ada.token, window_start="2026-03-01T00:00:00Z")
    assert half.fields == ["window_end"]


async def test_exports_of_a_person_are_listed_until_they_expire(
    api: Caller, people: People, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        now = datetime.now(UTC)
        kept = [
            await make.user_export(people.ada.id, state="failed", created_at=now - timedelta(days=days))
            for days in (3, 2, 1)
        ]
        gone = now - timedelta(minutes=1)
        await make.user_export(people.ada.id, state="ready", expires_at=gone, created_at=now)
    newest_first = [str(each.id) for each in reversed(kept)]
    for token in (people.ada.token, people.admin):
        found = await items(api, token, f"users/{people.ada.id}/exports")
        assert [each["id"] for each in found] == newest_first
    for token, status in ((people.bob.token, 404), (people.auditor, 403)):
        problem(await api("GET", f"v1/users/{people.ada.id}/exports", token=token), status)


async def test_erasures_tell_what_waits_for_a_second_admin(
    api: Caller, people: People, database: Database
) -> None:
    """What the caller asked for themself waits for another one, until 7 days have passed."""
    mine = "user:aaaaaaaa-0000-4000-8000-000000000001"
    async with database.session() as session:
        make = Factory(session)
        now = datetime.now(UTC)
        asked = {
            name: await make.user_erasure(await make.user(tenant_id=TENANT), **columns)
            for name, columns in {
                "mine": {"requested_by": mine, "created_at": now},
                "mine, a week ago": {"requested_by": mine, "created_at": now - timedelta(days=8)},
                "another's": {"requested_by": f"user:{uuid4()}", "created_at": now - timedelta(days=1)},
                "withdrawn": {"state": "withdrawn", "created_at": now - timedelta(days=2)},
            }.items()
        }
        people_of = {name: erasure.user_id for name, erasure in asked.items()}
    names = {str(erasure.id): name for name, erasure in asked.items()}
    confirmable = await items(api, people.admin, "user-erasures", confirmable="true")
    assert [names[each["id"]] for each in confirmable] == ["another's", "mine, a week ago"]
    waiting = await items(api, people.admin, "user-erasures", status="requested", confirmable="false")
    assert [names[each["id"]] for each in waiting] == ["mine"]
    assert len(await items(api, people.admin, "user-erasures")) == 4
    (one,) = await items(api, people.admin, f"users/{people_of['withdrawn']}/erasures")
    assert names[one["id"]] == "withdrawn"
    assert await items(api, people.admin, f"users/{people.ada.id}/erasures") == []
    problem(await api("GET", f"v1/users/{uuid4()}/erasures", token=people.admin), 404, "not_found")
    for path in ("user-erasures", f"users/{people.ada.id}/erasures"):
        problem(await api("GET", f"v1/{path}", token=people.ada.token), 403)


def test_every_list_declares_its_order_by_properties_of_its_items() -> None:
    lists = [
        operation
        for operation in OPERATIONS.values()
        if operation.method == "GET"
        and operation.response is not None
        and "next" in operation.response.model_fields
    ]
    assert len(lists) > 20
    for operation in lists:
        assert operation.response is not None
        (item,) = get_args(operation.response.model_fields["items"].annotation)
        assert operation.order, operation.id
        assert {key.removeprefix("-") for key in operation.order} <= item.model_fields.keys(), operation.id
    others = [each.id for each in OPERATIONS.values() if each.order and each not in lists]
    assert others == []
