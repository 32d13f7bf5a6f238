"""The month of a person over HTTP: JSON, page and lines (domain.md 2.20)."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import Record, api, configuration, people, record, simulator
from tests.support.factories import Factory

__all__ = ["api", "configuration", "people", "record", "simulator"]

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
#: A Monday, 10:00 in Berlin.
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME, BETA = "Acme - billable", "Beta - non-billable"
PATH = "v1/months/2026-03"
FEBRUARY = datetime(2026, 2, 10, 9, tzinfo=UTC)


@pytest.fixture
def month(api: Caller, people: People) -> Any:
    async def get(path: str = PATH, **query: Any) -> dict[str, Any]:
        found = await api("GET", path, token=people.ada.token, **query)
        assert found.status == 200, found.json
        return dict(found.json)

    return get


def tally(count: int, hours: float, net_hours: float | None = None) -> dict[str, Any]:
    return {"count": count, "hours": hours, "net_hours": hours if net_hours is None else net_hours}


async def test_a_month_tells_weeks_days_customers_and_the_month_before(
    api: Caller, people: People, month: Any, record: Record
) -> None:
    await record(ACME, start=START, hours=3)
    await record("acme - Billable", start=START + HOUR, hours=3)
    await record(BETA, start=START + 7 * DAY, hours=2)
    await record(start=START + 8 * DAY, hours=1.5, subject="Lunch with Sam")
    await record(ACME, start=START + 9 * DAY, hours=4, is_cancelled=True)
    await record(ACME, start=FEBRUARY, hours=5)
    found = await month()
    assert found["total"] == tally(4, 9.5, 7.5)
    assert found["billable"] == tally(2, 6.0, 4.0)
    assert found["non_billable"] == tally(1, 2.0)
    assert found["without_category"] == tally(1, 1.5)
    assert [(week["name"], week["first_day"], week["total"]["net_hours"]) for week in found["weeks"]] == [
        ("2026-W09", "2026-03-01", 0.0),
        ("2026-W10", "2026-03-02", 4.0),
        ("2026-W11", "2026-03-09", 3.5),
        ("2026-W12", "2026-03-16", 0.0),
        ("2026-W13", "2026-03-23", 0.0),
        ("2026-W14", "2026-03-30", 0.0),
    ]
    assert len(found["days"]) == 31
    assert sum(day["total"]["net_hours"] for day in found["days"]) == 7.5
    assert [
        (each["customer"], each["total"]["net_hours"], each["net_hours_before"])
        for each in found["customers"]
    ] == [("Acme", 4.0, 5.0), ("Beta", 2.0, 0.0)]
    assert (found["before"]["month"], found["before"]["billable"]) == ("2026-02", tally(1, 5.0))
    assert [(each["reason_code"], each["count"]) for each in found["not_counted"]] == [("cancelled", 1)]
    statistics = await api(
        "GET",
        "v1/categories/statistics",
        token=people.ada.token,
        first_day="2026-03-01",
        last_day="2026-03-31",
    )
    assert found["total"] == statistics.json["total"]


async def test_what_needs_its_owner_stands_in_the_order_of_hours_with_reason_and_advice(
    month: Any, record: Record, database: Database, configuration: ArchiveConfiguration
) -> None:
    for number in range(4):
        await record("Cobalt- billable", start=START + number * DAY, hours=2)
    for number in range(2):
        await record(ACME, start=FEBRUARY + number * DAY, subject="Weekly")
    await record(start=START + 4 * DAY, hours=3, subject="weekly")
    await record(ACME, BETA, start=START + 7 * DAY, hours=9)
    await record(ACME, start=START + 8 * DAY, hours=0.5, show_as="free", subject="Blocker")
    await record(start=START + 9 * DAY, hours=0.25, subject="Extended")
    found = await month()
    told = [(each["kind"], each["name"], each["hours"], each["count"]) for each in found["attention"]]
    assert told == [
        ("ambiguous_category", "Acme - billable; Beta - non-billable", 9.0, 1),
        ("invalid_category", "Cobalt- billable", 8.0, 4),
        ("no_category", "weekly", 3.0, 1),
        ("without_hours", "Blocker", 0.5, 1),
        ("unapplied_modification", "Extended", 0.25, 1),
    ]
    cobalt, weekly, extended = (found["attention"][number] for number in (1, 2, 4))
    assert cobalt["reason"] == "a space is missing before the hyphen"
    assert cobalt["remedy"] == "Change it to “Cobalt - billable”."
    assert weekly["suggestion"] == "Acme - billable"
    assert weekly["remedy"] == "Perhaps “Acme - billable”: 2 meetings of the same name have it."
    assert extended["reason"] == "it changes no meeting: no meeting ends near it"


async def test_an_overlap_shows_both_events_what_it_costs_and_what_the_rules_would_do(
    month: Any, record: Record, database: Database, configuration: ArchiveConfiguration
) -> None:
    async with database.session() as session:
        make = Factory(session)
        one = await make.archived_event(configuration, start_at=START)
        two = await make.archived_event(configuration, start_at=START + 30 * MINUTE)
        for event, subject, show_as in ((one, "Audit", "busy"), (two, "Maybe lunch", "tentative")):
            await make.appointment(event, subject=subject, show_as=show_as, categories=[ACME])
        await make.overlap_group(one, two, status=OverlapStatus.RECORDED, verdict=Verdict.KEPT)
    (overlap,) = (found := await month())["overlaps"]
    assert (overlap["hours_twice"], overlap["hours_waiting"]) == (0.5, 0.0)
    assert [each["subject"] for each in overlap["members"]] == ["Audit", "Maybe lunch"]
    assert [
        each["subject"] for each in overlap["members"] if each["source_key"] in overlap["proposal"]["kept"]
    ] == ["Audit"]
    (item,) = found["attention"]
    assert (item["kind"], item["overlap_id"], item["hours"]) == ("overlap", overlap["id"], 0.5)
    assert item["remedy"] == "The rule would keep “Audit”: tentative gives way to confirmed."
    assert [event["overlaps"] for event in found["events"]] == [True, True]


async def test_what_waits_for_its_owner_counts_nothing_and_its_hours_are_at_stake(
    month: Any, database: Database, configuration: ArchiveConfiguration
) -> None:
    async with database.session() as session:
        make = Factory(session)
        events = [
            await make.archived_event(
                configuration, start_at=START + number * 30 * MINUTE, state="flagged", copy_id=None
            )
            for number in range(2)
        ]
        await make.overlap_group(*events)
    found = await month()
    assert found["total"] == tally(0, 0.0)
    assert found["overlaps"][0]["hours_waiting"] == 1.5
    (item,) = found["attention"]
    assert (item["hours"], item["reason"]) == (1.5, "they overlap, and nothing of it counts until you decide")
    assert [(each["reason_code"], each["count"]) for each in found["not_counted"]] == [("waiting", 2)]


async def test_working_hours_that_nothing_covers_are_told_of_archived_days_that_are_over(
    month: Any, record: Record, database: Database, configuration: ArchiveConfiguration
) -> None:
    assert (await month())["missing_hours"] == 0
    async with database.session() as session:
        window = {"window_start": FEBRUARY, "window_end": datetime(2026, 3, 30, 22, tzinfo=UTC)}
        await Factory(session).run(configuration, state="completed", planned_at=START, plan={}, **window)
    await record(ACME, start=START, hours=8)
    await record(ACME, start=START + DAY, hours=6)
    midnight = datetime(2026, 3, 4, tzinfo=UTC)
    away = {"start_at": midnight, "end_at": midnight + 2 * DAY, "is_all_day": True, "show_as": "oof"}
    await record(start=midnight, subject="Holiday", **away)
    found = await month()
    days = {day["day"]: day for day in found["days"]}
    assert [days[f"2026-03-0{number}"]["missing_hours"] for number in range(1, 8)] == [0, 0, 2, 0, 0, 8, 0]
    assert [days[f"2026-03-0{number}"]["absent"] for number in (3, 4, 5, 6)] == [False, True, True, False]
    assert found["missing_hours"] == 2 + 8 + 8 * 16
    assert (await month(workday_hours="0"))["missing_hours"] == 0
    assert (await month("v1/months/2150-03"))["missing_hours"] == 0
    assert (await month(workdays="sat,sun"))["missing_hours"] == 8.0 * 9


async def test_the_page_needs_nothing_else_and_says_the_same_hours(
    api: Caller, people: People, month: Any, record: Record
) -> None:
    await record(ACME, start=START, hours=3.25, subject="<script>alert(1)</script>")
    await record(BETA, start=START + HOUR, hours=2)
    await record("Cobalt- billable", start=START + DAY, hours=7.5)
    found = await month()
    ways: tuple[dict[str, Any], ...] = ({"headers": {"accept": "text/html"}}, {"format": "html"})
    for asked in ways:
        page = await api("GET", PATH, token=people.ada.token, **asked)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'; style-src 'sha256-" in page.headers["content-security-policy"]
    text = page.body.decode()
    assert "<script" not in text
    assert not re.findall(r"(?:src|href|url)\s*[=(]|@import|https?:", text)
    for kind in ("total", "billable", "non_billable", "without_category"):
        assert f"<dd>{found[kind]['net_hours']:.2f}</dd>" in text
    assert f"<dd>{found['total']['hours']:.2f}</dd>" in text
    assert "a space is missing before the hyphen" in text


async def test_the_lines_are_every_event_and_add_up(
    api: Caller, people: People, month: Any, record: Record
) -> None:
    await record(ACME, start=START, hours=3.25, subject="=cmd()")
    await record(BETA, start=START + HOUR, hours=2, is_declined=True)
    answer = await api("GET", PATH, token=people.ada.token, format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="lines-2026-03.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [(line["hours"], line["counts"], line["reason_code"]) for line in lines] == [
        ("3.25", "yes", ""),
        ("0.00", "no", "declined"),
    ]
    assert (lines[0]["start"], lines[0]["subject"]) == ("2026-03-02 10:00", "'=cmd()")
    assert sum(float(line["hours"]) for line in lines) == (await month())["total"]["hours"]


async def test_the_net_hours_of_the_lines_are_those_of_the_month(
    api: Caller, people: People, month: Any, record: Record
) -> None:
    """An invoice made from the lines bills no minute twice."""
    await record(ACME, start=START, hours=3)
    await record(BETA, start=START + HOUR, hours=1)
    await record(BETA, start=START + 2 * HOUR, hours=2)
    await record(ACME, start=START + 6 * HOUR, hours=1)
    answer = await api("GET", PATH, token=people.ada.token, format="csv")
    lines = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [float(line["net_hours"]) for line in lines] == [3, 0, 1, 1]
    found = await month()
    assert found["total"] == tally(4, 7.0, 5.0)
    assert [event["net_hours"] for event in found["events"]] == [3, 0, 1, 1]


async def test_others_see_the_times_of_private_events_alone(
    api: Caller, people: People, record: Record, month: Any, database: Database, configuration: Any
) -> None:
    await record(ACME, start=START, hours=2)
    await record(
        "Secret - billable", start=START + HOUR, hours=2, sensitivity="private", subject="Secret talk"
    )
    own = await month()
    assert (own["billable"], own["private"]) == (tally(2, 4.0, 3.0), tally(0, 0.0))
    for token in (people.admin, people.auditor):
        for form in ("json", "html", "csv"):
            answer = await api("GET", PATH, token=token, user_id=people.ada.id, format=form)
            assert answer.status == 200
            assert "Secret" not in answer.body.decode()
        seen = (await api("GET", PATH, token=token, user_id=people.ada.id)).json
        assert (seen["billable"], seen["private"]) == (tally(1, 2.0), tally(1, 2.0))
        assert [event["subject"] for event in seen["events"]] == ["Something", "Private"]
        assert seen["attention"] == []
    stranger = await api("GET", PATH, token=people.bob.token, user_id=people.ada.id)
    problem(stranger, 404)
    assert (await api("GET", PATH, token=people.bob.token)).json["total"] == tally(0, 0.0)


@pytest.mark.parametrize(
    "name", ["2026-13", "2026-3", "march", "0000-01", "1900-01", "9999-12", "2026-03-01", "٢٠٢٦-٠٣"]
)
async def test_what_is_no_month_is_422_naming_it(api: Caller, people: People, name: str) -> None:
    answer = await api("GET", f"v1/months/{name}", token=people.ada.token)
    problem(answer, 422, "validation_failed")
    assert answer.fields == ["month"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_zone", "Atlantis"),
        ("workday_hours", "25"),
        ("workday_hours", "nan"),
        ("workdays", "mon,funday"),
        ("format", "pdf"),
        ("user_id", "7"),
        ("limit", "7"),
    ],
)
async def test_a_wrong_parameter_is_422_naming_it(api: Caller, people: People, name: str, value: str) -> None:
    wrong: dict[str, Any] = {name: value}
    answer = await api("GET", PATH, token=people.ada.token, **wrong)
    problem(answer, 422, "validation_failed")
    assert answer.fields == [name]


async def test_days_are_those_of_the_zone_that_is_asked_for(month: Any, record: Record) -> None:
    await record(ACME, start=datetime(2026, 3, 31, 22, 30, tzinfo=UTC), hours=1)
    assert (await month())["total"]["count"] == 0
    assert (await month("v1/months/2026-04"))["total"]["count"] == 1
    assert (await month(time_zone="Europe/London"))["total"]["count"] == 1
