"""What the archive says of categories: findings, totals, hours (domain.md 3.3 to 3.5)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import RANGE, Record
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)


def tally(count: int, hours: float, net_hours: float | None = None) -> dict[str, Any]:
    """As it is answered; net hours are the gross ones if nothing overlaps."""
    return {"count": count, "hours": hours, "net_hours": hours if net_hours is None else net_hours}


async def test_findings_tell_each_issue_with_its_text(api: Caller, people: People, record: Record) -> None:
    await record("Acme - billable")
    await record(start=START + HOUR, subject="Dentist")
    bad = await record("Acme - paid", "Red", start=START + 2 * HOUR)
    await record("Acme - billable", "Beta - billable", start=START + 3 * HOUR)
    await record("Red", start=START + 4 * HOUR, is_cancelled=True)
    report = (await api("GET", "v1/categories/validation", token=people.ada.token, **RANGE)).json
    assert [(item["subject"], item["category_status"]) for item in report["items"]] == [
        ("Something", "ambiguous"),
        ("Dentist", "personal"),
        ("Something", "invalid"),
    ]
    assert report["items"][2]["appointment_id"] == str(bad)
    assert [(issue["kind"], issue["reason"]) for issue in report["items"][2]["issues"]] == [
        ("unknown_billing_type", "Acme - paid"),
        ("missing_separator", "Red"),
    ]
    totals = report["totals"]
    assert [totals[name] for name in ("events", "valid", "personal", "invalid", "ambiguous")] == [
        4,
        1,
        1,
        1,
        1,
    ]
    assert (totals["not_taken_place"], totals["private"]) == (1, 0)
    assert {issue["kind"]: issue["count"] for issue in totals["issues"]} == {
        "missing_separator": 1,
        "empty_customer": 0,
        "unknown_billing_type": 1,
        "ambiguous": 1,
        "none": 1,
    }


async def test_findings_come_in_pages_and_by_state(api: Caller, people: People, record: Record) -> None:
    for number in range(5):
        await record(*(["Red"] if number % 2 else []), start=START + number * HOUR, subject=str(number))
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = await api(
            "GET", "v1/categories/validation", token=people.ada.token, limit=2, **RANGE, **cursor
        )
        seen += [item["subject"] for item in page.json["items"]]
        assert page.json["totals"]["events"] == 5
        cursor = {"cursor": page.json["next"]}
    assert (seen, cursor) == (["0", "1", "2", "3", "4"], {"cursor": None})
    invalid = await api(
        "GET", "v1/categories/validation", token=people.ada.token, category_status="invalid", **RANGE
    )
    assert [item["subject"] for item in invalid.json["items"]] == ["1", "3"]


async def test_anothers_private_events_are_times_whatever_their_category(
    api: Caller, people: People, record: Record
) -> None:
    await record("Secret - paid", subject="Surgeon", sensitivity="private", start=START)
    await record("Acme - billable", subject="Affair", sensitivity="private", start=START + HOUR)
    await record("Red", start=START + 2 * HOUR)
    for token in (people.admin, people.auditor):
        response = await api("GET", "v1/categories/validation", token=token, user_id=people.ada.id, **RANGE)
        report = response.json
        assert [
            (item["subject"], item["category_status"], item["issues"]) for item in report["items"][:2]
        ] == [
            ("Private", None, []),
            ("Private", None, []),
        ]
        assert (report["totals"]["private"], report["totals"]["events"]) == (2, 3)
        statistics = await api("GET", "v1/categories/statistics", token=token, user_id=people.ada.id, **RANGE)
        assert (statistics.json["lines"], statistics.json["private"]) == ([], tally(2, 2.0))
        suggestions = await api(
            "GET", "v1/categories/suggestions", token=token, user_id=people.ada.id, **RANGE
        )
        assert len(suggestions.json["items"]) == 1
        for body in (response.body, statistics.body, suggestions.body):
            assert not [word for word in (b"Surgeon", b"Affair", b"Secret", b"Acme") if word in body]
    mine = (await api("GET", "v1/categories/validation", token=people.ada.token, **RANGE)).json
    assert [item["subject"] for item in mine["items"]] == ["Surgeon", "Something"]


async def test_hours_by_customer_and_billing_type(api: Caller, people: People, record: Record) -> None:
    await record("Acme - billable", hours=1.5)
    await record("billable - ACME", hours=1 / 3, start=START + 3 * HOUR)
    await record("Acme - non-billable", hours=2, start=START + 5 * HOUR)
    await record("Break - non-billable", hours=0.5, start=START + 8 * HOUR)
    await record(hours=4, start=START + 24 * HOUR)
    await record("Red", hours=1, start=START + 30 * HOUR)
    await record("Acme - billable", hours=8, start=START + 48 * HOUR, is_declined=True)
    await record("Acme - billable", hours=8, start=START + 72 * HOUR, show_as="free")
    found = (await api("GET", "v1/categories/statistics", token=people.ada.token, **RANGE)).json
    assert [
        (line["customer"], line["billing_type"], line["special"], line["count"], line["hours"])
        for line in found["lines"]
    ] == [
        ("ACME", "billable", None, 2, 1.83),
        ("Acme", "non-billable", None, 1, 2.0),
        ("Break", "non-billable", "break", 1, 0.5),
    ]
    assert found["personal"] == tally(1, 4.0)
    assert found["invalid"] == tally(1, 1.0)
    assert found["without_category"] == tally(2, 5.0)
    assert found["total"] == tally(6, 9.33)
    assert (found["without_hours"], found["not_taken_place"]) == (1, 1)
    acme = await api("GET", "v1/categories/statistics", token=people.ada.token, customer=" ACME ", **RANGE)
    assert acme.json["total"] == tally(3, 3.83)
    assert acme.json["personal"]["count"] == 0


async def test_days_are_those_of_the_configurations_zone(api: Caller, people: People, record: Record) -> None:
    """29 March 2026 has 23 hours in Berlin: it begins at 23:00 UTC and ends at 22:00 UTC."""
    first, last = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    await record(subject="before", start=first - timedelta(minutes=1))
    await record(subject="first", start=first, hours=3)
    await record(subject="last", start=last - timedelta(minutes=1), hours=3)
    await record(subject="after", start=last)
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    await record(
        subject="all day",
        start=midnight,
        event={"start_at": first},
        hours=24,
        is_all_day=True,
    )
    days: dict[str, Any] = {"first_day": "2026-03-29", "last_day": "2026-03-29"}
    found = await api("GET", "v1/categories/validation", token=people.ada.token, **days)
    assert [item["subject"] for item in found.json["items"]] == ["first", "all day", "last"]
    hours = await api("GET", "v1/categories/statistics", token=people.ada.token, **days)
    assert hours.json["total"] == tally(2, 6.0)
    assert hours.json["without_hours"] == 1


async def test_an_event_that_two_configurations_archive_counts_once(
    api: Caller, people: People, record: Record, database: Database, configuration: ArchiveConfiguration
) -> None:
    async with database.session() as session:
        second = await Factory(session).configuration(
            await session.get_one(User, people.ada.id),
            source_mailbox_id=people.ada.oid,
            is_default=True,
        )
    await record("Acme - billable", event={"source_key": "s:same"})
    preferred = await record("Acme - billable", event={"source_key": "s:same"}, of=second, hours=2)
    await record("Acme - billable", start=START + 5 * HOUR)
    found = (await api("GET", "v1/categories/statistics", token=people.ada.token, **RANGE)).json
    assert found["total"] == tally(2, 3.0)
    one = await api(
        "GET", "v1/categories/statistics", token=people.ada.token, configuration_id=configuration.id, **RANGE
    )
    assert one.json["total"] == tally(2, 2.0)
    assert preferred


async def test_a_range_is_named_once_and_not_too_long(api: Caller, people: People) -> None:
    for query, field in (
        ({}, "window_start"),
        ({"window_start": RANGE["window_start"]}, "window_end"),
        ({"window_start": RANGE["window_end"], "window_end": RANGE["window_start"]}, "window_end"),
        ({"first_day": "2026-03-01"}, "last_day"),
        ({"first_day": "2026-03-02", "last_day": "2026-03-01"}, "last_day"),
        (RANGE | {"first_day": "2026-03-01", "last_day": "2026-03-02"}, "first_day"),
        (RANGE | {"window_end": "2028-01-01T00:00:00Z"}, "window_end"),
        ({"first_day": "2026-03-01", "last_day": "2028-03-02"}, "last_day"),
    ):
        for report in ("validation", "statistics", "suggestions"):
            response = await api("GET", f"v1/categories/{report}", token=people.ada.token, **query)
            problem(response, 422, "validation_failed")
            assert response.fields == [field], (report, query)


async def test_a_caller_without_events_must_name_a_person(api: Caller, people: People) -> None:
    for report in ("validation", "statistics", "suggestions"):
        path = f"v1/categories/{report}"
        assert (await api("GET", path, token=people.auditor, **RANGE)).fields == ["user_id"]
        problem(await api("GET", path, token=people.bob.token, user_id=people.ada.id, **RANGE), 404)
        assert (await api("GET", path, token=api.token(), **RANGE)).status == 200
