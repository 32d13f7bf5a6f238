"""The three people of the small tenant: what is ordinary in each calendar, and what is special."""

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from infra.local.demonstration import days
from infra.local.demonstration.events import Json, all_day, at, timed
from infra.local.demonstration.mailbox import EVERYTHING, DemoArchive, DemoMailbox
from infra.local.demonstration.series import regular_series, series_across_clock_change
from infra.local.demonstration.special import special_events

#: address, name, zone, the zone's name as Outlook writes it, subjects in the person's own language
_PEOPLE = (
    (
        "anna.gruber@example.com",
        "Anna Gruber",
        "Europe/Vienna",
        "W. Europe Standard Time",
        (
            "Angebot prüfen",
            "Besprechung Förderung",
            "Jour fixe Öffentlichkeitsarbeit",
            "Übergabe Projektakte",
        ),
    ),
    (
        "marcus.reed@example.com",
        "Marcus Reed",
        "America/New_York",
        "Eastern Standard Time",
        ("Contract review", "Hiring panel", "Budget walk-through", "Client call: Northwind"),
    ),
    (
        "yuki.tanaka@example.com",
        "田中 由紀",
        "Asia/Tokyo",
        "Tokyo Standard Time",
        ("週次ミーティング", "契約書レビュー", "予算会議", "顧客訪問: 大阪"),
    ),
)
_SUBJECTS = (
    "Planning",
    "Review",
    "Workshop",
    "Architecture",
    "Support",
    "Interview",
    "Report writing",
    "Rollout",
)
_CATEGORIES: tuple[list[str], ...] = (
    ["Acme - billable"],
    ["Northwind - billable"],
    ["Northwind - non-billable"],
    ["Billable - Acme"],
    ["Smith - Jones LLP - billable"],
    ["Admin - non-billable"],
    ["Break - non-billable"],
    ["Acme – billable", "Online"],
    [],
    [],
)
#: What each of them has beside the archive of everything.
_SECOND = {
    "anna.gruber@example.com": DemoArchive(
        "Timesheet", "Timesheet", purpose="timesheet", overlap_policy="auto"
    ),
    "marcus.reed@example.com": DemoArchive("Decided overlaps", "Decided", overlap_policy="flag"),
    "yuki.tanaka@example.com": DemoArchive("Kept by ourselves", "Archive", store="local"),
}
_BACKFILLED = frozenset({"yuki.tanaka@example.com"})


def small_tenant(now: datetime) -> list[DemoMailbox]:
    """Three people, each with at least 60 events in the month of ``now`` and in the one before.

    Each has the date of their own zone: in Tokyo a month begins before it ends in New York.

    Beside the archive of everything each has another one: a timesheet, one whose overlaps wait for their
    owner, one kept in our database. One person's older month is left to a backfill.

    A calendar with clock changes reaches back to the last one, so that it lies in the archived window.
    """
    return [_person(now, number) for number in range(len(_PEOPLE))]


def _person(now: datetime, number: int) -> DemoMailbox:
    address, name, zone, outlook_zone, own_subjects = _PEOPLE[number]
    today = now.astimezone(ZoneInfo(zone)).date()
    # Seeded by who and which month: the same calendar all month long.
    draw = random.Random(f"{address}|{today:%Y-%m}")
    first, last = days.first_of_previous_month(today), days.last_of_month(today)
    # A week before today, so that the day after the change was archived as well.
    change = days.last_clock_change(today - timedelta(days=7), zone)
    # And a week before the change, so that a weekly series has an occurrence on its other side.
    archive_from = min(first, days.first_of_month(change - timedelta(days=7))) if change else first
    events = [
        *regular_series(first, last, zone, outlook_zone, address),
        *special_events(first, zone, outlook_zone, address),
        *special_events(days.first_of_month(today), zone, outlook_zone, address),
        *_ordinary(draw, first, last, outlook_zone, own_subjects),
    ]
    if change:
        events += series_across_clock_change(archive_from, change, last, zone)
    older = days.first_of_previous_month(archive_from)
    if address in _BACKFILLED:
        events += _older_month(older, archive_from, outlook_zone)
    return DemoMailbox(address, name, zone, archive_from, events, _archives(address, older))


def _archives(address: str, older: date) -> tuple[DemoArchive, ...]:
    everything = replace(EVERYTHING, backfill_from=older) if address in _BACKFILLED else EVERYTHING
    return (everything, _SECOND[address])


def _older_month(first: date, end: date, zone: str) -> list[Json]:
    """A meeting on every weekday of the month that only a backfill takes."""
    return [
        timed("Looking after the pilot", at(day, 10), 45, zone, categories=["Northwind - billable"])
        for day in days.weekdays(first, end - timedelta(days=1))
    ]


def _ordinary(
    draw: random.Random, first: date, last: date, zone: str, own_subjects: tuple[str, ...]
) -> list[Json]:
    """Two or three meetings on every weekday, at times that sometimes overlap, and a day off now and then."""
    events: list[Json] = []
    for day in days.weekdays(first, last):
        for _ in range(draw.choice((2, 2, 3))):
            number = len(events) + 1
            start = at(day, draw.randrange(8, 18), draw.choice((0, 15, 30, 45)))
            events.append(
                timed(
                    draw.choice(_SUBJECTS + own_subjects),
                    start,
                    draw.choice((15, 30, 30, 45, 60, 60, 90, 120)),
                    zone,
                    f"<p>Agenda {number}: status, open points, next steps.</p>",
                    categories=draw.choice(_CATEGORIES),
                    showAs=draw.choice(("busy", "busy", "busy", "busy", "tentative", "free")),
                    importance=draw.choice(("normal", "normal", "normal", "high", "low")),
                )
            )
        if draw.random() < 0.05:
            events.append(all_day("Day off", day, 1, zone, showAs="oof"))
    return events
