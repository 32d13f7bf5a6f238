"""Events as Graph shows them, for tests of the oracle."""

from typing import Any

from tests.simulation.source_keys import Json


def shown(start: str, end: str, **told: Any) -> Json:
    """A busy event in UTC. ``start`` and ``end`` are as ``03-01T23:00``, in 2026; ``told`` is the rest."""
    times = {
        name: {"dateTime": f"2026-{at}:00.0000000", "timeZone": "UTC"}
        for name, at in (("start", start), ("end", end))
    }
    return {
        "type": "singleInstance",
        "body": {"contentType": "html", "content": ""},
        "originalStartTimeZone": "UTC",
        "originalEndTimeZone": "UTC",
        "isAllDay": False,
        "isCancelled": False,
        "location": {"displayName": ""},
        "categories": [],
        "showAs": "busy",
        "importance": "normal",
        "sensitivity": "normal",
        **times,
        **told,
    }
