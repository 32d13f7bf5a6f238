"""Applying categories to the events themselves, on their owner's word or by their rules (domain.md 3.6)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.audit import AuditEntry
from shared.database.models.local_calendars import LocalEvent
from shared.database.models.users import User
from shared.domain.calendars.local_calendar import local_id
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import RANGE, Record
from tests.support.factories import START, Factory

PATH = "v1/categories/suggestions/apply"
DAY = timedelta(days=1)
ACME = "Acme - billable"

type Put = Callable[..., Any]


def of(event: Any) -> dict[str, Any]:
    """What the map knows of an event that was archived from Outlook."""
    source_id = event.id(immutable=True)
    return {"source_id": source_id, "source_key": f"s:{source_id}"}


async def apply(api: Caller, people: People, *chosen: tuple[UUID, str], **more: Any) -> Response:
    choices = [{"appointment_id": str(each), "category": category} for each, category in chosen]
    return await api("POST", PATH, {"choices": choices, **more}, token=people.ada.token)


def outcomes(response: Response) -> list[str]:
    assert response.status == 200, response.json
    return [item["outcome"] for item in response.json["items"]]


async def test_a_chosen_category_goes_to_the_event_and_is_audited(
    api: Caller, people: People, record: Record, in_outlook: Put, database: Database
) -> None:
    event = in_outlook("Weekly", categories=["Red"])
    meeting = await record("Red", event=of(event))
    response = await apply(api, people, (meeting, ACME))
    assert outcomes(response) == ["applied"]
    assert event.fields["categories"] == [ACME, "Red"]
    async with database.session() as session:
        entry = (
            await session.execute(select(AuditEntry).where(AuditEntry.action == "category.applied"))
        ).scalar_one()
        row = await session.get_one(Appointment, meeting)
    assert (entry.resource_id, entry.on_behalf_of) == (str(meeting), people.ada.id)
    assert ACME not in str(entry.changes)
    # What is archived is changed by the next run alone.
    assert row.categories == ["Red"]
    assert outcomes(await apply(api, people, (meeting, ACME))) == ["unchanged"]
    assert outcomes(await apply(api, people, (meeting, "Beta - billable"))) == ["has_category"]
    assert event.fields["categories"] == [ACME, "Red"]


async def test_an_ambiguous_event_gets_the_one_that_is_chosen(
    api: Caller, people: People, record: Record, in_outlook: Put
) -> None:
    both = ["Beta - billable", ACME, "Online"]
    event = in_outlook("Weekly", categories=both)
    meeting = await record(*both, event=of(event))
    assert outcomes(await apply(api, people, (meeting, ACME))) == ["applied"]
    assert event.fields["categories"] == [ACME, "Online"]


async def test_each_event_tells_its_own_outcome(
    api: Caller, people: People, record: Record, in_outlook: Put, database: Database
) -> None:
    gone = in_outlook("Gone", start=START + DAY)
    there = in_outlook("There")
    first, second = await record(event=of(gone)), await record(event=of(there))
    async with database.session() as session:
        make = Factory(session)
        bob = await make.configuration(await session.get_one(User, people.bob.id))
        others = (await make.appointment(await make.archived_event(bob))).id
    api.simulator.state.remove(gone)
    response = await apply(api, people, *((each, ACME) for each in (first, others, second, uuid4())))
    assert outcomes(response) == ["gone", "not_found", "applied", "not_found"]


async def test_an_event_of_a_local_calendar_is_given_one_too(
    api: Caller, people: People, record: Record, database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        diary = await make.local_calendar(ada, name="Diary")
        local = await make.local_event(diary, subject="Weekly", categories=["Red"])
        source = local_id(local.id)
        configuration = await make.configuration(
            ada, source_mailbox_id=people.ada.oid, source_calendar_id=local_id(diary.id)
        )
    meeting = await record("Red", of=configuration, event={"source_id": source, "source_key": f"s:{source}"})
    assert outcomes(await apply(api, people, (meeting, ACME))) == ["applied"]
    async with database.session() as session:
        assert (await session.get_one(LocalEvent, local.id)).categories == [ACME, "Red"]


async def test_occurrences_of_one_series_are_given_theirs(
    api: Caller, people: People, record: Record, in_outlook: Put
) -> None:
    pattern = {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 4},
    }
    master = in_outlook("Daily", recurrence=pattern)
    days = [START.date().toordinal() + number for number in range(3)]
    meetings = []
    for number, day in enumerate(days):
        start = START + number * DAY
        key = f"o:{master.id(immutable=True)}:{start:%Y-%m-%dT%H:%M:%SZ}"
        occurrence = {"source_id": master.occurrence(day).id(immutable=True), "source_key": key}
        meetings.append(await record(start=start, event=occurrence))
    response = await apply(api, people, *((each, ACME) for each in meetings))
    assert outcomes(response) == ["applied"] * 3
    assert [master.occurrence(day).fields["categories"] for day in days] == [[ACME]] * 3
    assert master.occurrence(days[-1] + 1).fields["categories"] == []


async def test_a_lost_answer_is_looked_up_and_a_busy_mailbox_told(
    api: Caller, people: People, record: Record, in_outlook: Put
) -> None:
    event, other = in_outlook("Weekly"), in_outlook("Other", start=START + DAY)
    first, second = await record(event=of(event)), await record(event=of(other), start=START + DAY)
    fault = {"match": {"method": "PATCH", "path_regex": "/events/"}}
    api.simulator.faults.add({"kind": "missing_subresponse", **fault})
    assert outcomes(await apply(api, people, (first, ACME))) == ["applied"]
    api.simulator.faults.add({"kind": "status", "status": 429, "retry_after": 1, **fault})
    response = await apply(api, people, (second, ACME))
    assert [(item["outcome"], item["reason_code"]) for item in response.json["items"]] == [
        ("failed", "ApplicationThrottled")
    ]
    assert other.fields["categories"] == []


async def test_rules_are_applied_where_they_decide_and_only_on_request(
    api: Caller, people: People, record: Record, in_outlook: Put
) -> None:
    events = [in_outlook(name, start=START + number * DAY) for number, name in enumerate("abcd")]
    taken = in_outlook("e", start=START + 4 * DAY, categories=["Beta - billable"])
    subjects = ["Weekly", "WEEKLY ", "Lunch", "Weekly", "Weekly"]
    meetings = [
        await record(event=of(event), start=START + number * DAY, subject=subject)
        for number, (event, subject) in enumerate(zip([*events, taken], subjects, strict=True))
    ]
    await record("Red", start=START + 5 * DAY, subject="Weekly", is_declined=True)
    for match, auto in (("Weekly", True), ("Lunch", False)):
        rule = {"relation": "subject", "match": match, "category": ACME, "auto_apply": auto}
        assert (await api("POST", "v1/category-rules", rule, token=people.ada.token)).status == 201
    assert not any(event.fields["categories"] for event in events)
    first = await apply(api, people, (meetings[0], "Gamma - billable"), rules=RANGE)
    assert [
        (item["appointment_id"], item["category"], item["outcome"], item["rule_id"] is not None)
        for item in first.json["items"]
    ] == [
        (str(meetings[0]), "Gamma - billable", "applied", False),
        (str(meetings[1]), ACME, "applied", True),
        (str(meetings[3]), ACME, "applied", True),
        (str(meetings[4]), ACME, "has_category", True),
    ]
    assert first.json["next"] is None
    assert [event.fields["categories"] for event in events] == [["Gamma - billable"], [ACME], [], [ACME]]
    again = await apply(api, people, rules=RANGE)
    assert outcomes(again) == ["has_category", "unchanged", "unchanged", "has_category"]


async def test_the_rules_continue_where_they_stopped(
    api: Caller, people: People, record: Record, monkeypatch: Any
) -> None:
    from shared.services.categories import applying

    monkeypatch.setattr(applying, "MOST_CHOICES", 2)
    monkeypatch.setattr(applying, "_PAGE", 2)
    rule = {"relation": "subject", "match": "Weekly", "category": ACME, "auto_apply": True}
    await api("POST", "v1/category-rules", rule, token=people.ada.token)

    async def nothing(*_: object) -> dict[str, None]:
        return {}

    monkeypatch.setattr(api.app.foundations.calendars, "get_events", nothing)
    meetings = [await record(start=START + number * DAY, subject="Weekly") for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = (await apply(api, people, rules=RANGE, **cursor)).json
        seen += [item["appointment_id"] for item in page["items"]]
        cursor = {"cursor": page["next"]}
    assert (seen, cursor) == ([str(each) for each in meetings], {"cursor": None})


async def test_what_cannot_be_applied_is_refused(api: Caller, people: People, record: Record) -> None:
    meeting = await record()
    for body, field in (
        ({}, "body"),
        ({"choices": []}, "body"),
        ({"choices": [{"appointment_id": str(meeting), "category": "Red"}]}, "choices.0.category"),
        ({"choices": [{"appointment_id": str(meeting), "category": "Online"}]}, "choices.0.category"),
        ({"choices": [{"appointment_id": str(meeting), "category": ACME}] * 2}, "choices"),
        ({"rules": {"window_start": RANGE["window_start"]}}, "rules.window_end"),
        ({"rules": RANGE | {"window_end": "2030-01-01T00:00:00Z"}}, "window_end"),
        ({"rules": RANGE, "cursor": "x"}, "cursor"),
    ):
        response = await api("POST", PATH, body, token=people.ada.token)
        problem(response, 422, "validation_failed")
        assert response.fields == [field], body


async def test_an_admin_may_act_for_another_but_not_on_what_is_private(
    api: Caller, people: People, record: Record, in_outlook: Put
) -> None:
    event, secret = in_outlook("Weekly"), in_outlook("Secret", start=START + DAY, sensitivity="private")
    meeting = await record(event=of(event))
    hidden = await record(event=of(secret), start=START + DAY, sensitivity="private")
    choices = [{"appointment_id": str(each), "category": ACME} for each in (meeting, hidden)]
    body = {"user_id": str(people.ada.id), "choices": choices}
    problem(await api("POST", PATH, body, token=people.bob.token), 404)
    problem(await api("POST", PATH, body, token=people.auditor), 403)
    assert outcomes(await api("POST", PATH, body, token=people.admin)) == ["applied", "not_found"]
    assert secret.fields["categories"] == []
    await api(
        "PATCH", f"v1/users/{people.ada.id}", {"active": False}, token=people.admin, headers={"if-match": "*"}
    )
    problem(await api("POST", PATH, body, token=people.admin), 409, "user_deactivated")


async def test_under_an_idempotency_key_it_happens_once(
    api: Caller, people: People, record: Record, in_outlook: Put, database: Database
) -> None:
    event = in_outlook("Weekly")
    meeting = await record(event=of(event))
    body = {"choices": [{"appointment_id": str(meeting), "category": ACME}]}
    key = {"idempotency-key": "once"}
    first = await api("POST", PATH, body, token=people.ada.token, headers=key)
    second = await api("POST", PATH, body, token=people.ada.token, headers=key)
    assert outcomes(first) == outcomes(second) == ["applied"]
    assert second.headers["idempotency-replayed"] == "true"
    async with database.session() as session:
        entries = await session.execute(select(AuditEntry).where(AuditEntry.action == "category.applied"))
        assert len(entries.all()) == 1
