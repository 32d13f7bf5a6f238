"""Decoding a page of events against the bare JSON parser on the same bytes."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from shared.graph.event_codec import EVENTS

_EVENTS = 1000
_ROUNDS = 100


def _page() -> bytes:
    def item(number: int) -> dict[str, Any]:
        moment = f"2026-03-{1 + number // 40:02}T{number % 24:02}:00:00.0000000"
        return {
            "id": f"AAMk{number:060}",
            "type": "singleInstance",
            "iCalUId": f"{number:080}",
            "changeKey": f"{number:024}",
            "subject": f"Meeting {number}",
            "body": {"contentType": "html", "content": "<html><body>" + "word " * 200 + "</body></html>"},
            "start": {"dateTime": moment, "timeZone": "UTC"},
            "end": {"dateTime": moment, "timeZone": "UTC"},
            "originalStartTimeZone": "W. Europe Standard Time",
            "originalEndTimeZone": "W. Europe Standard Time",
            "isAllDay": False,
            "location": {"displayName": "Room"},
            "categories": ["Acme - billable"],
            "showAs": "busy",
            "importance": "normal",
            "sensitivity": "normal",
            "isCancelled": False,
            "responseStatus": {"response": "organizer"},
            "hasAttachments": False,
            "organizer": {"emailAddress": {"name": "Ada", "address": "ada@example.com"}},
            "attendees": [
                {
                    "type": "required",
                    "status": {"response": "accepted"},
                    "emailAddress": {"name": "Bo", "address": "bo@example.com"},
                }
            ],
        }

    return orjson.dumps({"value": [item(number) for number in range(_EVENTS)]})


async def measure() -> list[dict[str, Any]]:
    """Milliseconds of CPU for a page of 1000 events, and the ratio: the best of rounds that take turns."""
    page = _page()
    ways: tuple[Callable[[], object], ...] = (lambda: orjson.loads(page), lambda: EVENTS.page(page))
    rounds = [[_seconds(way) for way in ways] for _ in range(_ROUNDS)]
    bare, ours = (min(each) for each in zip(*rounds, strict=True))
    return [
        {
            "events": _EVENTS,
            "bytes": len(page),
            "orjson_ms": round(bare * 1000, 2),
            "decoded_ms": round(ours * 1000, 2),
            "decoded_over_orjson": round(ours / bare, 2),
        }
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
