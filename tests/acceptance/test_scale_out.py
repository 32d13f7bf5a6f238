"""Nights of 200 mailboxes on several instances, some of which die, come, or are of the next version."""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.local import identities
from infra.local.app_instances import AppInstances
from infra.local.stack import ROOT, Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.killing import PARTS_OF_SEVERAL, SHORT_TIMES, Kill, survive_kills
from tests.support.system import FIRST_DAY, Archive, System

_MAILBOXES = 200
_EVENTS_A_DAY = 6
_AT_ONCE = 8
_NIGHT_SECONDS = 600
_NIGHTS = 20
#: Nights of one part: a part has a system of its own, and takes less than ten minutes.
_NIGHTS_OF_A_PART = 5
_KILLS_A_NIGHT = 3
_SEED = 20261129
_NEXT = "1.0.1"


class Nights:
    """Mailboxes with some days of events; a night archives one day of all of them."""

    def __init__(self, stack: Stack, days: int) -> None:
        if stack.instances is None:
            raise RuntimeError("these nights are for several instances")
        self.stack = stack
        self.instances: AppInstances = stack.instances
        self.days = days
        self.system: System
        self.archives: list[Archive] = []
        #: Copies in all archive calendars when they were last counted.
        self.copies = 0
        #: How often something happened to an instance before the last run of its night was over.
        self.struck_meanwhile = 0
        #: Ids of the runs of the last night.
        self.run_ids: list[str] = []
        self._mischief: list[datetime] = []
        self._finished: list[datetime] = []

    def struck(self) -> None:
        """Notes that something happened to an instance."""
        self._mischief.append(datetime.now(UTC))

    async def prepare(self) -> None:
        """Makes the mailboxes and their configurations."""
        self.system = await System.of(self.stack)
        places = asyncio.Semaphore(_AT_ONCE)
        names = [f"night-{number:03}" for number in range(_MAILBOXES)]
        await self.stack.simulator("POST", "mailboxes", [self._mailbox(name) for name in names])

        async def add(name: str) -> Archive:
            async with places:
                return await self._configured(name)

        self.archives = list(await asyncio.gather(*map(add, names)))

    def _mailbox(self, name: str) -> dict[str, Any]:
        address = f"{name}@example.com"
        events = [
            {
                "subject": f"Meeting {day}.{number}",
                "body": {"contentType": "text", "content": "Notes"},
                "start": {"dateTime": _moment(day, number), "timeZone": "UTC"},
                "end": {"dateTime": _moment(day, number, 45), "timeZone": "UTC"},
                "categories": ["Acme - billable"],
            }
            for day in range(self.days)
            for number in range(_EVENTS_A_DAY)
        ]
        calendar = {"name": "Calendar", "is_default": True, "events": events}
        return {
            "address": address,
            "oid": identities.object_id(address),
            "display_name": name,
            "time_zone": "UTC",
            "calendars": [calendar],
        }

    async def _configured(self, name: str) -> Archive:
        address = f"{name}@example.com"
        api = self.system.api
        who = {"object_id": identities.object_id(address), "address": address, "display_name": name}
        user = (await api.request("POST", "users", who)).json()
        wanted = {
            "user_id": user["id"],
            "name": "Archive",
            "source": f"msgraph://{address}/calendar",
            "archive": f"msgraph://{address}/calendars/Archive",
            "create_archive_calendar": True,
            "time_zone": "UTC",
            "archive_from": FIRST_DAY.date().isoformat(),
            "is_default": True,
        }
        made = (await api.request("POST", "archive-configurations", wanted)).json()
        return Archive(address, made["id"], FIRST_DAY, FIRST_DAY + timedelta(days=self.days))

    async def night(
        self,
        day: int,
        meanwhile: Callable[[], Coroutine[Any, Any, None]],
        halfway: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> list[str]:
        """Archives one day of everybody while something else happens. Returns what went wrong in the runs.

        ``halfway`` is done when half of the runs have been requested, and before the rest.
        """
        window = [(FIRST_DAY + timedelta(days=day + offset)).isoformat() for offset in (0, 1)]
        body = {"window_start": window[0], "window_end": window[1]}
        self._mischief, self._finished = [], []
        mischief = asyncio.create_task(meanwhile())
        try:
            middle = len(self.archives) // 2
            urls = [await self._asked(archive, body) for archive in self.archives[:middle]]
            if halfway is not None:
                await halfway()
            urls += [await self._asked(archive, body) for archive in self.archives[middle:]]
            await mischief
            wrong = [wrong for url in urls if (wrong := await self._run_of(url))]
            self.run_ids = [url.rpartition("/")[2] for url in urls]
            self.struck_meanwhile += sum(moment < max(self._finished) for moment in self._mischief)
            return wrong
        finally:
            mischief.cancel()
            await asyncio.gather(mischief, return_exceptions=True)

    async def _asked(self, archive: Archive, body: dict[str, str]) -> str:
        """Asks for a run as a client does that asks again when an instance died under its request."""
        path = f"{self.stack.api}/archive-configurations/{archive.configuration_id}/runs"
        headers = {"Authorization": f"Bearer {await self.stack.token()}"}
        headers["Idempotency-Key"] = f"{archive.configuration_id}-{body['window_start']}"
        for _ in range(40):
            with suppress(OSError):
                answer = await self.stack.client.post(path, json=body, headers=headers)
                if answer.status_code == 202:
                    return answer.headers["Location"]
                assert answer.status_code >= 500 or answer.status_code in {409, 429}, answer.text
            await asyncio.sleep(0.25)
        raise AssertionError(f"no run could be asked for: {answer.status_code} {answer.text}")

    async def _run_of(self, url: str) -> str:
        try:
            run = await self.system.finished(url, _NIGHT_SECONDS, poll=0.5)
        except TimeoutError:
            return f"not over after {_NIGHT_SECONDS} s"
        self._finished.append(datetime.fromisoformat(run["finished_at"]))
        return "" if run["status"] == "completed" else f"{run['status']}: {run['report']}"

    async def found_wrong(self, nights: int) -> list[str]:
        """Counts the copies in the archive calendars, event by event, after the given nights."""
        expected = {f"Meeting {day}.{number}" for day in range(nights) for number in range(_EVENTS_A_DAY)}
        wrong = []
        self.copies = 0
        for archive in self.archives:
            found = await self.stack.simulator(
                "GET", f"mailboxes/{archive.address}/events", calendar="Archive"
            )
            subjects = Counter(str(event["subject"]) for event in found["value"])
            self.copies += subjects.total()
            if lost := expected - set(subjects):
                wrong.append(f"{archive.address}: {len(lost)} missing")
            if more := {name for name, count in subjects.items() if count > 1 or name not in expected}:
                wrong.append(f"{archive.address}: {sorted(more)[:3]} doubled or unexpected")
        counters = await self.system.counters()
        if counters["requests_while_told_to_wait"] or counters["invitations_sent"]:
            wrong.append(f"rules of the mailboxes broken: {counters}")
        return wrong

    async def versions(self) -> Counter[str]:
        """How many runs of the last night each version of the app began; see :func:`_next_version`."""
        begun = Counter[str]()
        for run_id in self.run_ids:
            path = f"/runtime/webhooks/durabletask/instances/archive-{run_id}?showHistory=true"
            answer = await self.stack.client.get(f"{self.stack.base_url}{path}")
            history = answer.json()["historyEvents"]
            begins = [
                event
                for event in history
                if (event["EventType"], event.get("FunctionName")) == ("TaskCompleted", "begin_archive_run")
            ]
            begun["N" if len(begins) == 1 else "N+1"] += 1
        return begun


def _moment(day: int, number: int, minutes: int = 0) -> str:
    start = FIRST_DAY + timedelta(days=day, hours=8 + number, minutes=minutes)
    return start.replace(tzinfo=None).isoformat()


def _next_version(folder: Path) -> Path:
    """The app as its next version: its runs begin twice, and the former version cannot replay that.

    It continues unchanged what the former version began, as a new version must.
    """
    shutil.copytree(ROOT / "shared", folder / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "function_app.py").write_text((ROOT / "function_app.py").read_text())
    workflow = folder / "shared/triggers/archive_workflow.py"
    begins = '    begun = yield ctx.call_activity("begin_archive_run", input=run_id, retry_policy=RETRY)\n'
    code = workflow.read_text()
    assert code.count(begins) == 1
    again = f'    if ctx.version == "{_NEXT}":\n    {begins}'
    workflow.write_text(code.replace(begins, begins + again))
    document = json.loads((ROOT / "host.json").read_text())
    document["extensions"]["durableTask"]["defaultVersion"] = _NEXT
    (folder / "host.json").write_text(json.dumps(document))
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The nights in parts, each a point of its own; one night is enough for ``--quick``."""
    if "nights" in metafunc.fixturenames:
        quick = metafunc.config.getoption("--quick", default=False)
        firsts = range(0, _NIGHTS, _NIGHTS_OF_A_PART)
        parts = [range(1)] if quick else [range(first, first + _NIGHTS_OF_A_PART) for first in firsts]
        metafunc.parametrize("nights", parts, ids=[f"{part[0] + 1}-{part[-1] + 1}" for part in parts])


async def test_nights_on_three_instances_with_kills(
    tmp_path: Path, acceptance_point: AcceptancePoint, nights: range
) -> None:
    """Nothing doubled, missing or lost, counted in the calendars, whatever instances die at random."""
    wrong: list[str] = []
    kills = 0
    async with Stack(tmp_path / "system", instances={"all": 3}, env=SHORT_TIMES) as stack:
        system = Nights(stack, len(nights))
        await system.prepare()

        async def kill_at_random(chance: random.Random) -> None:
            nonlocal kills
            for _ in range(_KILLS_A_NIGHT):
                await asyncio.sleep(chance.uniform(0.5, 6))
                await system.instances.kill(chance.choice(system.instances.names))
                kills += 1
                system.struck()
                await system.instances.add("all")

        for day, night in enumerate(nights):
            # Each night has a seed of its own, so that it can be repeated without the others.
            mischief = partial(kill_at_random, random.Random(_SEED + night))
            gone_wrong = await system.night(day, mischief) + await system.found_wrong(day + 1)
            wrong += [f"night {night + 1}: {what}" for what in gone_wrong]
            print(
                f"night {night + 1} is over: {gone_wrong or 'nothing went wrong'}",
                file=sys.stderr,
                flush=True,
            )
    acceptance_point(
        measured=f"{len(nights)} nights of {_MAILBOXES} mailboxes, {system.copies} copies, {kills} kills"
        f" ({system.struck_meanwhile} before the last run of their night was over), {len(wrong)} gone wrong",
        bound="0 gone wrong",
    )
    assert wrong == []
    assert system.copies == len(nights) * _MAILBOXES * _EVENTS_A_DAY
    assert system.struck_meanwhile >= len(nights)


async def test_night_with_instances_that_hang(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """Taken for dead, they continue in the middle of what others do by now. Their leases are fenced."""
    quick_lock = SHORT_TIMES | {"FUNCTIONS_DURABLE_LOCK_SECONDS": "2"}
    async with Stack(tmp_path / "system", instances={"all": 3}, env=quick_lock) as stack:
        system = Nights(stack, 1)
        await system.prepare()
        chance = random.Random(_SEED)

        async def hang() -> None:
            for _ in range(_KILLS_A_NIGHT):
                await asyncio.sleep(chance.uniform(0.5, 2))
                pid = system.instances.pid(chance.choice(system.instances.names))
                os.kill(pid, signal.SIGSTOP)
                system.struck()
                # Longer than the lock of its work items and the lease of its mailboxes.
                await asyncio.sleep(5)
                os.kill(pid, signal.SIGCONT)

        wrong = await system.night(0, hang)
        wrong += await system.found_wrong(1)
        log = (stack.logs / "durable.log").read_text()
    again = len(re.findall("runs again: instance '[^']+' is gone", log))
    acceptance_point(
        measured=f"{_MAILBOXES} mailboxes, {system.copies} copies, {system.struck_meanwhile} hung,"
        f" {again} functions ran again, {len(wrong)} gone wrong",
        bound="0 gone wrong, some ran again",
    )
    assert wrong == []
    assert system.copies == _MAILBOXES * _EVENTS_A_DAY
    assert again


async def test_night_of_a_rolling_deployment(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """One instance is killed, one added, all replaced one by one by the next version."""
    grouped = {"http": 1, "durable": 2, "timer": 1}
    async with Stack(tmp_path / "system", instances=grouped, env=SHORT_TIMES) as stack:
        system = Nights(stack, 1)
        await system.prepare()
        newer = _next_version(tmp_path / "next")

        async def deploy() -> None:
            await asyncio.sleep(2)
            await system.instances.kill(system.instances.of_group("durable")[0])
            system.struck()
            await system.instances.add("durable", app=newer)
            # For a while both versions are active.
            await asyncio.sleep(2)
            for name in system.instances.names:
                await system.instances.replace(name, app=newer)
                system.struck()

        wrong = await system.night(0, deploy)
        wrong += await system.found_wrong(1)
        begun = await system.versions()
    acceptance_point(
        measured=f"{_MAILBOXES} mailboxes, {system.copies} copies, {system.struck_meanwhile} instances went,"
        f" runs {dict(begun)}, {len(wrong)} gone wrong",
        bound="0 gone wrong, some went in the middle",
    )
    assert wrong == []
    assert system.copies == _MAILBOXES * _EVENTS_A_DAY
    assert system.struck_meanwhile >= 2


async def test_night_of_two_versions_side_by_side(tmp_path: Path, acceptance_point: AcceptancePoint) -> None:
    """Both versions begin runs; an instance of each is killed and one added; then the older ones go."""
    async with Stack(tmp_path / "system", instances={"all": 2}, env=SHORT_TIMES) as stack:
        system = Nights(stack, 1)
        await system.prepare()
        newer = _next_version(tmp_path / "next")
        beside = asyncio.Event()

        async def bring_the_next() -> None:
            for _ in range(2):
                await system.instances.add("all", app=newer)
            beside.set()

        async def kill_and_add() -> None:
            await beside.wait()
            older, next_ones = system.instances.names[:2], system.instances.names[2:]
            for name, app in ((older[0], None), (next_ones[0], newer)):
                await asyncio.sleep(1)
                await system.instances.kill(name)
                system.struck()
                await system.instances.add("all", app=app)
            # The last of the older version are replaced one by one.
            for name in (older[1], system.instances.names[-2]):
                await system.instances.replace(name, app=newer)
                system.struck()

        wrong = await system.night(0, kill_and_add, bring_the_next)
        wrong += await system.found_wrong(1)
        begun = await system.versions()
    acceptance_point(
        measured=f"{_MAILBOXES} mailboxes, {system.copies} copies, {system.struck_meanwhile} instances went,"
        f" runs {dict(begun)}, {len(wrong)} gone wrong",
        bound="0 gone wrong, both versions began runs",
    )
    assert wrong == []
    assert system.copies == _MAILBOXES * _EVENTS_A_DAY
    assert set(begun) == {"N", "N+1"}
    assert system.struck_meanwhile >= 2


async def test_kill_nine_of_what_instances_share(
    tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool
) -> None:
    """Engine, front, instance, simulator, database and supervisor are killed in the middle of runs."""
    count = len(PARTS_OF_SEVERAL) * (1 if quick else 3)
    chance = random.Random(_SEED)
    kills = [Kill.drawn(number, chance, PARTS_OF_SEVERAL) for number in range(count)]
    wrong = await survive_kills(tmp_path / "state", kills, {"http": 1, "durable": 2, "timer": 1})
    acceptance_point(measured=f"{count} kills, {len(wrong)} gone wrong", bound="0 gone wrong")
    assert wrong == []
