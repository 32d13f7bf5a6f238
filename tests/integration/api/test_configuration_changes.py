"""Changes of configurations and runs: what they do, who may make them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.runs.archive_run import OperationState, RunState
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import PATH, create
from tests.integration.api.test_changes import audited, change
from tests.support.factories import Factory


@pytest.fixture
async def configuration(api: Caller, people: People) -> Any:
    return (await create(api, people.ada)).json


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
            zones = select(Job.time_zone).where(Job.kind == "archive")
            assert (await session.execute(zones)).scalar_one() == "Asia/Tokyo"
        (entry,) = await audited(database, "archive_configuration.updated")
        assert entry.changes["before"]["lookback_days"] == 7
        assert entry.changes["after"]["lookback_days"] == 3
        assert "Monthly" not in str(entry.changes)

    async def test_policies_change_for_what_is_archived_from_now_on(
        self, api: Caller, people: People, configuration: Any, database: Database
    ) -> None:
        body = {"overlap_policy": "flag", "all_day_counts": True, "privacy_automation": True}
        response = await change(api, "PATCH", f"{PATH}/{configuration['id']}", body, people.ada.token)
        assert response.status == 200, response.json
        assert {name: response.json[name] for name in body} == body
        assert response.json["out_of_office"] is False
        (entry,) = await audited(database, "archive_configuration.updated")
        assert entry.changes["before"]["overlap_policy"] == "keep_all"

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
        assert await api.app.archiving.service.claim_due_jobs() == []
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
        monkeypatch.setattr(started_runs, "start_archive_run", start)
        return runs

    async def test_runs_are_listed_newest_first(
        self, api: Caller, people: People, configuration: Any, runs: dict[str, UUID]
    ) -> None:
        path, seen = f"{PATH}/{configuration['id']}/runs", []
        cursor: dict[str, Any] = {}
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
            assert response.json["status"] == "running"
        assert response.headers["location"] == f"/api/v1/archive-runs/{runs['running']}"
        assert len(await audited(database, "archive_run.cancel_requested")) == 1

    async def test_a_queued_run_is_cancelled_at_once_and_never_begins(
        self, api: Caller, people: People, runs: dict[str, UUID]
    ) -> None:
        path = f"v1/archive-runs/{runs['queued']}/cancel"
        response = await api("POST", path, None, token=people.ada.token)
        assert (response.status, response.json["status"]) == (202, "cancelled")
        assert "retry-after" not in response.headers
        assert not (await api.app.archiving.service.begin(runs["queued"])).mine
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
        seen: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await api("GET", path, token=token, limit=2, **cursor)).json
            seen += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert {each["id"] for each in seen} == {str(row.id) for row in rows}
        assert [each["position"] for each in seen] == [0, 0, 1, 1, 2]
        failed = (await api("GET", path, token=token, status="failed")).json["items"]
        assert [(each["id"], each["reason_code"]) for each in failed] == [
            (str(rows[3].id), "ErrorItemNotFound")
        ]
        assert {each["subject"] for each in seen} == {"Weekly"}
        assert all(each["start"] for each in seen)
        problem(await api("GET", path, token=token, status="draft"), 422)
        problem(await api("GET", path, token=people.bob.token), 404)

    async def test_a_write_names_its_event_to_those_who_may_see_it(
        self, api: Caller, people: People, runs: dict[str, UUID], database: Database
    ) -> None:
        async with database.session() as session:
            make = Factory(session)
            run = await session.get_one(ArchiveRun, runs["running"])
            configuration = await session.get_one(ArchiveConfiguration, run.configuration_id)
            event = await make.archived_event(configuration)
            # It became private after the write was planned.
            appointment = await make.appointment(event, subject="Surgeon", sensitivity="private")
            done = {"state": OperationState.FAILED, "error_code": "Code", "payload": None, "record": None}
            await make.operation(run, event, **done)
        path = f"v1/archive-runs/{runs['running']}"
        for found in (path, f"{path}/operations"):
            own = (await api("GET", found, token=people.ada.token)).json
            (mine,) = own["items"] if "items" in own else own["problems"]
            assert (mine["subject"], mine["appointment_id"]) == ("Surgeon", str(appointment.id))
            others = (await api("GET", found, token=people.admin)).json
            (theirs,) = others["items"] if "items" in others else others["problems"]
            assert (theirs["subject"], theirs["appointment_id"]) == ("Private", None)
            assert theirs["start"] == mine["start"]
