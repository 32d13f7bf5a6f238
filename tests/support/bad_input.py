"""Requests that must be refused, and what their refusal must say."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.system import Archive, System

COUNTED = ("archive-configurations", "users")


async def refusals(system: System, archive: Archive) -> tuple[list[str], int]:
    """Send every bad request; what was answered wrongly, and how many were sent."""
    before = [await _count(system, path) for path in COUNTED]
    wrong: list[str] = []
    requests = await _requests(system, archive)
    for what, method, path, options, statuses, field in requests:
        answer = await system.stack.client.request(method, f"{system.stack.api}/{path}", **options)
        if problem := _wrong(answer, statuses, field):
            wrong.append(f"{what}: {problem}")
    if [await _count(system, path) for path in COUNTED] != before:
        wrong.append("something was written")
    return wrong, len(requests)


def _wrong(answer: httpx.Response, statuses: tuple[int, ...], field: str | None) -> str | None:
    if answer.status_code not in statuses:
        return f"answered {answer.status_code} {answer.text[:200]}"
    if not answer.headers["content-type"].startswith("application/problem+json"):
        return f"is no problem document: {answer.headers['content-type']}"
    body = answer.json()
    if field is not None and field not in {error["field"] for error in body.get("errors", [])}:
        return f"does not name {field}: {body}"
    return None


async def _count(system: System, path: str) -> int:
    return len([item async for item in system.api.items(path)])


async def _requests(
    system: System, archive: Archive
) -> list[tuple[str, str, str, dict[str, Any], tuple[int, ...], str | None]]:
    users = [user async for user in system.api.items("users")]
    headers = {"Authorization": f"Bearer {await system.stack.token()}"}
    expired = {"Authorization": f"Bearer {await system.stack.token(lifetime_seconds=-3600)}"}
    stranger = {"Authorization": f"Bearer {await system.stack.token(audience=str(uuid4()))}"}
    runs = f"archive-configurations/{archive.configuration_id}/runs"
    configuration = {
        "user_id": users[0]["id"],
        "name": "Second",
        "source": f"msgraph://{archive.address}/calendar",
        "archive": f"msgraph://{archive.address}/calendars/Archive",
        "time_zone": "UTC",
    }

    def post(path: str, body: Any, **more: Any) -> tuple[str, str, dict[str, Any]]:
        return "POST", path, {"json": body, "headers": headers} | more

    def window(start: str, end: str) -> dict[str, str]:
        return {"window_start": start, "window_end": end}

    bad = (400, 422)
    return [
        (
            "unknown calendar",
            *post(
                "archive-configurations",
                configuration | {"source": f"msgraph://{archive.address}/calendars/Nowhere"},
            ),
            bad,
            "source",
        ),
        (
            "not a reference",
            *post("archive-configurations", configuration | {"archive": "Archive"}),
            bad,
            "archive",
        ),
        (
            "unknown zone",
            *post("archive-configurations", configuration | {"time_zone": "Mars/Olympus"}),
            bad,
            "time_zone",
        ),
        (
            "window ends before it starts",
            *post(runs, window("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z")),
            bad,
            "window_end",
        ),
        (
            "window over 400 days",
            *post(runs, window("2024-03-01T00:00:00Z", "2026-03-01T00:00:00Z")),
            bad,
            "window_end",
        ),
        (
            "window without an offset",
            *post(runs, window("2026-03-01T00:00:00", "2026-03-02T00:00:00Z")),
            bad,
            "window_start",
        ),
        ("malformed id", "GET", "archive-runs/not-a-uuid", {"headers": headers}, (404, *bad), "id"),
        ("unknown id", "GET", f"archive-runs/{uuid4()}", {"headers": headers}, (404,), None),
        ("answer that is none", *post(f"action-items/{uuid4()}/answer", {"answer": "x"}), bad, "answer"),
        ("unknown item", *post(f"action-items/{uuid4()}/answer", {"answer": "one_meeting"}), (404,), None),
        ("unknown kind", "GET", "action-items?kind=x", {"headers": headers}, bad, "kind"),
        ("unknown field", *post(runs, {"windows": 1}), bad, "windows"),
        (
            "malformed JSON",
            "POST",
            runs,
            {"content": b"{", "headers": headers | {"Content-Type": "application/json"}},
            (400,),
            None,
        ),
        (
            "body too large",
            "POST",
            "users",
            {
                "content": b'{"display_name": "' + b"x" * 2_000_000 + b'"}',
                "headers": headers | {"Content-Type": "application/json"},
            },
            (413,),
            None,
        ),
        (
            "malformed object id",
            *post("users", {"object_id": "x", "address": "a@example.com", "display_name": "A"}),
            bad,
            "object_id",
        ),
        ("no token", "GET", "users", {}, (401,), None),
        ("expired token", "GET", "users", {"headers": expired}, (401,), None),
        ("token for another audience", "GET", "users", {"headers": stranger}, (401,), None),
        ("garbage token", "GET", "users", {"headers": {"Authorization": "Bearer x.y.z"}}, (401,), None),
    ]
