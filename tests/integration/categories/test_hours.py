"""Hours of a person: only what counts, once, by category and by period (domain.md 2.18, 3.3, 3.5)."""

import csv
import io
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.domain.events.source_identity import common_keys
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import RANGE, Record
from tests.support.factories import START, Factory

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
PATH = "v1/categories/statistics"
ACME, BETA = "Acme - billable", "Beta - billable"


def tally(count: int, hours: float, net_hours: float | None = None) -> dict[str, Any]:
    return {"count": count, "hours": hours, "net_hours": hours if net_hours is None else net_hours}


@pytest.fixture
async def second(database: Database, people: People) -> ArchiveConfiguration:
    """Another archive of Ada's calendar, not the default one."""
    async with database.session() as session:
        user = await session.get_one(User, people.ada.id)
        return await Factory(session).configuration(user, source_mailbox_id=people.ada.oid, is_default=False)


@pytest.fixture
def statistics(api: Caller, people: People) -> Any:
    async def get(**query: Any) -> dict[str, Any]:
        """Of the usual range, or of the days that are named."""
        wanted = query if "first_day" in query else RANGE | query
        found = await api("GET", PATH, token=people.ada.token, **wanted)
        assert found.status == 200, found.json
        return dict(found.json)

    return get


async def test_only_what_counts_is_added_up(statistics: Any, record: Record) -> None:
    await record(ACME, hours=1.5)
    await record(ACME, start=START + HOUR, event={"state": "source_deleted"}, source_deleted_at=START)
    not_counted: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({}, {"excluded": "resolution"}),
        ({}, {"excluded": "consumed"}),
        ({"state": "consumed"}, {}),
        ({"state": "removed_by_owner"}, {}),
        ({}, {"is_cancelled": True}),
        ({}, {"is_declined": True}),
        ({}, {"is_all_day": True}),
        ({}, {"show_as": "free"}),
    )
    for number, (event, columns) in enumerate(not_counted):
        await record(ACME, start=START + number * DAY, event=event, **columns)
    found = await statistics()
    (line,) = found["lines"]
    assert (line["count"], line["hours"], line["net_hours"]) == (2, 2.5, 2.0)
    assert found["total"] == tally(2, 2.5, 2.0)
    assert found["source_deleted"] == tally(1, 1.0)
    assert {each["reason_code"]: each["count"] for each in found["not_counted"]} == {
        "removed_by_owner": 1,
        "consumed": 2,
        "left_out_by_resolution": 1,
        "cancelled": 1,
        "declined": 1,
        "all_day": 1,
        "free": 1,
    }
    assert (found["without_hours"], found["not_taken_place"]) == (2, 2)


async def test_what_has_no_copy_is_told_by_its_reason(
    statistics: Any, database: Database, configuration: ArchiveConfiguration
) -> None:
    async with database.session() as session:
        make = Factory(session)
        for state, left_out in (
            ("flagged", None),
            ("merged", None),
            ("left_out", "personal"),
            ("left_out", "resolution"),
            ("creating", None),
        ):
            await make.archived_event(configuration, state=state, left_out=left_out, copy_id=None)
    found = await statistics()
    assert [each["reason_code"] for each in found["not_counted"]] == [
        "merged",
        "left_out_by_resolution",
        "waiting",
        "left_out_by_rule",
        "not_written",
    ]
    assert found["total"] == tally(0, 0.0)


async def test_hours_of_an_event_with_two_customers_are_nobodys(
    api: Caller, people: People, statistics: Any, record: Record
) -> None:
    await record(hours=1, subject="Lunch")
    event = await record(ACME, BETA, hours=9, start=START + DAY)
    await record(ACME, start=START + 2 * DAY)
    await record(ACME, "Acme - non-billable", hours=2, start=START + 3 * DAY)
    found = await statistics()
    assert found["ambiguous"] == tally(2, 11.0)
    assert [(line["customer"], line["hours"]) for line in found["lines"]] == [("Acme", 1.0)]
    assert found["total"] == tally(4, 13.0)
    acme = await statistics(customer="acme")
    assert (acme["total"], acme["ambiguous"]) == (tally(1, 1.0), tally(2, 11.0))
    report = (await api("GET", "v1/categories/validation", token=people.ada.token, **RANGE)).json
    assert [item["category_status"] for item in report["items"]] == ["ambiguous", "ambiguous", "personal"]
    assert report["items"][0]["appointment_id"] == str(event)
    pages: list[str] = []
    query: dict[str, Any] = {}
    while query.get("cursor") is not None or not pages:
        page = await api("GET", "v1/categories/validation", token=people.ada.token, limit=1, **RANGE, **query)
        pages += [item["appointment_id"] for item in page.json["items"]]
        query = {"cursor": page.json["next"]}
    assert pages == [item["appointment_id"] for item in report["items"]]


async def test_a_valid_category_without_hours_is_listed(api: Caller, people: People, record: Record) -> None:
    await record(ACME)
    await record(ACME, subject="Fair", start=START + DAY, is_all_day=True)
    await record(ACME, subject="Focus", start=START + 2 * DAY, show_as="free")
    await record(ACME, subject="Gone", start=START + 3 * DAY, is_cancelled=True)
    queries: tuple[dict[str, Any], ...] = ({}, {"category_status": "without_hours"})
    for query in queries:
        report = (await api("GET", "v1/categories/validation", token=people.ada.token, **RANGE, **query)).json
        assert [
            (each["subject"], each["category_status"], each["reason_code"]) for each in report["items"]
        ] == [
            ("Fair", "valid", "all_day"),
            ("Focus", "valid", "free"),
        ]
        assert (report["totals"]["valid"], report["totals"]["without_hours"]) == (3, 2)


async def test_an_event_in_two_archives_counts_once_as_its_owner_decided(
    statistics: Any, record: Record, second: ArchiveConfiguration, configuration: ArchiveConfiguration
) -> None:
    async def twice(number: int, first: dict[str, Any], other: dict[str, Any]) -> None:
        for archive, columns in ((configuration, first), (second, other)):
            event = {"source_key": f"s:{number}"} | columns.pop("event", {})
            await record(
                *columns.pop("categories", [ACME]),
                of=archive,
                start=START + number * DAY,
                event=event,
                **columns,
            )

    await twice(0, {"hours": 1}, {"hours": 1})
    # Modified times outrank source times, an owner's edit outranks both.
    await twice(1, {"hours": 1}, {"hours": 1.5, "modifications": [{"key": "s:x"}]})
    await twice(
        2, {"hours": 1, "modifications": [{"key": "s:y"}]}, {"hours": 3, "event": {"revision": "abc.def"}}
    )
    # What its owner left out in one archive is left out, what its rules left out there is not.
    await twice(3, {"hours": 4}, {"hours": 4, "excluded": "resolution"})
    await twice(4, {"hours": 0.25, "event": {"state": "removed_by_owner"}}, {"hours": 0.25})
    # "Extended" is consumed in one archive, the other one has not seen its meeting yet.
    await twice(5, {"excluded": "consumed"}, {})
    # Archives that differ by what they took from the source: the older one is asked, none is the default.
    await twice(6, {"hours": 0.5}, {"hours": 0.5, "is_cancelled": True})
    found = await statistics()
    assert found["total"] == tally(5, 1 + 1.5 + 3 + 0.25 + 0.5)
    reasons = {each["reason_code"]: each["count"] for each in found["not_counted"]}
    assert reasons == {"left_out_by_resolution": 1, "consumed": 1}
    assert (await statistics(configuration_id=second.id))["total"] == tally(5, 1 + 1.5 + 3 + 0.25 + 1)
    assert (await statistics(configuration_id=configuration.id))["total"] == tally(5, 1 + 1 + 1 + 4 + 0.5)


async def test_an_event_that_one_archive_re_pointed_and_another_did_not_counts_once(
    statistics: Any, record: Record, second: ArchiveConfiguration, database: Database
) -> None:
    await record(ACME, event={"source_key": "s:new", "former_keys": ["s:old", "s:between"]})
    await record(ACME, event={"source_key": "s:between"}, of=second)
    # Of two duplicates one archive kept the one, another archive the other.
    await record(ACME, event={"source_key": "s:a"}, start=START + DAY)
    await record(ACME, event={"source_key": "s:b"}, start=START + DAY, of=second)
    async with database.session() as session:
        make = Factory(session)
        await make.archived_event(
            second, source_key="s:a", state="merged", merged_into="s:b", start_at=START + DAY
        )
    assert (await statistics())["total"] == tally(2, 2.0)
    # Two copies of one archive are two: they stand in its calendar side by side.
    await record(ACME, event={"source_key": "s:old"}, start=START + 2 * DAY)
    assert (await statistics())["total"] == tally(3, 3.0)


async def test_hours_by_day_week_and_month_add_up(statistics: Any, record: Record) -> None:
    """In Berlin 29 March 2026 has 23 hours; it is a Sunday."""
    saturday = datetime(2026, 3, 28, 21, tzinfo=UTC)
    await record(ACME, start=saturday, hours=4)
    await record(ACME, start=saturday + 2.5 * HOUR, hours=2)
    await record(BETA, start=saturday + 3 * HOUR, hours=0.5)
    await record(ACME, BETA, start=datetime(2026, 3, 31, 21, 59, tzinfo=UTC), hours=1)
    days = {"first_day": "2026-03-23", "last_day": "2026-04-02"}
    shown: dict[str, dict[str, Any]] = {}
    for kind, number in (("day", 11), ("week", 2), ("month", 2)):
        found = await statistics(**days, group_by=kind)
        assert len(found["periods"]) == number
        assert found["time_zone"] == "Europe/Berlin"
        for name in ("count", "hours", "net_hours"):
            assert sum(each["total"][name] for each in found["periods"]) == found["total"][name], (kind, name)
        shown[kind] = {each["name"]: each for each in found["periods"] if each["total"]["count"]}
    assert {name: each["total"] for name, each in shown["day"].items()} == {
        "2026-03-28": tally(1, 4.0),
        "2026-03-29": tally(2, 2.5, 0.5),
        "2026-03-31": tally(1, 1.0),
    }
    assert [line["net_hours"] for line in shown["day"]["2026-03-29"]["lines"]] == [0.5, 0.5]
    assert list(shown["week"]) == ["2026-W13", "2026-W14"]
    assert (shown["week"]["2026-W13"]["first_day"], shown["week"]["2026-W13"]["last_day"]) == (
        "2026-03-23",
        "2026-03-29",
    )
    assert shown["month"]["2026-03"]["ambiguous"] == tally(1, 1.0)


async def test_the_zone_of_the_days_can_be_named(
    api: Caller, people: People, statistics: Any, record: Record
) -> None:
    await record(ACME, start=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    berlin = await statistics(group_by="day")
    york = await statistics(group_by="day", time_zone="Eastern Standard Time")
    assert york["time_zone"] == "America/New_York"
    assert [
        [each["name"] for each in found["periods"] if each["total"]["count"]] for found in (berlin, york)
    ] == [["2026-03-03"], ["2026-03-02"]]
    refused = await api("GET", PATH, token=people.ada.token, **RANGE, time_zone="Mars/Olympus")
    problem(refused, 422, "validation_failed")
    assert refused.fields == ["time_zone"]
    assert (await api("GET", PATH, token=people.ada.token, **RANGE, group_by="year")).fields == ["group_by"]


async def test_statistics_come_as_csv(api: Caller, people: People, record: Record) -> None:
    await record('=cmd|"x" - billable', hours=1.5)
    await record(ACME, BETA, hours=2, start=START + DAY)
    token = people.ada.token
    named = await api("GET", PATH, token=token, format="csv", group_by="month", **RANGE)
    asked = await api("GET", PATH, token=token, headers={"Accept": "text/csv"}, group_by="month", **RANGE)
    assert named.headers["content-type"].startswith("text/csv")
    assert asked.body == named.body
    assert b"\r\n" in named.body
    rows = list(csv.DictReader(io.StringIO(named.body.decode(), newline="")))
    march = [row for row in rows if row["period"] == "2026-03"]
    assert [(row["kind"], row["customer"], row["events"], row["hours"], row["net_hours"]) for row in march][
        :3
    ] == [
        ("ambiguous", "", "1", "2.00", "2.00"),
        ("customer", '\'=cmd|"x"', "1", "1.50", "1.50"),
        ("personal", "", "0", "0.00", "0.00"),
    ]
    assert ("total", "2", "3.50") in [(row["kind"], row["events"], row["hours"]) for row in march]
    whole = await api("GET", PATH, token=token, format="csv", **RANGE)
    (total,) = [row for row in csv.DictReader(io.StringIO(whole.body.decode())) if row["kind"] == "total"]
    assert (total["period"], total["hours"]) == ("", "3.50")
    for accept, kind in (
        ("*/*", "application/json"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv;q=0.9, */*;q=0.1", "text/csv"),
        ("text/csv;q=nan", "application/json"),
    ):
        found = await api("GET", PATH, token=token, headers={"Accept": accept}, **RANGE)
        assert found.headers["content-type"].startswith(kind), accept


async def test_totals_of_two_archives_are_what_a_count_of_minutes_says(
    statistics: Any, record: Record, configuration: ArchiveConfiguration, second: ArchiveConfiguration
) -> None:
    """Thirty meetings, each in one archive or in both, some re-pointed in one of them, some left out."""
    rng = random.Random(20261128)
    minutes: defaultdict[str, list[datetime]] = defaultdict(list)
    for number in range(30):
        categories = rng.choice([[ACME], [BETA], [ACME, BETA], [], ["Red"]])
        start = START + rng.randrange(0, 5 * 24 * 60, 5) * MINUTE
        length = rng.randrange(0, 20 * 60, 5)
        old, new = f"s:old-{number}", f"s:new-{number}"
        in_first, in_second = rng.choice([(True, True), (True, False), (False, True)])
        renewed = rng.random() < 0.4
        left_out = rng.random() < 0.2
        if in_first:
            event = {"source_key": new, "former_keys": [old]} if renewed else {"source_key": old}
            reason = {"excluded": "resolution"} if left_out else {}
            await record(*categories, start=start, hours=length / 60, event=event, **reason)
        if in_second:
            event = {"source_key": old if in_first else new}
            await record(*categories, start=start, hours=length / 60, event=event, of=second)
        if not (in_first and left_out):
            minutes["+".join(categories)] += [start + each * MINUTE for each in range(length)]
    found = await statistics(group_by="day")

    def told(*names: str) -> tuple[float, float]:
        every = [minute for name in names for minute in minutes[name]]
        return round(len(every) / 60, 2), round(len(set(every)) / 60, 2)

    def shown(total: dict[str, Any]) -> tuple[float, float]:
        return total["hours"], total["net_hours"]

    ambiguous = f"{ACME}+{BETA}"
    assert shown(found["total"]) == told(ACME, BETA, ambiguous, "", "Red")
    assert shown(found["ambiguous"]) == told(ambiguous)
    assert shown(found["personal"]) == told("")
    assert shown(found["invalid"]) == told("Red")
    assert {line["customer"]: shown(line) for line in found["lines"]} == {
        "Acme": told(ACME),
        "Beta": told(BETA),
    }
    net = sum(each["total"]["net_hours"] for each in found["periods"])
    assert abs(net - found["total"]["net_hours"]) < 0.1


def test_keys_that_share_a_row_mean_one_event() -> None:
    found = common_keys([["b", "c"], ["d", "e"], ["e", "a"], ["c", "f"]])
    assert found == {"b": "b", "c": "b", "f": "b", "d": "a", "e": "a", "a": "a"}
    assert common_keys([["x"]]) == {"x": "x"}
