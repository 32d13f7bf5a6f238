"""Twenty things that people do, tried on a running system by HTTP alone; ``./dev uat`` runs them.

They need a person with an archive and an Admin. What they make they delete again; the archive runs that they
start archive what is due, as a night would.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from infra.local.api import Api
from infra.local.errors import LocalError

_RUN_SECONDS = 600
_ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


class Failed(Exception):
    """What a scenario saw in place of what it expects."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario; ``problem`` is empty where it passed."""

    name: str
    problem: str


class Scenarios:
    """The scenarios against one root (without ``/api``), as a person and as an Admin."""

    def __init__(self, client: httpx.AsyncClient, root: str, person: str, admin: str) -> None:
        self._client = client
        self._root = root.rstrip("/")
        base = f"{self._root}/api/v1"
        self._person, self._admin = Api(client, base, person), Api(client, base, admin)
        self._run = ""

    async def all(self) -> list[Outcome]:
        """Run each in its order; one that fails stops none that follows."""
        outcomes = []
        for name, scenario in self._list():
            problem = ""
            try:
                await scenario()
            except (Failed, LocalError, httpx.HTTPError, KeyError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
            outcomes.append(Outcome(name, problem))
        return outcomes

    def _list(self) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
        return [
            ("the app is alive and ready", self._alive),
            ("the API describes itself", self._described),
            ("nobody gets in without a token", self._no_token),
            ("a person sees who they are", lambda: self._has(self._person, "me", "user")),
            ("a person sees their archives", self._archives),
            ("a person sees what a run would do", self._plan),
            ("a person starts a run, and it completes", self._starts),
            ("a person sees the run among their runs", self._runs),
            ("a second run changes nothing", self._again),
            ("a person reads their month", self._month),
            ("a person lists their appointments", self._appointments),
            ("a person lists their overlaps", lambda: self._pages("overlaps")),
            ("a person lists what waits for them", lambda: self._pages("action-items")),
            ("a person reads their notifications", lambda: self._pages("notifications")),
            ("a person sees their categories", lambda: self._pages("categories")),
            ("a person makes a category rule, and deletes it", self._rule),
            ("bad input is refused with the field's name", self._bad_input),
            ("what is not there is not found", self._not_there),
            ("a person is refused what is for Admins", self._for_admins),
            ("an Admin sees people, audit and the doctor", self._administration),
        ]

    async def _alive(self) -> None:
        for path in ("live", "ready"):
            response = await self._client.get(f"{self._root}/api/health/{path}")
            _expect(response, 200)

    async def _described(self) -> None:
        response = await self._client.get(f"{self._root}/api/openapi.json")
        _expect(response, 200)
        if len(response.json()["paths"]) < 20:
            raise Failed("the description has hardly any operations")
        _expect(await self._client.get(f"{self._root}/api/docs"), 200)

    async def _no_token(self) -> None:
        response = await self._client.get(f"{self._root}/api/v1/me")
        _expect(response, 401)
        _problem(response)

    async def _has(self, api: Api, path: str, field: str) -> None:
        if not (await api.request("GET", path)).json().get(field):
            raise Failed(f"{path} has no {field}")

    async def _configuration(self) -> str:
        found = await self._pages("archive-configurations")
        if not found:
            raise Failed("the person has no archive")
        return str(found[0]["id"])

    async def _archives(self) -> None:
        await self._has(self._person, f"archive-configurations/{await self._configuration()}", "name")

    async def _plan(self) -> None:
        # The answer may be large: only that there is one counts here.
        await self._person.request("GET", f"archive-configurations/{await self._configuration()}/plan")

    async def _start(self) -> dict[str, Any]:
        path = f"archive-configurations/{await self._configuration()}/runs"
        started = await self._person.request("POST", path, {})
        where = started.headers["Location"]
        deadline = asyncio.get_running_loop().time() + _RUN_SECONDS
        while True:
            run: dict[str, Any] = (await self._person.request("GET", where)).json()
            if run["status"] in _ENDED:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise Failed(f"the run is {run['status']} after {_RUN_SECONDS} s")
            await asyncio.sleep(0.5)
        if run["status"] != "completed":
            raise Failed(f"the run ended as {run['status']}")
        return run

    async def _starts(self) -> None:
        self._run = str((await self._start())["id"])

    async def _runs(self) -> None:
        runs = await self._pages(f"archive-configurations/{await self._configuration()}/runs")
        if self._run not in [run["id"] for run in runs]:
            raise Failed("the run is not in the list")

    async def _again(self) -> None:
        run = await self._start()
        operations = await self._pages(f"archive-runs/{run['id']}/operations")
        if operations:
            raise Failed(f"it made {len(operations)} operations")

    async def _month(self) -> None:
        month = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m}"
        response = await self._person.request("GET", f"months/{month}")
        if month not in response.text:
            raise Failed("it is another month")

    async def _appointments(self) -> None:
        # The run before has archived the last days.
        until = datetime.now(UTC)
        days = {"window_start": (until - timedelta(days=30)).isoformat(), "window_end": until.isoformat()}
        for found in await self._pages("appointments", **days):
            await self._has(self._person, f"appointments/{found['id']}", "id")
            break

    async def _pages(self, path: str, **params: Any) -> list[dict[str, Any]]:
        return [item async for item in self._person.items(path, **params)]

    async def _rule(self) -> None:
        wish = {"relation": "subject", "match": f"UAT {uuid4()}", "category": "Acme - billable"}
        made = await self._person.request("POST", "category-rules", wish)
        path = f"category-rules/{made.json()['id']}"
        told = (await self._person.request("GET", path)).json()
        if told["match"] != wish["match"]:
            raise Failed("it says something else than was sent")
        await self._person.request("DELETE", path, if_match="*")
        _expect(await self._person.request("GET", path, accept=(404,)), 404)

    async def _bad_input(self) -> None:
        response = await self._person.request(
            "POST", "category-rules", {"relation": "colour"}, accept=(400, 422)
        )
        if response.is_success:
            raise Failed("it was taken")
        if not any("relation" in str(error.get("field")) for error in _problem(response)["errors"]):
            raise Failed("the field is not named")

    async def _not_there(self) -> None:
        response = await self._person.request("GET", f"archive-runs/{uuid4()}", accept=(404,))
        _expect(response, 404)
        _problem(response)

    async def _for_admins(self) -> None:
        for path in ("system/doctor", "system/settings"):
            _expect(await self._person.request("GET", path, accept=(403,)), 403)

    async def _administration(self) -> None:
        for path in ("users", "audit"):
            if not (await self._admin.request("GET", path)).json()["items"]:
                raise Failed(f"{path} is empty")
        await self._admin.request("GET", "system/doctor")


def _expect(response: httpx.Response, status: int) -> None:
    if response.status_code != status:
        raise Failed(f"{response.request.url.path} answered {response.status_code}, not {status}")


def _problem(response: httpx.Response) -> dict[str, Any]:
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        raise Failed(f"{response.request.url.path} answered no problem+json")
    told: dict[str, Any] = response.json()
    return told
