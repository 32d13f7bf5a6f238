"""The demonstration tenant holds every kind of event that archiving must get right, for any date."""

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.local import demonstration
from infra.local.demonstration.days import first_of_month, first_of_previous_month, last_clock_change
from infra.local.demonstration.mailbox import DemoMailbox
from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.events import EventStore
from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.graph.resources import Resources
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.times import microseconds

type Json = dict[str, Any]

#: First and last days of months, leap day, just before, at and after clock changes, a year's end.
DATES = [
    date(2026, 11, 23),
    date(2027, 3, 1),
    date(2028, 2, 29),
    date(2026, 10, 25),
    date(2026, 10, 20),
    date(2027, 1, 31),
    date(2026, 4, 6),
]

KINDS = {
    "series: weekly",
    "series: daily",
    "series: absoluteMonthly",
    "series: relativeMonthly",
    "series: every second week",
    "series: occurrence moved",
    "series: occurrence renamed",
    "series: occurrence with another body and place",
    "series: occurrence cancelled",
    "all-day: one day",
    "all-day: several days",
    "zone: as Outlook names it",
    "zone: IANA",
    "zone: another than the mailbox's",
    "zone: UTC",
    "answer: declined",
    "answer: tentative",
    "answer: accepted",
    "cancelled",
    "organizer: somebody else",
    "attendees",
    "online meeting",
    "attachments",
    "show as: free",
    "show as: tentative",
    "show as: busy",
    "show as: oof",
    "show as: workingElsewhere",
    "sensitivity: private",
    "sensitivity: personal",
    "sensitivity: confidential",
    "importance: high",
    "importance: low",
    "subject: Cyrillic",
    "subject: Chinese",
    "subject: Arabic",
    "subject: Hebrew and emoji",
    "subject: none",
    "body: long",
    "duplicate",
    "overlap",
    "across midnight",
    "no length",
    "modification",
    "modification: of no meeting",
    "overlap: confirmed and tentative, both billable",
    "overlap: both busy and billable",
    "category: none",
    "category: valid",
    "category: reversed",
    "category: dash",
    "category: several separators",
    "category: special",
    "category: invalid",
    "category: ambiguous",
    "travel",
}


@pytest.mark.parametrize("today", DATES, ids=str)
def test_every_person_has_every_kind_in_the_archived_range(today: date) -> None:
    for mailbox in tenant(today):
        past = [event for event in mailbox.events if event["start"]["dateTime"][:10] < today.isoformat()]
        assert KINDS - kinds(past, mailbox) == set(), mailbox.address


@pytest.mark.parametrize("today", DATES, ids=str)
def test_every_person_has_at_least_60_events_in_each_of_the_two_months(today: date) -> None:
    for mailbox in tenant(today):
        months = Counter(event["start"]["dateTime"][:7] for event in expanded(mailbox, today))
        for first in (first_of_previous_month(today), first_of_month(today)):
            assert months[f"{first:%Y-%m}"] >= 60, (mailbox.address, first)


@pytest.mark.parametrize("today", DATES, ids=str)
def test_a_clock_change_lies_in_the_archived_range_with_a_series_on_both_sides(today: date) -> None:
    changed = []
    for mailbox in tenant(today):
        change = last_clock_change(today, mailbox.time_zone)
        if change is None or change < mailbox.archive_from:
            continue
        zone = ZoneInfo(mailbox.time_zone)
        calls = [event for event in expanded(mailbox, today) if event["subject"] == "Regional call"]
        starts = [
            datetime.fromisoformat(event["start"]["dateTime"][:19]).replace(tzinfo=UTC) for event in calls
        ]
        past = [start for start in starts if start.date() < today]
        assert {start.astimezone(zone).time() for start in past} == {time(8, 30)}
        assert len({start.time() for start in past}) == 2, "two UTC times: one before, one after the change"
        changed.append(mailbox.address)
    assert len(changed) >= 2


def test_the_zones_are_distinct() -> None:
    zones = [mailbox.time_zone for mailbox in tenant(date(2026, 11, 23))]
    assert len(set(zones)) == len(zones) == 3


@pytest.mark.parametrize("scale", ["small", "large"])
def test_the_same_date_gives_the_same_tenant(scale: str) -> None:
    first, second = (tenant(date(2026, 11, 23), scale) for _ in range(2))
    assert [mailbox.as_load() for mailbox in first] == [mailbox.as_load() for mailbox in second]


def test_each_person_has_a_second_archive_of_another_sort_and_one_an_older_month_to_backfill() -> None:
    mailboxes = tenant(date(2026, 11, 23))
    sorts = {
        (wish.store, wish.purpose, wish.overlap_policy) for box in mailboxes for wish in box.archives[1:]
    }
    assert sorts == {
        ("outlook", "timesheet", "auto"),
        ("outlook", "general", "flag"),
        ("local", "general", None),
    }
    (box,) = [box for box in mailboxes if any(wish.backfill_from for wish in box.archives)]
    older = box.archives[0].backfill_from
    assert older is not None
    assert older < box.archive_from
    days = {event["start"]["dateTime"][:10] for event in box.events}
    assert any(older.isoformat() <= day < box.archive_from.isoformat() for day in days)


def test_where_the_next_month_has_begun_a_person_has_it_already() -> None:
    """A backfill ends where nightly runs begin in the person's zone. Both would take the same month."""
    boxes = demonstration.tenant(datetime(2026, 11, 30, 16, tzinfo=UTC))
    assert {box.time_zone: box.archive_from for box in boxes if box.time_zone != "Europe/Vienna"} == {
        "America/New_York": date(2026, 10, 1),
        "Asia/Tokyo": date(2026, 11, 1),
    }


def test_the_calendar_does_not_change_within_the_month() -> None:
    early, late = (tenant(day) for day in (date(2026, 11, 10), date(2026, 11, 23)))
    assert [mailbox.events for mailbox in early] == [mailbox.events for mailbox in late]


def test_the_large_tenant_has_50_mailboxes_of_400_events_in_the_archived_range() -> None:
    today = date(2026, 11, 23)
    mailboxes = tenant(today, "large")
    assert len({mailbox.address for mailbox in mailboxes}) == 50
    for mailbox in mailboxes:
        days = [event["start"]["dateTime"][:10] for event in mailbox.events]
        assert len(days) == 400
        assert mailbox.archive_from.isoformat() <= min(days)
        # At midnight UTC, yesterday is not over in America.
        assert max(days) < (today - timedelta(days=1)).isoformat()


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="medium"):
        tenant(date(2026, 11, 23), "medium")


def tenant(today: date, scale: str = "small") -> list[DemoMailbox]:
    """At noon in UTC it is the same date for all of them."""
    return demonstration.tenant(datetime.combine(today, time(12), UTC), scale)


def expanded(mailbox: DemoMailbox, today: date) -> list[Json]:
    """Every occurrence, as the simulator expands it: what it refuses, this refuses."""
    settings, state = Settings(), State()
    resources = Resources(state, settings, EventStore(state, settings, Counters()))
    Loader(state, settings).load_mailbox(mailbox.as_load())
    (box,) = state.all_mailboxes()
    events = box.default_calendar.events.values()
    reach = timedelta(days=500)
    start, end = (datetime.combine(today, time.min, UTC) + offset for offset in (-reach, reach))
    return [raw_json(item) for item in resources.instances_in(events, microseconds(start), microseconds(end))]


def kinds(events: list[Json], mailbox: DemoMailbox) -> set[str]:
    """Which kinds of event a calendar holds, judged by what the events are, not by who made them."""
    found = set[str]()
    for event in events:
        found |= _plain_kinds(event, mailbox) | _series_kinds(event) | _category_kinds(event)
    copies = Counter(
        json.dumps([event[name] for name in ("subject", "start", "end", "body")]) for event in events
    )
    if max(copies.values()) > 1:
        found.add("duplicate")
    return found | _overlap(events)


def _plain_kinds(event: Json, mailbox: DemoMailbox) -> set[str]:
    found = {f"show as: {event.get('showAs', 'busy')}", f"sensitivity: {event.get('sensitivity')}"}
    found.add(f"importance: {event.get('importance')}")
    start, end = (datetime.fromisoformat(event[name]["dateTime"][:19]) for name in ("start", "end"))
    zone = event["start"]["timeZone"]
    if event["isAllDay"]:
        found.add("all-day: one day" if end - start == timedelta(days=1) else "all-day: several days")
    elif zone == "UTC":
        found.add("zone: UTC")
    elif zone == mailbox.time_zone:
        found.add("zone: IANA")
    elif zone.endswith("Standard Time") and "west coast" not in event["subject"]:
        found.add("zone: as Outlook names it")
    else:
        found.add("zone: another than the mailbox's")
    if not event["isAllDay"] and start.date() != end.date():
        found.add("across midnight")
    response = (event.get("responseStatus") or {}).get("response", "")
    found.add(f"answer: {response.removesuffix('lyAccepted')}")
    facts = {
        "cancelled": event.get("isCancelled"),
        "organizer: somebody else": "organizer" in event,
        "attendees": event.get("attendees"),
        "online meeting": event.get("isOnlineMeeting"),
        "attachments": event.get("attachments"),
        "no length": start == end,
        "modification": event["subject"].casefold() == "extended",
        "modification: of no meeting": event["subject"].casefold() == "extension",
        "travel": "flight" in event["subject"].casefold().split(),
        "body: long": len(event["body"]["content"]) > 20_000,
        "subject: none": event["subject"] == "",
        "subject: Cyrillic": any("а" <= letter <= "я" for letter in event["subject"]),
        "subject: Chinese": any("\u4e00" <= letter <= "\u9fff" for letter in event["subject"]),
        "subject: Arabic": any("\u0600" <= letter <= "\u06ff" for letter in event["subject"]),
        "subject: Hebrew and emoji": any("\u0590" <= letter <= "\u05ff" for letter in event["subject"])
        and any(ord(letter) > 0x1F000 for letter in event["subject"]),
    }
    return found | {kind for kind, holds in facts.items() if holds}


def _series_kinds(event: Json) -> set[str]:
    if "recurrence" not in event:
        return set()
    pattern = event["recurrence"]["pattern"]
    found = {f"series: {pattern['type']}"}
    if pattern["interval"] == 2:
        found.add("series: every second week")
    for exception in event.get("exceptions", []):
        if "start" in exception:
            found.add("series: occurrence moved")
        if "subject" in exception:
            found.add("series: occurrence renamed")
        if {"body", "location"} <= exception.keys():
            found.add("series: occurrence with another body and place")
    if event.get("cancelledOccurrences"):
        found.add("series: occurrence cancelled")
    return found


def _category_kinds(event: Json) -> set[str]:
    categories = event.get("categories") or []
    sorts = {
        "category: none": not categories,
        "category: valid": "Acme - billable" in categories,
        "category: reversed": "Billable - Acme" in categories,
        "category: dash": any("–" in category or "—" in category for category in categories),
        "category: several separators": any(category.count(" - ") > 1 for category in categories),
        "category: special": "Admin - non-billable" in categories,
        "category: invalid": categories in (["Acme billable"], ["Acme - perhaps"]),
        "category: ambiguous": len([category for category in categories if category.endswith("- billable")])
        > 1,
    }
    return {sort for sort, holds in sorts.items() if holds}


def _overlap(events: list[Json]) -> set[str]:
    timed = sorted(
        (event["start"]["dateTime"], event["end"]["dateTime"])
        for event in events
        if not event["isAllDay"] and "Standard Time" in event["start"]["timeZone"]
    )
    found = {"overlap"} if any(later[0] < earlier[1] for earlier, later in pairwise(timed)) else set[str]()
    billable = sorted(
        (event["start"]["dateTime"], event["end"]["dateTime"], event.get("showAs", "busy"))
        for event in events
        if any(category.endswith("- billable") for category in event.get("categories") or [])
        and "Standard Time" in event["start"]["timeZone"]
    )
    shown = {(one[2], other[2]) for one, other in pairwise(billable) if other[0] < one[1]}
    if ("busy", "tentative") in shown:
        found.add("overlap: confirmed and tentative, both billable")
    if ("busy", "busy") in shown:
        found.add("overlap: both busy and billable")
    return found
