"""Overlaps over HTTP: one's own with all that is known of them, another's private events as times only."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.overlaps import OverlapMember
from shared.database.models.users import User
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archived_event import ArchivedEventState
from shared.errors import Unavailable
from shared.services.overlaps.resolving import OverlapResolving
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import START, Factory, record


@dataclass
class Overlaps:
    """Of Ada's: one that waits for her, of an archived and a private waiting event, and one that is over."""

    flagged: UUID
    closed: UUID
    configuration: UUID
    archived_key: str
    waiting_key: str


@pytest.fixture
async def overlaps(database: Database, people: People) -> Overlaps:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        archived = await make.archived_event(configuration, start_at=START)
        await make.appointment(archived, subject="Workshop")
        waiting = await make.archived_event(
            configuration,
            start_at=START + timedelta(minutes=30),
            state=ArchivedEventState.FLAGGED,
            copy_id=None,
        )
        flagged = await make.overlap_group(archived, waiting)
        member = await session.get_one(OverlapMember, (flagged.id, waiting.source_key))
        member.record = record(subject="Surgeon", sensitivity="private")
        closed = await make.overlap_group(
            archived, status=OverlapStatus.CLOSED, opened_at=START + timedelta(days=1)
        )
        await make.overlap_group(await make.archived_event(), opened_at=START)
        return Overlaps(flagged.id, closed.id, configuration.id, archived.source_key, waiting.source_key)


async def listed(api: Caller, token: str, **query: Any) -> list[str]:
    response = await api("GET", "v1/overlaps", token=token, **query)
    assert response.status == 200, response.body
    return [item["id"] for item in response.json["items"]]


async def test_people_see_what_waits_for_them(api: Caller, people: People, overlaps: Overlaps) -> None:
    token = people.ada.token
    assert await listed(api, token) == [str(overlaps.flagged), str(overlaps.closed)]
    assert await listed(api, token, status="flagged") == [str(overlaps.flagged)]
    assert await listed(api, token, configuration_id=overlaps.configuration, limit=1) == [
        str(overlaps.flagged)
    ]
    one = (await api("GET", f"v1/overlaps/{overlaps.flagged}", token=token)).json
    first, second = one["members"]
    assert (first["source_key"], first["subject"], first["categories"]) == (
        overlaps.archived_key,
        "Workshop",
        ["Acme - billable"],
    )
    assert first["appointment_id"] is not None
    assert (second["source_key"], second["subject"], second["appointment_id"]) == (
        overlaps.waiting_key,
        "Surgeon",
        None,
    )
    assert second["start"] == "2026-03-02T09:30:00Z"


async def test_an_admin_sees_the_times_of_anothers_private_event_only(
    api: Caller, people: People, overlaps: Overlaps
) -> None:
    for token in (people.admin, people.auditor):
        assert str(overlaps.flagged) in await listed(api, token, user_id=people.ada.id)
        response = await api("GET", f"v1/overlaps/{overlaps.flagged}", token=token)
        shown = [(member["subject"], member["categories"]) for member in response.json["members"]]
        assert shown == [("Workshop", ["Acme - billable"]), ("Private", [])]
        assert b"Surgeon" not in response.body


async def test_anothers_overlaps_do_not_exist_for_a_user(
    api: Caller, people: People, overlaps: Overlaps
) -> None:
    token = people.bob.token
    assert await listed(api, token) == []
    problem(await api("GET", f"v1/overlaps/{overlaps.flagged}", token=token), 404, "not_found")
    problem(await api("GET", "v1/overlaps", token=token, user_id=people.ada.id), 404, "not_found")
    configuration: dict[str, Any] = {"configuration_id": overlaps.configuration}
    problem(await api("GET", "v1/overlaps", token=token, **configuration), 404, "not_found")
    response = await api("GET", "v1/overlaps", token=people.admin)
    problem(response, 422, "validation_failed")
    assert response.fields == ["user_id"]


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The runs whose orchestration is started."""
    runs: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        runs.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    return runs


async def test_a_decision_is_written_down_and_starts_its_run(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID]
) -> None:
    path, token = f"v1/overlaps/{overlaps.flagged}", people.ada.token
    tag = (await api("GET", path, token=token)).headers["etag"]
    wish = {"action": "keep", "kept": [overlaps.archived_key]}
    answer = await api("POST", f"{path}/resolution", wish, token=token, headers={"if-match": tag})
    assert (answer.status, answer.json["status"]) == (200, "settled")
    assert [str(run) for run in started] == [answer.json["run_id"]]
    shown = (await api("GET", path, token=token)).json
    assert [member["kept"] for member in shown["members"]] == [True, False]
    assert shown["resolution"]["action"] == "keep"
    stale = await api("POST", f"{path}/resolution", wish, token=token, headers={"if-match": tag})
    problem(stale, 412, "precondition_failed")


async def test_a_decision_that_cannot_be_is_refused_by_field(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID]
) -> None:
    path, token = f"v1/overlaps/{overlaps.flagged}/resolution", people.ada.token
    both = {"action": "keep", "kept": [overlaps.archived_key, overlaps.waiting_key]}
    for wish in (both, {"action": "keep"}, {"action": "keep", "kept": ["s:unknown"]}):
        response = await api("POST", path, wish, token=token)
        problem(response, 422, "validation_failed")
        assert response.fields == ["kept"]
    problem(await api("POST", path, {"action": "keep_all"}, token=people.bob.token), 404, "not_found")
    over = f"v1/overlaps/{overlaps.closed}/resolution"
    problem(await api("POST", over, {"action": "keep_all"}, token=token), 409, "overlap_over")
    assert started == []


async def test_many_are_decided_in_one_request_each_alone(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID], database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await session.get_one(ArchiveConfiguration, overlaps.configuration)
        pair = [await make.archived_event(configuration, start_at=START + timedelta(days=3)) for _ in "ab"]
        second = await make.overlap_group(*pair)
        third = await make.overlap_group(*pair)
        others = await make.overlap_group(await make.archived_event())
    both = {"action": "keep", "kept": [overlaps.archived_key, overlaps.waiting_key]}
    wishes: list[dict[str, Any]] = [
        {"id": str(second.id), "action": "keep", "kept": [pair[0].source_key], "if_match": '"1"'},
        {"id": str(third.id), "action": "keep_all", "if_match": '"7"'},
        {"id": str(overlaps.flagged)} | both,
        {"id": str(overlaps.closed), "action": "keep_all"},
        {"id": str(others.id), "action": "keep_all"},
    ]
    answer = await api("POST", "v1/overlaps/resolutions", {"items": wishes}, token=people.ada.token)
    assert answer.status == 200, answer.body
    assert answer.json["outcomes"] == {"decided": 1, "failed": 4}
    first, *failed = answer.json["items"]
    assert (first["outcome"], first["status"], first["etag"]) == ("decided", "settled", '"2"')
    assert [str(run) for run in started] == [first["run_id"]]
    assert [each["id"] for each in failed] == [wish["id"] for wish in wishes[1:]]
    assert [each["reason_code"] for each in failed] == [
        *("precondition_failed", "validation_failed", "overlap_over", "not_found")
    ]
    assert failed[1]["errors"][0]["field"] == "kept"
    async with database.session() as session:
        members = await session.get_one(OverlapMember, (second.id, pair[1].source_key))
        assert members.kept is False
        entries = (
            await session.execute(select(AuditEntry).where(AuditEntry.action == "overlap.settled"))
        ).all()
        assert len(entries) == 1
    again = await api("POST", "v1/overlaps/resolutions", {"items": wishes[:1]}, token=people.ada.token)
    (same,) = again.json["items"]
    assert (same["outcome"], same["etag"], same["run_id"]) == ("unchanged", '"2"', None)
    assert len(started) == 1


async def test_a_repeated_key_answers_the_same_and_another_decision_replaces_the_first(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID]
) -> None:
    path, key = "v1/overlaps/resolutions", {"idempotency-key": "decide-once"}
    wish = {"items": [{"id": str(overlaps.flagged), "action": "keep_all"}]}
    one = await api("POST", path, wish, token=people.ada.token, headers=key)
    two = await api("POST", path, wish, token=people.ada.token, headers=key)
    assert (one.json, one.json["items"][0]["outcome"]) == (two.json, "decided")
    assert len(started) == 1
    other = {"id": str(overlaps.flagged), "action": "keep", "kept": [overlaps.waiting_key]}
    replaced = await api("POST", path, {"items": [other]}, token=people.admin)
    assert replaced.json["outcomes"] == {"decided": 1}
    shown = (await api("GET", f"v1/overlaps/{overlaps.flagged}", token=people.ada.token)).json
    assert shown["resolution"]["kept"] == [overlaps.waiting_key]
    assert f'"{shown["version"]}"' == replaced.json["items"][0]["etag"]


async def test_what_passes_is_no_answer_that_is_kept(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = "v1/overlaps/resolutions", {"idempotency-key": "decide-once"}
    wish = {"items": [{"id": str(overlaps.flagged), "action": "keep_all"}]}

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(OverlapResolving, "resolve", away)
        problem(await api("POST", path, wish, token=people.ada.token, headers=key), 503)
    again = await api("POST", path, wish, token=people.ada.token, headers=key)
    assert (again.status, again.json["outcomes"]) == (200, {"decided": 1})
    assert len(started) == 1


async def test_a_request_for_many_that_is_wrong_decides_none(
    api: Caller, people: People, overlaps: Overlaps, started: list[UUID]
) -> None:
    good = {"id": str(overlaps.flagged), "action": "keep_all"}
    for items, field in (
        ([], "items"),
        ([good, good], "items"),
        ([good, {"id": str(overlaps.closed), "action": "keep"}], "items.1.kept"),
        ([good | {"if_match": "3"}], "items.0.if_match"),
        ([good] * 101, "items"),
    ):
        refused = await api("POST", "v1/overlaps/resolutions", {"items": items}, token=people.ada.token)
        problem(refused, 422, "validation_failed")
        assert refused.fields == [field], items
    strangers = await api("POST", "v1/overlaps/resolutions", {"items": [good]}, token=people.bob.token)
    problem(strangers, 404, "not_found")
    assert str(overlaps.flagged) not in strangers.body.decode()
    problem(await api("POST", "v1/overlaps/resolutions", {"items": [good]}, token=people.auditor), 403)
    assert started == []
