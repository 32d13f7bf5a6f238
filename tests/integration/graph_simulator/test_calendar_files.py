"""iCalendar files: what is loaded, in which zone and range, and what is said to be unrepresentable."""

from typing import Any

import httpx
import pytest

from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import Graph

BOX = f"/_simulator/mailboxes/{ADDRESS}"
WORKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]
CUSTOM_ZONE = """BEGIN:VTIMEZONE
TZID:Our Office
BEGIN:STANDARD
DTSTART:16011028T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


def event(uid: str, *lines: str) -> str:
    """One VEVENT."""
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{uid}", *lines, "END:VEVENT"])


async def load(admin: httpx.AsyncClient, *parts: str, **query: str) -> dict[str, Any]:
    """The report of an import into Ada's default calendar."""
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *parts, "END:VCALENDAR"]).replace("\n", "\r\n")
    path = f"{BOX}/calendars/Calendar/ics"
    answer = await admin.post(
        path, content=text.encode(), params={"from": "2026-01-01", "to": "2027-01-01"} | query
    )
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def shown(admin: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Every occurrence of the year."""
    window = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
    value: list[dict[str, Any]] = (await admin.get(f"{BOX}/events", params=window)).json()["value"]
    return value


def times(events: list[dict[str, Any]]) -> list[str]:
    """UTC starts to the minute."""
    return [entry["start"]["dateTime"][:16] for entry in events]


def reasons(report: dict[str, Any]) -> list[str]:
    """What could not be represented, then what was read otherwise than it is written."""
    told = [*report["unrepresentable"], *report["notes"]]
    return [f"{entry['uid']}: {entry['reason']}" for entry in told]


async def test_single_event_keeps_all_its_fields(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin,
        event(
            "full",
            "DTSTART;TZID=W. Europe Standard Time:20260701T100000",
            "DURATION:PT90M",
            "DESCRIPTION:Line one\\nLine two & more",
            "LOCATION:Café\\, 1st floor",
            "CATEGORIES:Acme - billable,Online",
            "CLASS:CONFIDENTIAL",
            "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
            "PRIORITY:1",
            "ORGANIZER;CN=Boss:mailto:boss@x.example",
            f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ADDRESS}",
            "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:bob@x.example",
            "ATTACH:https://x.example/1",
            "CREATED:20260101T000000Z",
            "GEO:1.0;2.0",
            "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM",
        ),
    )
    assert (report["loaded"], report["unrepresentable"]) == (1, [])
    assert report["ignored_properties"] == {"GEO": 1}
    (found,) = await shown(admin)
    assert times([found]) == ["2026-07-01T08:00"]
    assert found["end"]["dateTime"][:16] == "2026-07-01T09:30"
    assert found["originalStartTimeZone"] == "W. Europe Standard Time"
    assert found["bodyPreview"] == "Line one\r\nLine two & more"
    assert found["location"]["displayName"] == "Café, 1st floor"
    assert found["categories"] == ["Acme - billable", "Online"]
    assert (found["sensitivity"], found["showAs"], found["importance"]) == ("confidential", "oof", "high")
    assert found["organizer"]["emailAddress"] == {"name": "Boss", "address": "boss@x.example"}
    assert found["responseStatus"]["response"] == "declined"
    assert [person["type"] for person in found["attendees"]] == ["required", "optional"]
    assert (found["attachments"], found["reminderMinutesBeforeStart"]) == (1, 10)
    assert found["createdDateTime"] == "2026-01-01T00:00:00.0000000Z"


async def test_series_with_exception_cancelled_and_extra_date(admin: httpx.AsyncClient) -> None:
    zone = "TZID=Our Office"
    report = await load(
        admin,
        CUSTOM_ZONE,
        event(
            "weekly",
            f"DTSTART;{zone}:20260316T100000",
            f"DTEND;{zone}:20260316T110000",
            "RRULE:FREQ=WEEKLY;UNTIL=20260413T000000Z",
            f"EXDATE;{zone}:20260323T100000",
            f"RDATE;{zone}:20260318T150000",
        ),
        event(
            "weekly",
            f"RECURRENCE-ID;{zone}:20260330T100000",
            f"DTSTART;{zone}:20260330T120000",
            f"DTEND;{zone}:20260330T130000",
            "STATUS:CANCELLED",
        ),
    )
    found = await shown(admin)
    assert times(found) == ["2026-03-16T09:00", "2026-03-18T14:00", "2026-03-30T10:00", "2026-04-06T08:00"]
    assert [entry["type"] for entry in found] == ["occurrence", "singleInstance", "exception", "occurrence"]
    assert [entry["isCancelled"] for entry in found] == [False, False, True, False]
    assert {entry["originalStartTimeZone"] for entry in found} == {"tzone://Microsoft/Custom"}
    assert (report["series"], report["events"], report["loaded"]) == (1, 4, 2)
    assert reasons(report) == ["weekly: the extra date 2026-03-18 15:00 is loaded as a single event"]


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("FREQ=DAILY;INTERVAL=2;COUNT=5", {"type": "daily", "interval": 2}),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=9", {"type": "weekly", "daysOfWeek": WORKDAYS}),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,FR;WKST=SU", {"type": "weekly", "firstDayOfWeek": "sunday"}),
        ("FREQ=MONTHLY;BYMONTHDAY=1", {"type": "absoluteMonthly", "dayOfMonth": 1}),
        ("FREQ=MONTHLY;BYDAY=1WE", {"type": "relativeMonthly", "index": "first"}),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", {"type": "relativeMonthly", "daysOfWeek": WORKDAYS}),
        ("FREQ=YEARLY", {"type": "absoluteYearly", "month": 7, "dayOfMonth": 1}),
        ("FREQ=YEARLY;BYMONTH=7;BYDAY=1WE", {"type": "relativeYearly", "month": 7}),
    ],
)
async def test_rules_with_an_equal_in_graph_become_series(
    admin: httpx.AsyncClient, graph: Graph, user: str, rule: str, pattern: dict[str, Any]
) -> None:
    lines = ("DTSTART;TZID=Europe/Berlin:20260701T100000", "DURATION:PT1H", f"RRULE:{rule}")
    report = await load(admin, event("series", *lines))
    assert (report["series"], report["unrepresentable"]) == (1, [])
    (master,) = await graph.all(f"{user}/events")
    assert master["recurrence"]["pattern"].items() >= pattern.items()
    assert times(await shown(admin))[0] == "2026-07-01T08:00"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["01-31", "03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]),
        ("FREQ=YEARLY;BYYEARDAY=31,60", ["01-31", "03-01"]),
        ("FREQ=MONTHLY;BYDAY=1MO,3MO;UNTIL=20260401", ["01-31", "02-02", "02-16", "03-02", "03-16"]),
        ("FREQ=HOURLY;INTERVAL=12;COUNT=3", ["01-31", "01-31", "02-01"]),
    ],
)
async def test_rules_without_an_equal_are_expanded_and_reported(
    admin: httpx.AsyncClient, rule: str, expected: list[str]
) -> None:
    report = await load(admin, event("odd", "DTSTART:20260131T100000Z", "DURATION:PT1H", f"RRULE:{rule}"))
    found = await shown(admin)
    assert [entry["start"]["dateTime"][5:10] for entry in found] == expected
    assert {entry["type"] for entry in found} == {"singleInstance"}
    assert (report["series"], report["events"]) == (0, len(expected))
    assert "loaded as single events" in reasons(report)[0]


async def test_last_day_of_the_month_is_a_series(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin, event("last", "DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3")
    )
    assert report["series"] == 1
    assert times(await shown(admin)) == ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]


async def test_all_day_and_floating_events_are_in_the_files_zone(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin,
        "X-WR-TIMEZONE:America/New_York",
        event("day", "DTSTART;VALUE=DATE:20260702", "DTEND;VALUE=DATE:20260704", "TRANSP:TRANSPARENT"),
        event("floating", "DTSTART:20260701T100000", "DTEND:20260701T110000"),
        event(
            "outlook", "DTSTART:20260706T000000", "DTEND:20260707T000000", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"
        ),
    )
    found = await shown(admin)
    assert report["zone"] == "America/New_York"
    assert [(entry["subject"], entry["isAllDay"], entry["showAs"]) for entry in found] == [
        ("floating", False, "busy"),
        ("day", True, "free"),
        ("outlook", True, "busy"),
    ]
    assert times(found) == ["2026-07-01T14:00", "2026-07-02T00:00", "2026-07-06T00:00"]
    assert {entry["originalStartTimeZone"] for entry in found} == {"America/New_York"}


async def test_zone_of_the_file_is_the_named_then_the_commonest_then_the_wished(
    admin: httpx.AsyncClient,
) -> None:
    tokyo = [event(f"t{n}", f"DTSTART;TZID=Asia/Tokyo:2026070{n}T100000", "DURATION:PT1H") for n in (1, 2)]
    rome = event("r", "DTSTART;TZID=/vendor.example/2020/Europe/Rome:20260701T100000", "DURATION:PT1H")
    plain = event("p", "DTSTART:20260701T100000Z", "DURATION:PT1H")
    assert (await load(admin, *tokyo, rome, zone="Europe/Paris"))["zone"] == "Asia/Tokyo"
    assert (await load(admin, plain, zone="Europe/Paris"))["zone"] == "Europe/Paris"
    assert (await load(admin, plain))["zone"] == "Europe/Berlin"
    rome_event = next(entry for entry in await shown(admin) if entry["subject"] == "r")
    assert rome_event["originalStartTimeZone"] == "Europe/Rome"


async def test_files_own_zones_are_told_apart_even_under_one_name(admin: httpx.AsyncClient) -> None:
    def zone(offset: str) -> str:
        lines = ("DTSTART:16010101T000000", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}")
        return "\n".join(
            ["BEGIN:VTIMEZONE", "TZID:Own", "BEGIN:STANDARD", *lines, "END:STANDARD", "END:VTIMEZONE"]
        )

    for name, offset in (("first", "+0117"), ("second", "+0217")):
        lines = ("DTSTART;TZID=Own:20260701T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")
        report = await load(admin, zone(offset), event(name, *lines))
        assert reasons(report)[0].startswith(f"{name}: its time zone equals no known one: ")
    found = {entry["start"]["dateTime"][:16]: entry["originalStartTimeZone"] for entry in await shown(admin)}
    custom = "tzone://Microsoft/Custom"
    assert found == {f"2026-07-0{day}T0{hour}:43": custom for day in (1, 2) for hour in (7, 8)}


async def test_nothing_is_dropped_silently(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin,
        event("broken", "DTSTART:tomorrow"),
        event("backwards", "DTSTART:20260701T110000Z", "DTEND:20260701T100000Z"),
        event("nowhere", "DTSTART;TZID=Mars/Base:20260701T100000", "DURATION:PT1H"),
        event("long", "DTSTART:20260701T100000Z", "DURATION:PT1H", "LOCATION:" + "x" * 300),
        event("seconds", "DTSTART:20260702T100000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"),
        event("nobody", "DTSTART:20260703T100000Z", "ATTENDEE:tel:123"),
        event("old", "DTSTART:20200101T100000Z", "DURATION:PT1H"),
        "BEGIN:VTODO\nUID:todo\nSUMMARY:todo\nEND:VTODO",
    )
    text = "\n".join(sorted(reasons(report)))
    for part in (
        "backwards: it ends before it starts",
        "broken: DTSTART cannot be read",
        "long: LOCATION is longer than 255 characters",
        "nobody: attendee tel:123 has no e-mail address",
        "seconds: it recurs too often to be counted",
        "todo: VTODO is not a calendar event",
    ):
        assert part in text
    assert {entry["subject"] for entry in await shown(admin)} == {"nowhere", "long", "nobody"}
    assert report["assumed_zones"] == [
        {"name": "Mars/Base", "read_as": "W. Europe Standard Time", "times": 1}
    ]
    assert report["outside_range"]["before"] == {"count": 1, "first": "2020-01-01", "last": "2020-01-01"}
    assert report["entries"] == {
        "total": 7,
        "loaded": 3,
        "outside_range": 1,
        "unrepresentable": 3,
        "older_version": 0,
        "left_to_another": 0,
    }


async def test_one_malformed_event_does_not_cost_the_file(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin,
        CUSTOM_ZONE,
        event("good", "DTSTART;TZID=Our Office:20260701T100000", "DURATION:PT1H"),
        event("bad", "DTSTART:20260732T100000Z", "DURATION:PT1H"),
        event("stray", "DTSTART:20260701T100000Z", "DURATION:PT1H", "END:VALARM"),
        "BEGIN:VEVENT\nUID:cut\nDTSTART:20260701T10",
    )
    assert times(await shown(admin)) == ["2026-07-01T08:00", "2026-07-01T10:00"]
    assert reasons(report)[0].startswith("bad: DTSTART cannot be read: '20260732T100000Z' is not a date")
    assert reasons(report)[1].startswith("cut: DTSTART cannot be read")


async def test_exception_graph_would_refuse_is_loaded_beside_its_series(admin: httpx.AsyncClient) -> None:
    report = await load(
        admin,
        event("daily", "DTSTART:20260706T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4"),
        event("daily", "RECURRENCE-ID:20260707T100000Z", "DTSTART:20260710T100000Z", "DURATION:PT1H"),
        event("daily", "RECURRENCE-ID:20260720T100000Z", "DTSTART:20260720T100000Z", "DURATION:PT1H"),
    )
    assert times(await shown(admin)) == [
        "2026-07-06T10:00",
        "2026-07-08T10:00",
        "2026-07-09T10:00",
        "2026-07-10T10:00",
        "2026-07-20T10:00",
    ]
    assert "replaces no occurrence" in reasons(report)[0]
    assert "ErrorOccurrenceCrossingBoundary" in reasons(report)[1]


async def test_default_range_is_the_year_up_to_the_last_event_that_is_past(admin: httpx.AsyncClient) -> None:
    parts = [
        event("early", "DTSTART:20180101T100000Z", "DURATION:PT1H"),
        event("late", "DTSTART:20190601T100000Z", "DURATION:PT1H"),
        event("future", "DTSTART:20990601T100000Z", "DURATION:PT1H"),
    ]
    report = await load(admin, *parts, **{"from": "", "to": ""})
    assert report["range"] == {"from": "2018-06-02", "to": "2019-06-02"}
    assert (report["loaded"], report["outside_range"]["count"]) == (1, 2)


async def test_importing_again_adds_nothing(admin: httpx.AsyncClient) -> None:
    part = event("weekly", "DTSTART:20260706T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3")
    first, second = await load(admin, part), await load(admin, part)
    assert (first["loaded"], first["present"], first["events"]) == (1, 0, 3)
    assert (second["loaded"], second["present"], second["events"]) == (0, 1, 3)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hello", ""),
        ("BEGIN:VCALENDAR", ""),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "?zone=Mars"),
        ("", "?from=x"),
    ],
)
async def test_unreadable_files_are_refused(admin: httpx.AsyncClient, text: str, query: str) -> None:
    answer = await admin.post(f"{BOX}/calendars/Calendar/ics{query}", content=text.encode())
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadInput"
