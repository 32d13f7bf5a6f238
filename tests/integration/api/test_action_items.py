"""Action items over HTTP: both sides for their owner, of another's private events the times, one answer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.action_items import ActionItem, ActionItemEvent
from shared.database.models.users import User
from shared.domain.action_items.items import ActionItemStatus, Question, about
from shared.triggers.http import started_runs
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import START, Factory


@dataclass
class Items:
    """Of Ada's: two that ask whether it is the same meeting, one about a series, and one that is over."""

    same: UUID
    elsewhere: UUID
    dragged: UUID
    series: UUID
    closed: UUID
    configuration: UUID


@pytest.fixture
async def items(database: Database, people: People) -> Items:
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        configuration, other = await make.configuration(ada), await make.configuration(ada)
        row, twin = await make.archived_event(configuration), await make.archived_event(other)
        await make.appointment(row, subject="Surgeon", sensitivity="private")
        asked = about(Question.LIKELY_SAME, ["the same"], ["in both"])
        series = await make.action_item(
            await make.archived_event(configuration),
            Question.SERIES_CHANGED,
            opened_at=START - timedelta(days=1),
            expires_at=START + timedelta(days=30),
        )
        same = await make.action_item(row, about=asked)
        elsewhere = await make.action_item(twin, about=asked, opened_at=START + timedelta(seconds=1))
        dragged = await make.action_item(
            await make.archived_event(configuration),
            Question.MOVED_ON,
            opened_at=START + timedelta(seconds=2),
            expires_at=START + timedelta(days=30),
        )
        closed = await make.action_item(
            await make.archived_event(configuration),
            status=ActionItemStatus.CLOSED,
            opened_at=START + timedelta(seconds=3),
        )
        await make.action_item(await make.archived_event())
        return Items(same.id, elsewhere.id, dragged.id, series.id, closed.id, configuration.id)


@pytest.fixture
def started(api: Caller, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The runs whose orchestration is started."""
    runs: list[UUID] = []

    async def start(client: object, run_id: UUID) -> None:
        runs.append(run_id)

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    return runs


async def listed(api: Caller, token: str, **query: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        page = await api("GET", "v1/action-items", token=token, **query)
        assert page.status == 200, page.body
        found += [item["id"] for item in page.json["items"]]
        if page.json["next"] is None:
            return found
        query["cursor"] = page.json["next"]


async def test_a_person_sees_what_waits_same_meetings_first(
    api: Caller, people: People, items: Items
) -> None:
    token = people.ada.token
    meetings = [str(each) for each in (items.same, items.elsewhere, items.dragged)]
    assert await listed(api, token, limit=1) == [*meetings, str(items.closed), str(items.series)]
    assert await listed(api, token, status="open", limit=2) == [*meetings, str(items.series)]
    assert await listed(api, token, kind="series_reset") == [str(items.series)]
    ours = await listed(api, token, configuration_id=items.configuration, status="open")
    assert ours == [meetings[0], meetings[2], str(items.series)]
    assert await listed(api, people.bob.token) == []
    problem(await api("GET", "v1/action-items", token=token, kind="other"), 422, "validation_failed")
    problem(await api("GET", "v1/action-items", token=people.bob.token, user_id=people.ada.id), 404)
    problem(await api("GET", "v1/action-items", token=token, cursor="x"), 422, "validation_failed")


async def test_both_sides_stand_side_by_side(api: Caller, people: People, items: Items) -> None:
    one = (await api("GET", f"v1/action-items/{items.same}", token=people.ada.token)).json
    (old,), (new,) = one["archived"], one["new"]
    assert (old["subject"], new["subject"]) == ("Surgeon", "Weekly again")
    assert old["appointment_id"] is not None
    assert (old["start"], new["start"]) == ("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z")
    assert (one["answers"], one["default"]) == (["one_meeting", "two_meetings", "new_one_only"], None)
    dragged = (await api("GET", f"v1/action-items/{items.dragged}", token=people.ada.token)).json
    assert (dragged["answers"], dragged["default"]) == (["took_place", "was_postponed"], "took_place")


async def test_others_see_the_times_of_a_private_event_only(
    api: Caller, people: People, items: Items
) -> None:
    for token in (people.admin, people.auditor):
        response = await api("GET", f"v1/action-items/{items.same}", token=token)
        (old,) = response.json["archived"]
        assert (old["subject"], old["categories"], old["appointment_id"]) == ("Private", [], None)
        assert b"Surgeon" not in response.body
    problem(await api("GET", f"v1/action-items/{items.same}", token=people.bob.token), 404, "not_found")


async def test_others_do_not_learn_that_a_private_subject_is_that_of_another_event(
    api: Caller, people: People, items: Items, database: Database
) -> None:
    async with database.session() as session:
        events = select(ActionItemEvent).where(ActionItemEvent.item_id == items.same)
        for event in (await session.execute(events.where(ActionItemEvent.side == "new"))).scalars():
            event.start_at, event.end_at = START + timedelta(hours=5), START + timedelta(hours=6)
    own = await api("GET", f"v1/action-items/{items.same}", token=people.ada.token)
    assert own.status == 200
    for token in (people.admin, people.auditor):
        problem(await api("GET", f"v1/action-items/{items.same}", token=token), 404, "not_found")
        assert str(items.same) not in await listed(api, token, user_id=people.ada.id)


async def test_an_emergency_access_opens_both_sides_and_its_use_is_audited(
    api: Caller, people: People, items: Items
) -> None:
    body = {"reason": "A court asks for it."}
    opened = await api("POST", f"v1/users/{people.ada.id}/break-glass-accesses", body, token=people.admin)
    assert opened.status == 201, opened.body
    shown = (await api("GET", f"v1/action-items/{items.same}", token=people.admin)).json
    assert [side["subject"] for side in shown["archived"]] == ["Surgeon"]
    audited = (await api("GET", "v1/audit", token=people.admin, action="break_glass.used")).json["items"]
    assert [row["resource_type"] for row in audited] == ["action_item"]
    shown = (await api("GET", f"v1/action-items/{items.same}", token=people.auditor)).json
    assert [side["subject"] for side in shown["archived"]] == ["Private"]


async def test_an_answer_is_written_down_once_for_all_archives_and_starts_their_runs(
    api: Caller, people: People, items: Items, started: list[UUID], database: Database
) -> None:
    path, token = f"v1/action-items/{items.same}", people.ada.token
    tag = (await api("GET", path, token=token)).headers["etag"]
    wish = {"answer": "one_meeting"}
    headers = {"if-match": tag, "idempotency-key": "answer-1"}
    answer = await api("POST", f"{path}/answer", wish, token=token, headers=headers)
    assert (answer.status, answer.json["status"], answer.json["answer"]) == (
        200,
        "answered",
        "one_meeting",
    )
    assert answer.json["run_id"] in [str(run) for run in started]
    assert len(started) == 2
    again = await api("POST", f"{path}/answer", wish, token=token, headers=headers)
    assert (again.status, again.json) == (200, answer.json)
    stale = await api("POST", f"{path}/answer", wish, token=token, headers={"if-match": tag})
    problem(stale, 412, "precondition_failed")
    problem(await api("POST", f"{path}/answer", wish, token=token), 409, "action_item_over")
    async with database.session() as session:
        twin = await session.get_one(ActionItem, items.elsewhere)
        assert (twin.status, twin.answer) == ("answered", "one_meeting")
        assert twin.due_at is not None
    shown = (await api("GET", path, token=token)).json
    assert shown["log"][-1]["answer"] == "one_meeting"
    audited = (await api("GET", "v1/audit", token=people.admin, action="action_item.answered")).json
    assert {row["resource_id"] for row in audited["items"]} == {str(items.same), str(items.elsewhere)}


async def test_an_answer_that_does_not_fit_is_refused_by_field(
    api: Caller, people: People, items: Items, started: list[UUID]
) -> None:
    path, token = f"v1/action-items/{items.same}/answer", people.ada.token
    for wish in ({"answer": "took_place"}, {"answer": "maybe"}, {}, {"answer": None}):
        response = await api("POST", path, wish, token=token)
        problem(response, 422, "validation_failed")
        assert response.fields == ["answer"]
    problem(await api("POST", path, {"answer": "one_meeting"}, token=people.bob.token), 404, "not_found")
    over = f"v1/action-items/{items.closed}/answer"
    problem(await api("POST", over, {"answer": "one_meeting"}, token=token), 409, "action_item_over")
    assert started == []


async def test_an_answer_that_changes_nothing_starts_no_run(
    api: Caller, people: People, items: Items, started: list[UUID]
) -> None:
    path = f"v1/action-items/{items.series}/answer"
    answer = await api("POST", path, {"answer": "keep_archived"}, token=people.ada.token)
    assert (answer.status, answer.json["run_id"], started) == (200, None, [])
    assert answer.json["carried_out_at"] is not None


async def test_what_nobody_answers_takes_its_default_and_the_others_stay(
    api: Caller, people: People, items: Items, database: Database
) -> None:
    runs = await api.app.review.answering.expire_due()
    assert runs == []
    async with database.session() as session:
        found = {row.id: row for row in (await session.execute(select(ActionItem))).scalars()}
    assert (found[items.dragged].status, found[items.dragged].answer) == ("expired", "took_place")
    assert (found[items.series].status, found[items.series].answer) == ("expired", "keep_archived")
    assert found[items.same].status == "open"


async def test_what_waits_reminds_its_owner_once_per_archive(
    api: Caller, people: People, items: Items, database: Database
) -> None:
    async with database.session() as session:
        for item_id in (items.same, items.dragged, items.elsewhere):
            (await session.get_one(ActionItem, item_id)).remind_at = START
    assert await api.app.review.item_reminders.send_due() == 2
    assert await api.app.review.item_reminders.send_due() == 0
    told = (await api("GET", "v1/notifications", token=people.ada.token)).json["items"]
    assert sorted(each["count"] for each in told if each["kind"] == "meeting_needs_you") == [1, 2]
    assert all("Surgeon" not in str(each) for each in told)


async def test_offboarding_lets_what_has_a_default_expire(api: Caller, people: People, items: Items) -> None:
    done = await api("POST", f"v1/users/{people.ada.id}/offboard", token=people.admin)
    assert (done.status, done.json["action_items_expiring"]) == (200, 2)
