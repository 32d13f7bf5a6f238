"""One event of Graph's JSON, as the product reads it."""

from collections.abc import Mapping
from typing import Any

from shared.domain.events.source_event import SourceEvent
from shared.domain.runs.unread import Unread
from shared.graph.event_codec import EVENTS


class UndecodableEventError(ValueError):
    """The product cannot read the event."""


def decode_event(item: Mapping[str, Any]) -> SourceEvent:
    """The event; raises UndecodableEventError."""
    event = EVENTS.item(item)
    if isinstance(event, Unread):
        raise UndecodableEventError(f"event {event.event_id or '?'}: {event.code}")
    return event
