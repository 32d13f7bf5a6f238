"""Calendar files read into a simulator's state in this process: what is loaded, and what is reported."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.loading.files import import_calendar
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.state.model import Item
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.times import microseconds, moment_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """The report of an import, and every occurrence that the mailbox holds in the range, by start."""

    report: dict[str, Any]
    occurrences: list[tuple[datetime, datetime, dict[str, Any]]]

    def spans(self, subject: str | None = None) -> list[str]:
        """``2026-03-02T08:00 09:30``: UTC start and time of end, of one subject or of all."""
        return [
            f"{start:%Y-%m-%dT%H:%M} {end:%H:%M}"
            for start, end, event in self.occurrences
            if subject in (None, event["subject"])
        ]

    def starts(self, subject: str | None = None) -> list[str]:
        """UTC starts to the minute, of one subject or of all."""
        return [span.partition(" ")[0] for span in self.spans(subject)]


def load_calendar(raw: bytes | str, **query: str) -> Loaded:
    """Import a file as the local system does; ``query`` as ``import_calendar``'s, ``from_`` for ``from``."""
    state = State()
    loader = Loader(state, Settings())
    loader.load_mailbox({"address": "mine@calendar.example.com", "time_zone": "W. Europe Standard Time"})
    (mailbox,) = state.all_mailboxes()
    content = raw.encode() if isinstance(raw, str) else raw
    asked = {name.rstrip("_"): value for name, value in query.items()}
    report = import_calendar(loader, mailbox.default_calendar, content, asked)
    first, last = (
        datetime.fromisoformat(report["range"][name]).replace(tzinfo=UTC) for name in ("from", "to")
    )
    day = timedelta(days=1)
    until = microseconds(last + 2 * day)
    found: list[Item] = []
    for event in mailbox.default_calendar.events.values():
        found.extend([event] if event.recurrence is None else event.occurrences(until))
    spans = [(moment_of(item.span.start_us), moment_of(item.span.end_us), item) for item in found]
    inside = [
        (start, end, raw_json(item))
        for start, end, item in sorted(spans, key=lambda span: span[:2])
        if first - day <= start < last + day
    ]
    return Loaded(report, inside)
