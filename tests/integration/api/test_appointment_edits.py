"""Editing an archived appointment over HTTP (domain.md 2.5)."""

from typing import Any
from uuid import UUID

import pytest

from shared.database.engine import Database
from shared.database.models.users import User
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.support.factories import Factory


@pytest.fixture
async def ids(database: Database, people: People) -> dict[str, UUID]:
    """An ordinary and a private appointment of Ada."""
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        ordinary = await make.appointment(await make.archived_event(configuration))
        private = await make.appointment(await make.archived_event(configuration), sensitivity="private")
        return {"ordinary": ordinary.id, "private": private.id}


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The runs whose orchestration is started."""
    runs: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        runs.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    return runs


async def edit(api: Caller, appointment: UUID, token: str, body: Any, tag: str = "*") -> Response:
    return await api("PATCH", f"v1/appointments/{appointment}", body, token=token, headers={"if-match": tag})


async def test_an_edit_is_accepted_with_the_run_that_does_it(
    api: Caller, people: People, ids: dict[str, UUID], started: list[UUID]
) -> None:
    found = await api("GET", f"v1/appointments/{ids['ordinary']}", token=people.ada.token)
    accepted = await edit(
        api, ids["ordinary"], people.ada.token, {"subject": "Retreat"}, found.headers["etag"]
    )
    assert (accepted.status, accepted.json["mode"]) == (202, "edit")
    assert accepted.headers["location"].endswith(f"archive-runs/{accepted.json['id']}")
    assert [str(run) for run in started] == [accepted.json["id"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"end": "2026-03-01T00:00:00Z"}, "end"),
        ({"show_as": "asleep"}, "show_as"),
        ({"categories": "Acme - billable"}, "categories"),
        ({"subject": "a\u202eb"}, "subject"),
        ({"body": "x"}, "body"),
    ],
)
async def test_a_wrong_edit_is_refused_by_field(
    api: Caller, people: People, ids: dict[str, UUID], started: list[UUID], body: Any, field: str
) -> None:
    response = await edit(api, ids["ordinary"], people.ada.token, body)
    problem(response, 422, "validation_failed")
    assert response.fields == [field]
    assert started == []


async def test_who_may_edit(api: Caller, people: People, ids: dict[str, UUID], started: list[UUID]) -> None:
    body = {"subject": "Retreat"}
    problem(await edit(api, ids["ordinary"], people.bob.token, body), 404, "not_found")
    problem(await edit(api, ids["private"], people.admin, body), 403, "private_appointment")
    problem(await edit(api, ids["ordinary"], people.ada.token, body, '"1"'), 412, "precondition_failed")
    assert (await edit(api, ids["ordinary"], people.admin, body)).status == 202
