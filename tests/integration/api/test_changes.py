"""Changes of what is there: the version they are meant for, what they do, who may make them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models import ArchiveConfiguration, ArchiveRun, AuditEntry, Job, User
from shared.domain.archive_run import OperationState, RunState
from shared.triggers.http import archive_runs
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, create
from tests.support.factories import Factory

UPDATES = [
    ("PATCH", "v1/users/{id}", {"active": False}),
    ("PATCH", f"{PATH}/{{id}}", {"name": "Other"}),
    ("DELETE", f"{PATH}/{{id}}", None),
]


@pytest.fixture
async def configuration(api: Caller, people: People) -> Any:
    return (await create(api, people.ada)).json


async def change(
    api: Caller, method: str, path: str, body: Any, token: str, tag: str | None = '"1"', **headers: str
) -> Response:
    sent = headers | ({} if tag is None else {"if-match": tag})
    return await api(method, path, body, token=token, headers=sent)


async def audited(database: Database, action: str) -> list[AuditEntry]:
    async with database.session() as session:
        statement = select(AuditEntry).where(AuditEntry.action == action)
        return list((await session.execute(statement)).scalars())


class TestVersions:
    @pytest.mark.parametrize(("method", "path", "body"), UPDATES)
    async def test_a_change_without_a_version_is_428(
        self, stranger: Caller, method: str, path: str, body: Any
    ) -> None:
        path = path.replace("{id}", str(uuid4()))
        response = await change(stranger, method, path, body, stranger.token("Admin"), None)
        problem(response, 428, "precondition_required")

    @pytest.mark.parametrize("tag", ["", "  ", "1", '"1', "W/", '"1" "2"', '"1";', "'1'"])
    async def test_a_malformed_version_is_400(self, stranger: Caller, tag: str) -> None:
        path = f"{PATH}/{uuid4()}"
        response = await change(stranger, "PATCH", path, {"name": "x"}, stranger.token(), tag)
        problem(response, 400, "if_match_invalid")

    @pytest.mark.parametrize("tag", ['"2"', 'W/"1"', '"one"', '"2", "3"', '""'])
    async def test_another_version_is_412(
        self, api: Caller, people: People, configuration: Any, tag: str
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        response = await change(api, "PATCH", path, {"name": "Other"}, people.ada.token, tag)
        problem(response, 412, "precondition_failed")
        assert (await api("GET", path, token=people.ada.token)).json == configuration

    @pytest.mark.parametrize("tag", ['"1"', "*", '"7", "1"', 'W/"9" , "1"'])
    async def test_its_version_is_accepted(
        self, api: Caller, people: People, configuration: Any, tag: str
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        response = await change(api, "PATCH", path, {"name": "Other"}, people.ada.token, tag)
        assert response.status == 200, response.json
        assert (response.headers["etag"], response.json["version"]) == ('"2"', 2)
        assert (await api("GET", path, token=people.ada.token)).headers["etag"] == '"2"'

    async def test_of_two_changes_of_one_version_one_wins(
        self, api: Caller, people: People, configuration: Any
    ) -> None:
        path = f"{PATH}/{configuration['id']}"
        answers = await asyncio.gather(
            *(change(api, "PATCH", path, {"name": f"Name {n}"}, people.ada.token) for n in range(5))
        )
        assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]
        winner = next(answer for answer in answers if answer.status == 200)
        assert (await api("GET", path, token=people.ada.token)).json == winner.json

    async def test_a_repeated_change_is_answered_as_before(
        self, api: Caller, people: People, configuration: Any
    ) -> None:
        path, key = f"{PATH}/{configuration['id']}", {"idempotency-key": "k"}
        first = await change(api, "DELETE", path, None, people.ada.token, **key)
        again = await change(api, "DELETE", path, None, people.ada.token, **key)
        assert (first.status, again.status) == (204, 204)
        assert again.headers["idempotency-replayed"] == "true"
        problem(await change(api, "DELETE", path, None, people.ada.token), 404)


class TestUsers:
    async def test_an_admin_changes_a_name(self, api: Caller, people: People, database: Database) -> None:
        path = f"v1/users/{people.ada.id}"
        response = await change(api, "PATCH", path, {"display_name": "Ada L."}, people.admin)
        assert (response.status, response.json["display_name"]) == (200, "Ada L.")
        (entry,) = await audited(database, "user.updated")
        assert entry.on_behalf_of == people.ada.id
        assert "Ada L." not in str(entry.changes)

    async def test_who_is_deactivated_is_refused_at_once(self, api: Caller, people: People) -> None:
        path = f"v1/users/{people.ada.id}"
        assert (await change(api, "PATCH", path, {"active": False}, people.admin)).status == 200
        problem(await api("GET", path, token=people.ada.token), 403, "user_deactivated")
        assert (await change(api, "PATCH", path, {"active": True}, people.admin, '"2"')).status == 200
        assert (await api("GET", path, token=people.ada.token)).status == 200

    async def test_a_change_that_changes_nothing_leaves_no_trace(
        self, api: Caller, people: People, database: Database
    ) -> None:
        response = await change(api, "PATCH", f"v1/users/{people.ada.id}", {"active": True}, people.admin)
        assert (response.status, response.headers["etag"]) == (200, '"1"')
        assert await audited(database, "user.updated") == []

    async def test_an_admin_does_not_lock_himself_out(self, api: Caller, people: People) -> None:
        token = api.person(people.ada.oid, "Admin")
        response = await change(api, "PATCH", f"v1/users/{people.ada.id}", {"active": False}, token)
        problem(response, 409, "own_account")

    @pytest.mark.parametrize("body", [{}, {"active": None}, {"display_name": None}, {"address": "x@y.z"}])
    async def test_a_change_of_nothing_or_of_what_may_not_change_is_422(
        self, stranger: Caller, body: Any
    ) -> None:
        path = f"v1/users/{uuid4()}"
        response = await change(stranger, "PATCH", path, body, stranger.token("Admin"))
        problem(response, 422, "validation_failed")

    async def test_only_an_admin_of_the_tenant_may(self, api: Caller, people: People) -> None:
        path = f"v1/users/{people.ada.id}"
        for token in (people.ada.token, people.auditor):
            problem(await change(api, "PATCH", path, {"active": False}, token), 403, "role_missing")
        unknown = f"v1/users/{uuid4()}"
        problem(await change(api, "PATCH", unknown, {"active": False}, people.admin), 404)


class TestConfigurations:
    async def test_zone_and_schedule_move_the_next_run(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        body = {
            "time_zone": "Tokyo Standard Time",
            "schedule": {"kind": "monthly", "at": "03:30", "day_of_month": 31},
            "lookback_days": 3,
            "archive_from": "2026-01-15",
            "name": "Monthly",
        }
        response = await change(api, "PATCH", f"{PATH}/{configuration['id']}", body, people.ada.token)
        assert response.status == 200, response.json
        assert {name: response.json[name] for name in body} == body | {"time_zone": "Asia/Tokyo"}
        local = datetime.fromisoformat(response.json["next_run_at"]) + timedelta(hours=9)
        assert (local.hour, local.minute) == (3, 30)
        assert (local + timedelta(days=1)).day == 1
        async with database.session() as session:
            assert (await session.execute(select(Job.time_zone))).scalar_one() == "Asia/Tokyo"
        (entry,) = await audited(database, "archive_configuration.updated")
        assert entry.changes["before"]["lookback_days"] == 7
        assert entry.changes["after"]["lookback_days"] == 3
        assert "Monthly" not in str(entry.changes)

    async def test_every_wrong_field_is_named(self, api: Caller, people: People, configuration: Any) -> None:
        body = {"time_zone": "Mars/Olympus", "archive_from": "2199-01-01"}
        response = await change(api, "PATCH", f"{PATH}/{configuration['id']}", body, people.ada.token)
        problem(response, 422, "validation_failed")
        assert sorted(response.fields) == ["archive_from", "time_zone"]

    async def test_the_first_day_is_fixed_once_archiving_has_begun(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        async with database.session() as session:
            await session.execute(update(ArchiveConfiguration).values(archived_until=datetime.now(UTC)))
        path = f"{PATH}/{configuration['id']}"
        response = await change(api, "PATCH", path, {"archive_from": "2026-01-15"}, people.ada.token)
        problem(response, 422)
        assert response.json["errors"][0]["code"] == "archiving_begun"
        same = {"archive_from": configuration["archive_from"]}
        assert (await change(api, "PATCH", path, same, people.ada.token)).status == 200

    async def test_a_taken_name_is_a_conflict(self, api: Caller, people: People, configuration: Any) -> None:
        other = await create(
            api, people.ada, name="Second", archive=f"msgraph://{people.ada.address}/calendars/Team"
        )
        assert other.status == 201, other.json
        path = f"{PATH}/{other.json['id']}"
        response = await change(api, "PATCH", path, {"name": configuration["name"]}, people.ada.token)
        problem(response, 409, "already_exists")

    async def test_activity(self, api: Caller, people: People, configuration: Any) -> None:
        path, token = f"{PATH}/{configuration['id']}", people.ada.token
        off = await change(api, "POST", f"{path}/deactivate", None, token, None)
        assert (off.status, off.json["active"], off.headers["etag"]) == (200, False, '"2"')
        again = await change(api, "POST", f"{path}/deactivate", None, token, None)
        assert (again.status, again.headers["etag"]) == (200, '"2"')
        problem(await api("POST", f"{path}/runs", None, token=token), 409)
        problem(await change(api, "POST", f"{path}/activate", None, token, '"1"'), 412)
        on = await change(api, "POST", f"{path}/activate", None, token, '"2"')
        assert (on.status, on.json["active"]) == (200, True)

    async def test_the_archive_of_a_deactivated_person_is_not_activated(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        async with database.session() as session:
            await session.execute(update(User).where(User.id == people.ada.id).values(active=False))
        path = f"{PATH}/{configuration['id']}/activate"
        problem(await change(api, "POST", path, None, people.admin, None), 409, "user_deactivated")

    async def test_one_default_at_a_time(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        team = f"msgraph://{people.ada.address}/calendars/Team"
        second = (await create(api, people.ada, name="Second", archive=team)).json
        paths = [f"{PATH}/{each['id']}" for each in (configuration, second)]
        answers = await asyncio.gather(
            *(change(api, "POST", f"{path}/default", None, people.ada.token, None) for path in paths * 2)
        )
        assert {answer.status for answer in answers} == {200}
        read = [(await api("GET", path, token=people.ada.token)).json for path in paths]
        assert sorted(each["is_default"] for each in read) == [False, True]
        assert await audited(database, "archive_configuration.made_default")

    async def test_a_deleted_one_is_gone_and_its_record_stays(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        async with database.session() as session:
            make = Factory(session)
            row = await session.get_one(ArchiveConfiguration, UUID(configuration["id"]))
            run = await make.run(row, state=RunState.COMPLETED, finished_at=datetime.now(UTC))
            appointment = await make.appointment(await make.archived_event(row))
        path, token = f"{PATH}/{configuration['id']}", people.ada.token
        response = await change(api, "DELETE", path, None, token)
        assert (response.status, response.body) == (204, b"")
        for gone in (path, f"{path}/runs"):
            problem(await api("GET", gone, token=token), 404)
        assert (await api("GET", PATH, token=token)).json["items"] == []
        problem(await api("POST", f"{path}/runs", None, token=token), 404)
        for kept in (f"v1/archive-runs/{run.id}", f"v1/appointments/{appointment.id}"):
            assert (await api("GET", kept, token=token)).status == 200
        assert await api.app.archiving.claim_due_jobs() == []
        assert (await create(api, people.ada)).status == 201
        (entry,) = await audited(database, "archive_configuration.deleted")
        assert entry.changes["before"]["time_zone"] == "Europe/Berlin"

    async def test_one_with_an_open_run_is_not_deleted(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        async with database.session() as session:
            row = await session.get_one(ArchiveConfiguration, UUID(configuration["id"]))
            await Factory(session).run(row)
        response = await change(api, "DELETE", f"{PATH}/{configuration['id']}", None, people.ada.token)
        problem(response, 409, "run_in_progress")

    async def test_nobody_changes_anothers(self, api: Caller, people: People, configuration: Any) -> None:
        path, bob = f"{PATH}/{configuration['id']}", people.bob.token
        problem(await change(api, "PATCH", path, {"name": "Mine"}, bob), 404)
        problem(await change(api, "DELETE", path, None, bob), 404)
        for action in ("activate", "deactivate", "default"):
            problem(await change(api, "POST", f"{path}/{action}", None, bob), 404)
            auditor = await change(api, "POST", f"{path}/{action}", None, people.auditor)
            problem(auditor, 403, "role_missing")
        response = await change(api, "PATCH", path, {"name": "By the admin"}, people.admin)
        assert response.status == 200


class TestRuns:
    @pytest.fixture
    async def runs(self, configuration: Any, database: Database) -> dict[str, UUID]:
        """A run in every state."""
        async with database.session() as session:
            make = Factory(session)
            row = await session.get_one(ArchiveConfiguration, UUID(configuration["id"]))
            found = {}
            for state in RunState:
                run = await make.run(row, state=state)
                if state.terminal:
                    run.finished_at = datetime.now(UTC)
                found[str(state)] = run.id
            return found

    @pytest.fixture
    def started(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
        runs: list[UUID] = []

        async def start(client: object, run_id: UUID) -> None:
            runs.append(run_id)

        api.durable = object()
        monkeypatch.setattr(archive_runs, "start_orchestration", start)
        return runs

    async def test_runs_are_listed_newest_first(
        self, api: Caller, people: People, configuration: Any, runs: dict[str, UUID]
    ) -> None:
        path, seen, cursor = f"{PATH}/{configuration['id']}/runs", [], {}
        while True:
            page = (await api("GET", path, token=people.ada.token, limit=2, **cursor)).json
            seen += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert {each["id"] for each in seen} == {str(run) for run in runs.values()}
        assert [each["created_at"] for each in seen] == sorted(
            (each["created_at"] for each in seen), reverse=True
        )
        assert len(seen) == len(RunState)
        problem(await api("GET", path, token=people.bob.token), 404)
        assert (await api("GET", path, token=people.auditor)).status == 200

    async def test_a_running_run_is_asked_to_stop(
        self, api: Caller, people: People, runs: dict[str, UUID], database: Database
    ) -> None:
        path = f"v1/archive-runs/{runs['running']}/cancel"
        for _ in range(2):
            response = await api("POST", path, None, token=people.ada.token)
            assert (response.status, response.json["cancel_requested"]) == (202, True)
            assert response.json["state"] == "running"
        assert response.headers["location"] == f"/api/v1/archive-runs/{runs['running']}"
        assert len(await audited(database, "archive_run.cancel_requested")) == 1

    async def test_a_queued_run_is_cancelled_at_once_and_never_begins(
        self, api: Caller, people: People, runs: dict[str, UUID]
    ) -> None:
        path = f"v1/archive-runs/{runs['queued']}/cancel"
        response = await api("POST", path, None, token=people.ada.token)
        assert (response.status, response.json["state"]) == (202, "cancelled")
        assert "retry-after" not in response.headers
        assert not (await api.app.archiving.begin(runs["queued"])).mine
        assert (await api("POST", path, None, token=people.ada.token)).json == response.json

    async def test_a_run_that_is_over_is_not_cancelled(
        self, api: Caller, people: People, runs: dict[str, UUID]
    ) -> None:
        path = f"v1/archive-runs/{runs['completed']}/cancel"
        problem(await api("POST", path, None, token=people.ada.token), 409, "run_over")

    async def test_a_retry_is_a_run_of_the_same_window(
        self, api: Caller, people: People, runs: dict[str, UUID], started: list[UUID], database: Database
    ) -> None:
        for state in ("completed_with_errors", "cancelled"):
            response = await api("POST", f"v1/archive-runs/{runs[state]}/retry", None, token=people.ada.token)
            assert response.status == 202, response.json
            again = await api("POST", f"v1/archive-runs/{runs[state]}/retry", None, token=people.ada.token)
            assert again.json["id"] == response.json["id"]
            async with database.session() as session:
                former = await session.get_one(ArchiveRun, runs[state])
                new = await session.get_one(ArchiveRun, UUID(response.json["id"]))
            assert (new.kind, new.window_start, new.window_end) == (
                "retry",
                former.window_start,
                former.window_end,
            )
            assert started.pop() == new.id
            assert response.headers["location"] == f"/api/v1/archive-runs/{new.id}"
        assert started == []

    async def test_what_is_open_or_complete_is_not_retried(
        self, api: Caller, people: People, runs: dict[str, UUID], started: list[UUID]
    ) -> None:
        expected = {
            "queued": "run_in_progress",
            "running": "run_in_progress",
            "completed": "nothing_to_retry",
        }
        for state, code in expected.items():
            response = await api("POST", f"v1/archive-runs/{runs[state]}/retry", None, token=people.ada.token)
            problem(response, 409, code)
        assert started == []

    async def test_nobody_stops_or_retries_anothers(
        self, api: Caller, people: People, runs: dict[str, UUID], started: list[UUID]
    ) -> None:
        for action in ("cancel", "retry"):
            path = f"v1/archive-runs/{runs['cancelled']}/{action}"
            problem(await api("POST", path, None, token=people.bob.token), 404)
            problem(await api("POST", path, None, token=people.auditor), 403, "role_missing")
        assert started == []

    async def test_operations_are_listed_in_the_order_of_the_calendar(
        self, api: Caller, people: People, runs: dict[str, UUID], database: Database
    ) -> None:
        async with database.session() as session:
            make = Factory(session)
            run = await session.get_one(ArchiveRun, runs["running"])
            rows = [await make.operation(run, position=n // 2) for n in range(5)]
            rows[3].state, rows[3].error_code = OperationState.FAILED, "ErrorItemNotFound"
            await make.operation(run, state=OperationState.DRAFT)
        path, token = f"v1/archive-runs/{runs['running']}/operations", people.ada.token
        seen, cursor = [], {}
        while True:
            page = (await api("GET", path, token=token, limit=2, **cursor)).json
            seen += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert {each["id"] for each in seen} == {str(row.id) for row in rows}
        assert [each["position"] for each in seen] == [0, 0, 1, 1, 2]
        failed = (await api("GET", path, token=token, state="failed")).json["items"]
        assert [(each["id"], each["error_code"]) for each in failed] == [
            (str(rows[3].id), "ErrorItemNotFound")
        ]
        assert "Weekly" not in str(seen)
        problem(await api("GET", path, token=token, state="draft"), 422)
        problem(await api("GET", path, token=people.bob.token), 404)
