"""Archive runs started through the API and followed to their end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.local.api import Api
from infra.local.errors import LocalError

_FINISHED = {"completed", "completed_with_errors", "cancelled"}
_POLL_SECONDS = 0.25
#: Something is said this often even if nothing moves.
_TELL_SECONDS = 10.0
#: A run that finishes nothing for so long is not going to.
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to start: nightly without a window, else for ``[start, end)``."""

    configuration: dict[str, Any]
    window: tuple[datetime, datetime] | None = None


@dataclass(slots=True)
class Followed:
    """A configuration with its finished runs, oldest first."""

    configuration: dict[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)


async def archive(api: Api, wanted: Sequence[Wanted], progress: Callable[[str], None]) -> list[Followed]:
    """Start every run at once and wait until all are finished; tells how many are.

    Raises :class:`LocalError` when the API refuses one or nothing finishes for ten minutes.
    """
    followed: dict[str, Followed] = {}
    open_runs: dict[str, Followed] = {}
    for wish in wanted:
        entry = followed.setdefault(wish.configuration["id"], Followed(wish.configuration))
        open_runs[await _start(api, wish)] = entry
    clock = asyncio.get_running_loop().time
    total, moved, told = len(open_runs), clock(), clock()
    progress(f"archiving: {total} {'run' if total == 1 else 'runs'} started")
    while open_runs:
        for status_url, entry in list(open_runs.items()):
            run = (await api.request("GET", status_url)).json()
            if run["state"] in _FINISHED:
                entry.runs.append(run)
                del open_runs[status_url]
                moved = clock()
        if moved > told or clock() - told > _TELL_SECONDS:
            told = clock()
            progress(f"archiving: {total - len(open_runs)} of {total} runs finished")
        if clock() - moved > _PATIENCE_SECONDS:
            raise LocalError(
                f"no archive run finished for {_PATIENCE_SECONDS:.0f} s; {len(open_runs)} are open"
            )
        if open_runs:
            # Many runs are asked about one after the other; the host should archive meanwhile.
            await asyncio.sleep(_POLL_SECONDS * max(1.0, len(open_runs) / 10))
    return list(followed.values())


async def _start(api: Api, wish: Wanted) -> str:
    body = {}
    if wish.window:
        start, end = wish.window
        body = {"window_start": start.isoformat(), "window_end": end.isoformat()}
    path = f"archive-configurations/{wish.configuration['id']}/runs"
    response = await api.request("POST", path, body)
    location = response.headers.get("Location")
    if not location:
        raise LocalError(f"{path} answered {response.status_code} without a status URL")
    return str(location)
