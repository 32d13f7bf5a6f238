"""What ``GET /_simulator`` says: each admin route, what it takes and an example."""

from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from infra.local.graph_simulator.behaviour.faults import Kind


@dataclass(frozen=True, slots=True)
class Route:
    """One admin route; ``path`` is below ``/_simulator``, ``parameters`` are those of the query."""

    method: str
    path: str
    does: str
    parameters: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    example: Any = None


_MAILBOX = "/mailboxes/{address or id}"
_EVENT = f"{_MAILBOX}/events/{{event id}}"
_WINDOW = {
    "calendar": "name or id; else all calendars",
    "start": "first instant, as 2026-01-12T00:00:00Z",
    "end": "instant to stop before",
}
_FILE = {
    "start": "first date to take",
    "end": "date to stop before",
    "zone": "IANA zone of a file that names none",
    "owner": "address of the person whose file it is",
}

ROUTES: tuple[Route, ...] = (
    Route("GET", "", "This list."),
    Route("GET", "/health", "Whether it runs, and how many mailboxes it has."),
    Route("GET", "/counters", "Requests, round trips, writes and tokens since the last reset."),
    Route("POST", "/counters/reset", "Set the counters to zero."),
    Route("GET", "/settings", "Every switch: quotas, latency, points where Graph's behaviour is unknown."),
    Route(
        "PATCH",
        "/settings",
        "Change switches.",
        body="an object of settings; null lifts a quota",
        example={"latency_ms": 50, "requests_per_10_min": None},
    ),
    Route("GET", "/faults", "The rules that are switched on, and how often each struck."),
    Route(
        "POST",
        "/faults",
        "Switch one rule on, or a list of them.",
        body=f"kind ({', '.join(get_args(Kind.__value__))}), match (method, path_regex, in_batch, mailbox), "
        "times (null: always), skip, probability; by kind also status, code, retry_after, delay_ms, "
        "stale_seconds, event, properties, longest_hours",
        example={"kind": "status", "status": 429, "retry_after": 2, "match": {"method": "GET"}, "times": 1},
    ),
    Route("DELETE", "/faults", "Switch every rule off."),
    Route(
        "POST",
        "/tokens",
        "An access token, of our API unless another audience is named.",
        body="upn or oid, roles, audience, app_only, scp, lifetime_seconds, version, overrides",
        example={"upn": "nora.berg@example.com", "roles": ["User"]},
    ),
    Route("POST", "/keys/rotate", "Sign with a new key from now on; the old ones stay published."),
    Route(
        "POST",
        "/groups",
        "Make a directory group, or a list of them.",
        body="name, id, members: addresses, object ids, or names of groups",
        example={"name": "Consultants", "members": ["nora.berg@example.com"]},
    ),
    Route("GET", "/mailboxes", "All mailboxes with their calendars."),
    Route(
        "POST",
        "/mailboxes",
        "Make or update mailboxes by address; events that are there already are not loaded twice.",
        body="one or a list: address, oid, display_name, time_zone, enabled, user_type, purpose, calendars",
        example=[{"address": "kim@example.com", "calendars": [{"name": "Calendar", "is_default": True}]}],
    ),
    Route("GET", f"{_MAILBOX}/events", "Every event, series expanded, without pages.", parameters=_WINDOW),
    Route(
        "POST",
        f"{_MAILBOX}/events",
        "Add an event as its owner; also what clients may not set.",
        parameters={"calendar": "name, created if absent; else the default one"},
        body="an event as Graph writes it",
        example={
            "subject": "Workshop",
            "start": {"dateTime": "2026-01-12T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-01-12T10:00:00", "timeZone": "UTC"},
        },
    ),
    *(
        Route(
            method,
            f"{_EVENT}/edit",
            "Change an event as its owner; an occurrence becomes an exception.",
            body="the properties to change, as Graph writes them; also isCancelled and the like",
            example={"subject": "Workshop, second part"},
        )
        for method in ("PATCH", "POST")
    ),
    Route(
        "POST",
        f"{_EVENT}/move",
        "Move an event to another calendar; its immutable id stays.",
        body="calendar: name or id, created if absent",
        example={"calendar": "Done"},
    ),
    Route(
        "POST",
        f"{_EVENT}/invite-again",
        "Replace an event by the same invitation sent again, with another id.",
        body="organizer, keep_old; both may be left out",
        example={"keep_old": True},
    ),
    Route(
        "POST",
        f"{_EVENT}/organizer",
        "Give an event another organizer; its ids stay.",
        body="name and address",
        example={"name": "Kim", "address": "kim@example.com"},
    ),
    Route("DELETE", _EVENT, "Delete an event, or one occurrence, as its owner."),
    Route(
        "POST",
        f"{_MAILBOX}/calendars/{{name}}/ics",
        "Load a calendar file into a calendar, created if absent; answers what became of each entry.",
        parameters=_FILE,
        body="the file: iCalendar, Outlook's CSV, or a zip of them",
    ),
    Route("DELETE", f"{_MAILBOX}/calendars/{{name}}", "Delete a calendar as its owner."),
    Route("GET", f"{_MAILBOX}/mail", "What was sent from the mailbox."),
    Route("GET", f"{_MAILBOX}/inbox", "What the mailbox received."),
)


def index(base_url: str) -> dict[str, Any]:
    """The answer of ``GET /_simulator``."""
    return {
        "about": "Microsoft Graph and Entra ID, simulated. These routes need no token and count as nothing. "
        "docs/simulator.md has a way through them.",
        "graph": f"{base_url}/v1.0",
        "base": f"{base_url}/_simulator",
        "routes": [
            {name: value for name, value in asdict(route).items() if value not in (None, {})}
            for route in ROUTES
        ],
    }
