"""The large tenant: many mailboxes, every event in the past, to see the product in numbers."""

import random
from datetime import date, timedelta

from infra.local.demonstration import days
from infra.local.demonstration.events import at, timed
from infra.local.demonstration.mailbox import DemoMailbox

MAILBOXES = 50
EVENTS = 400

_ZONES = ("Europe/Vienna", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo")
_SUBJECTS = ("Planning", "Review", "Support", "Workshop", "Interview", "Rollout", "Report writing", "Call")
_CATEGORIES: tuple[list[str], ...] = (
    ["Acme - billable"],
    ["Northwind - non-billable"],
    ["Admin - non-billable"],
    [],
)


def large_tenant(today: date) -> list[DemoMailbox]:
    """50 mailboxes of 400 events each, from the first day of the previous month to the day before yesterday.

    ``today`` is a date in UTC. Yesterday may not be over yet in a zone behind it.
    """
    first = days.first_of_previous_month(today)
    return [_mailbox(number, first, today) for number in range(MAILBOXES)]


def _mailbox(number: int, first: date, today: date) -> DemoMailbox:
    zone = _ZONES[number % len(_ZONES)]
    draw = random.Random(f"large|{number}|{today:%Y-%m-%d}")
    span = (today - first).days - 1
    events = [
        timed(
            f"{draw.choice(_SUBJECTS)} {entry + 1}",
            at(
                first + timedelta(days=entry * span // EVENTS),
                draw.randrange(7, 19),
                draw.choice((0, 15, 30, 45)),
            ),
            draw.choice((15, 30, 60, 90)),
            zone,
            f"<p>Agenda {entry + 1}.</p>",
            categories=draw.choice(_CATEGORIES),
        )
        for entry in range(EVENTS)
    ]
    return DemoMailbox(f"person{number + 1:02}@example.com", f"Person {number + 1}", zone, first, events)
