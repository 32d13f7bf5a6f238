"""Suggestions out of the owner's history and rules (domain.md 3.6)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.database.engine import Database
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import RANGE, Record
from tests.support.factories import START, Factory

DAY = timedelta(days=1)
PAST = START - 30 * DAY
PATH = "v1/categories/suggestions"


def person(address: str) -> dict[str, str]:
    return {"name": "", "address": address}


def series(number: int) -> dict[str, Any]:
    return {"source_key": f"o:master:2026-02-{number:02}T09:00:00Z"}


async def test_candidates_are_ranked_with_their_evidence(api: Caller, people: People, record: Record) -> None:
    await record("Series - billable", start=PAST, event=series(1))
    for number in range(2):
        await record("Subject - billable", start=PAST + number * DAY, subject="  WEEKLY ")
    for number in range(3):
        await record(
            "Domain - billable", start=PAST + number * DAY, attendees=[person("ann@Acme.com")], hours=2
        )
    await record("Location - billable", start=PAST, location="room 1")
    await record("Unrelated - billable", start=PAST, subject="Else", attendees=[person("x@example.com")])
    meeting = await record(
        "Red",
        subject="Weekly",
        location="Room 1",
        organizer=person("bob@acme.com"),
        attendees=[person("colleague@example.com")],
        event=series(2),
    )
    found = (await api("GET", PATH, token=people.ada.token, **RANGE)).json
    (item,) = found["items"]
    assert (item["appointment_id"], item["series_id"], item["category_status"]) == (
        str(meeting),
        "master",
        "invalid",
    )
    assert item["issues"] == [{"kind": "missing_separator", "reason": "Red"}]
    assert [
        (each["category"], [(e["relation"], e["match"], e["count"]) for e in each["evidence"]])
        for each in item["suggestions"]
    ] == [
        ("Series - billable", [("series", "master", 1)]),
        ("Subject - billable", [("subject", "weekly", 2)]),
        ("Domain - billable", [("domain", "acme.com", 3)]),
        ("Location - billable", [("location", "room 1", 1)]),
    ]
    assert item["suggestions"][1]["evidence"][0]["last_used"] == "2026-02-01T09:00:00Z"
    one = (await api("GET", PATH, token=people.ada.token, appointment_id=meeting)).json
    assert one == found


async def test_an_event_with_a_valid_category_needs_none(api: Caller, people: People, record: Record) -> None:
    valid = await record("Acme - billable", "Red")
    await record(start=START + 2 * DAY, is_cancelled=True)
    assert (await api("GET", PATH, token=people.ada.token, **RANGE)).json["items"] == []
    one = (await api("GET", PATH, token=people.ada.token, appointment_id=valid)).json["items"][0]
    assert (one["category_status"], one["suggestions"]) == ("valid", [])


async def test_an_ambiguous_event_comes_first_with_its_own_categories_as_candidates(
    api: Caller, people: People, record: Record
) -> None:
    for day in (1, 2):
        await record("beta - billable", subject="Weekly", start=PAST + day * DAY)
    await record("Gamma - billable", subject="Weekly", start=PAST)
    await record(subject="Lunch")
    await record("Acme - billable", "Beta - billable", subject="Weekly", start=START + DAY)
    await record("Acme - billable", "Acme - non-billable", subject="Other", start=START + 2 * DAY)
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {}
    while query.get("cursor") is not None or not items:
        page = (await api("GET", PATH, token=people.ada.token, limit=1, **RANGE, **query)).json
        items += page["items"]
        query = {"cursor": page["next"]}
    assert [(item["subject"], item["category_status"]) for item in items] == [
        ("Weekly", "ambiguous"),
        ("Other", "ambiguous"),
        ("Lunch", "personal"),
    ]
    assert [[each["category"] for each in item["suggestions"]] for item in items] == [
        ["beta - billable", "Acme - billable", "Gamma - billable"],
        ["Acme - billable", "Acme - non-billable"],
        [],
    ]
    assert not any(each["automatic"] for item in items for each in item["suggestions"])


async def test_what_counts_as_no_time_says_nothing_of_the_next_event(
    api: Caller, people: People, record: Record
) -> None:
    await record("Acme - billable", subject="Weekly", start=PAST, excluded="resolution")
    await record("Acme - billable", subject="Weekly", start=PAST + DAY, show_as="free")
    await record("Beta - billable", subject="Weekly", start=PAST + 2 * DAY)
    await record(subject="Weekly")
    await record(subject="Extended", excluded="consumed")
    (item,) = (await api("GET", PATH, token=people.ada.token, **RANGE)).json["items"]
    assert [(each["category"], each["evidence"][0]["count"]) for each in item["suggestions"]] == [
        ("Beta - billable", 1)
    ]


async def test_history_is_ones_own(api: Caller, people: People, record: Record, database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        other = await make.configuration(await session.get_one(User, people.bob.id))
    await record(subject="Weekly")
    async with database.session() as session:
        make = Factory(session)
        await make.appointment(
            await make.archived_event(other), subject="Weekly", categories=["Bob - billable"]
        )
    found = await api("GET", PATH, token=people.ada.token, **RANGE)
    assert [item["suggestions"] for item in found.json["items"]] == [[]]


async def test_a_private_past_says_nothing_to_others(api: Caller, people: People, record: Record) -> None:
    await record("Secret - billable", subject="Weekly", start=PAST, sensitivity="private")
    meeting = await record(subject="Weekly")
    hidden = await record(subject="Weekly", start=START + DAY, sensitivity="private")
    mine = (await api("GET", PATH, token=people.ada.token, **RANGE)).json["items"]
    assert [item["suggestions"][0]["category"] for item in mine] == ["Secret - billable"] * 2
    for token in (people.admin, people.auditor):
        theirs = await api("GET", PATH, token=token, user_id=people.ada.id, **RANGE)
        assert [(item["appointment_id"], item["suggestions"]) for item in theirs.json["items"]] == [
            (str(meeting), [])
        ]
        one = (await api("GET", PATH, token=token, appointment_id=hidden)).json["items"][0]
        assert (one["subject"], one["category_status"], one["suggestions"]) == ("Private", None, [])


async def test_a_rule_comes_first_and_says_whether_it_decides(
    api: Caller, people: People, record: Record
) -> None:
    await record("Subject - billable", start=PAST, subject="Weekly")
    await record(subject="Weekly", attendees=[person("ann@acme.com")])
    rule = {"relation": "domain", "match": "@ACME.com", "category": "Acme - billable", "auto_apply": True}
    created = await api("POST", "v1/category-rules", rule, token=people.ada.token)
    assert created.status == 201, created.json
    (item,) = (await api("GET", PATH, token=people.ada.token, **RANGE)).json["items"]
    assert [(each["category"], each["rule_id"], each["automatic"]) for each in item["suggestions"]] == [
        ("Acme - billable", created.json["id"], True),
        ("Subject - billable", None, False),
    ]


async def test_anothers_appointment_is_not_there(api: Caller, people: People, record: Record) -> None:
    meeting = await record(subject="Weekly")
    problem(await api("GET", PATH, token=people.bob.token, appointment_id=meeting), 404)
    problem(await api("GET", PATH, token=people.ada.token, appointment_id=uuid4()), 404)
    problem(await api("GET", PATH, token=people.admin, appointment_id=meeting, user_id=people.bob.id), 404)
