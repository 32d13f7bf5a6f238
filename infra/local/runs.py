"""Archive runs and backfills started through the API and followed to their end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from infra.local.api import Api
from infra.local.errors import LocalError

_FINISHED = {"completed", "completed_with_errors", "failed", "cancelled"}
_POLL_SECONDS = 0.25
#: Something is said this often even if nothing moves.
_TELL_SECONDS = 1.0
#: A run that finishes nothing for so long is not going to.
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to start: a backfill from its first date, a run of ``[start, end)``, else a nightly one."""

    configuration: dict[str, Any]
    window: tuple[datetime, datetime] | None = None
    backfill_from: date | None = None


@dataclass(slots=True)
class Followed:
    """A configuration with its finished runs, oldest first, and its backfill if one was wanted."""

    configuration: dict[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)
    backfill: dict[str, Any] | None = None


class _Open(Protocol):
    """Something in progress."""

    #: How far it is.
    percent: int

    async def is_over(self, api: Api) -> bool:
        """Ask once; once it is over, what became of it is entered."""
        ...


async def archive(api: Api, wanted: Sequence[Wanted], progress: Callable[[str], None]) -> list[Followed]:
    """Start everything at once and wait until all is finished; tells how much is.

    An inactive configuration archives nothing: it is followed without a run.

    Raises :class:`LocalError` when the API refuses one or nothing finishes for ten minutes.
    """
    followed: dict[str, Followed] = {}
    under_way: list[_Open] = []
    for wish in wanted:
        entry = followed.setdefault(wish.configuration["id"], Followed(wish.configuration))
        if not wish.configuration["active"]:
            continue
        start = _start_run if wish.backfill_from is None else _start_backfill
        under_way.append(await start(api, wish, entry))
    clock = asyncio.get_running_loop().time
    total, moved, told = len(under_way), clock(), clock()
    progress(f"archiving: {total} {'run' if total == 1 else 'runs'} started")
    while under_way:
        before = len(under_way)
        under_way = [each for each in under_way if not await each.is_over(api)]
        if len(under_way) < before:
            moved = clock()
        if moved > told or clock() - told > _TELL_SECONDS:
            told = clock()
            done = 100 * (total - len(under_way)) + sum(each.percent for each in under_way)
            progress(f"archiving: {done // total} %, {total - len(under_way)} of {total} runs finished")
        if clock() - moved > _PATIENCE_SECONDS:
            raise LocalError(
                f"no archive run finished for {_PATIENCE_SECONDS:.0f} s; {len(under_way)} are open"
            )
        if under_way:
            # Many runs are queried one after the other, and the host should archive in between.
            await asyncio.sleep(_POLL_SECONDS * max(1.0, len(under_way) / 10))
    return list(followed.values())


@dataclass(slots=True)
class _OpenRun:
    url: str
    entry: Followed
    percent: int = 0

    async def is_over(self, api: Api) -> bool:
        run = (await api.request("GET", self.url)).json()
        self.percent = run["progress"]
        if run["status"] not in _FINISHED:
            return False
        self.entry.runs.append(run)
        return True


@dataclass(slots=True)
class _OpenBackfill:
    path: str
    entry: Followed
    #: Runs that were there before it was started.
    before: frozenset[str]
    percent: int = 0

    async def is_over(self, api: Api) -> bool:
        backfill = (await api.request("GET", f"{self.path}/backfill")).json()
        self.percent = backfill["progress"]
        # With a reason it would try again, but not within a start of ours.
        if backfill["status"] in ("waiting", "running") and backfill["reason"] is None:
            return False
        months = [
            run
            async for run in api.items(f"{self.path}/runs")
            if run["kind"] == "backfill" and run["id"] not in self.before
        ]
        self.entry.runs[:0] = sorted(months, key=lambda run: str(run["window_start"]))
        self.entry.backfill = backfill
        return True


async def _start_run(api: Api, wish: Wanted, entry: Followed) -> _OpenRun:
    body = {}
    if wish.window:
        start, end = wish.window
        body = {"window_start": start.isoformat(), "window_end": end.isoformat()}
    path = f"archive-configurations/{wish.configuration['id']}/runs"
    response = await api.request("POST", path, body)
    location = response.headers.get("Location")
    if not location:
        raise LocalError(f"{path} answered {response.status_code} without a status URL")
    return _OpenRun(str(location), entry)


async def _start_backfill(api: Api, wish: Wanted, entry: Followed) -> _OpenBackfill:
    assert wish.backfill_from is not None  # noqa: S101 - the caller chose by it
    path = f"archive-configurations/{wish.configuration['id']}"
    before = frozenset([run["id"] async for run in api.items(f"{path}/runs")])
    first = wish.backfill_from
    known = await api.request("GET", f"{path}/backfill", accept=(404,))
    if known.is_success:
        # Started in an earlier month: what it covers then lies where it lay.
        zone = ZoneInfo(wish.configuration["time_zone"])
        first = datetime.fromisoformat(known.json()["window_start"]).astimezone(zone).date()
    await api.request("POST", f"{path}/backfill", {"archive_from": first.isoformat()})
    return _OpenBackfill(path, entry, before)
