"""Importing a calendar file leaves nothing in the simulator's state but what the calendar holds."""

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.loading.files import import_calendar
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.state.state import State

_FILE = b"""\
BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:weekly
DTSTART:20261005T090000Z
DTEND:20261005T100000Z
RRULE:FREQ=WEEKLY;COUNT=4
SUMMARY:Weekly
END:VEVENT
BEGIN:VEVENT
UID:weekly
RECURRENCE-ID:20261012T090000Z
DTSTART:20261012T140000Z
DTEND:20261012T150000Z
SUMMARY:Weekly, moved
END:VEVENT
END:VCALENDAR
"""


def test_what_exceptions_were_tried_on_is_not_saved() -> None:
    settings, state = Settings(), State()
    loader = Loader(state, settings)
    loader.load_mailbox({"address": "a@example.com"})
    (mailbox,) = state.all_mailboxes()
    report = import_calendar(loader, mailbox.default_calendar, _FILE, {})
    assert (report["loaded"], report["events"], report["unrepresentable"]) == (1, 4, [])
    # A saved event of a calendar that is not there keeps the simulator from starting again.
    assert {key for _, key in state.take_changes().events} == set(mailbox.events)
