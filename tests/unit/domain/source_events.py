"""Source events for tests: one builder, and hypothesis strategies that make calendars."""

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.domain.events.source_event import EventType, Participant, SourceEvent
from shared.domain.runs.window import Window

ANNA = Participant("Anna Jansen", "anna@contoso.example")
BOB = Participant("Bob", "bob@fabrikam.example")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def make_event(
    event_id: str = "AAMk1", start: datetime = NOON, hours: float = 1, **changes: Any
) -> SourceEvent:
    """A single event of an hour, changed as told; ``end`` follows ``start`` unless it is given."""
    event = SourceEvent(
        id=event_id,
        type=EventType.SINGLE_INSTANCE,
        ical_uid=f"uid-{event_id}",
        change_key="ck",
        subject="Design review",
        body="<p>Agenda</p>",
        body_type="html",
        start=start,
        end=start + timedelta(hours=hours),
        start_zone="W. Europe Standard Time",
        end_zone="W. Europe Standard Time",
        is_all_day=False,
        location="Room 4",
        categories=("Acme - billable",),
        show_as="busy",
        importance="normal",
        sensitivity="normal",
        organizer=ANNA,
        attendees=(ANNA, BOB),
    )
    return replace(event, **changes)


def make_all_day(event_id: str, day: datetime, days: int = 1, **changes: Any) -> SourceEvent:
    """An all-day event of whole days from midnight of ``day``, as Graph gives it: dates tagged UTC."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return make_event(event_id, midnight, end=midnight + timedelta(days=days), is_all_day=True, **changes)


def make_occurrence(master: str, original_start: datetime, **changes: Any) -> SourceEvent:
    """An occurrence of the series ``master``."""
    return make_event(
        f"{master}-{original_start:%Y%m%d%H%M}",
        changes.pop("start", original_start),
        type=EventType.OCCURRENCE,
        series_master_id=master,
        original_start=original_start,
        **changes,
    )


@st.composite
def calendars(draw: st.DrawFn, first: datetime, days: int = 4, most: int = 25) -> list[SourceEvent]:
    """A calendar in start order, few subjects and coarse starts, so that duplicates are common."""
    events = []
    for number in range(draw(st.integers(0, most))):
        offset = timedelta(hours=draw(st.integers(-30, 24 * days + 30)))
        changes: dict[str, Any] = {
            "subject": draw(st.sampled_from(("Stand-up", "Review"))),
            "body": draw(st.sampled_from(("", "notes"))),
            "location": draw(st.sampled_from(("", "Room 4"))),
            "categories": draw(st.sampled_from(((), ("Acme - billable",)))),
        }
        if draw(st.booleans()) and draw(st.booleans()):
            events.append(make_all_day(f"e{number:02}", first + offset, **changes))
        else:
            events.append(make_event(f"e{number:02}", first + offset, **changes))
    return sorted(events, key=lambda event: event.start)


MODIFYING = ("Extended", "Shortened", "Early start", "Late start")


@st.composite
def busy_calendars(draw: st.DrawFn, first: datetime, days: int = 3, most: int = 25) -> list[SourceEvent]:
    """A calendar in start order on a grid of a quarter of an hour: overlaps, modifications, all policies."""
    events = []
    for number in range(draw(st.integers(0, most))):
        quarters = draw(st.integers(-4 * 26, 4 * (24 * days + 26)))
        changes: dict[str, Any] = {
            "subject": draw(st.sampled_from(("Stand-up", "Review", "Drive", *MODIFYING))),
            "body": "",
            "categories": draw(
                st.sampled_from(((), ("Acme - billable",), ("Beta - billable",), ("Red",), ("Online",)))
            ),
            "show_as": draw(st.sampled_from(("busy", "busy", "free", "tentative", "oof", "unknown"))),
            "importance": draw(st.sampled_from(("normal", "normal", "high", "low"))),
            "is_cancelled": draw(st.sampled_from((False, False, False, True))),
        }
        start = first + timedelta(minutes=15 * quarters)
        if draw(st.sampled_from((False, False, False, True))):
            events.append(make_all_day(f"e{number:02}", start, draw(st.integers(1, 2)), **changes))
        else:
            hours = draw(st.sampled_from((0, 0.25, 0.5, 1, 1.5, 4, 26)))
            events.append(make_event(f"e{number:02}", start, hours, **changes))
    return sorted(events, key=lambda event: event.start)


def seen_by(window: Window, events: list[SourceEvent]) -> list[SourceEvent]:
    """What a calendar view of the window and its margins shows."""
    start, end = window.read_range
    return [event for event in events if event.start < end and (event.end > start or event.start >= start)]
