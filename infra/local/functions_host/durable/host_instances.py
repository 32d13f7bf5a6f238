"""The Functions hosts that share one Durable engine: who is there, and who runs the next function.

Each host holds one WebSocket to the engine. A host that is gone, or does not answer pings any more, loses
what it had in hand; another one runs it again. What it still answers afterwards counts for nothing. So an
activity runs at least once, as in Azure, where locks on work items expire.
"""

import asyncio
import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from infra.local.functions_host.durable.execution import Answer, Limits
from infra.local.functions_host.durable.versioning import Versioning
from infra.local.functions_host.invocation import FunctionFailed

LOG = logging.getLogger("functions_host.durable")
_NOTHING = Limits(0, 0, 0)


class _Lost(Exception):
    """The instance is gone before it answered."""


@dataclass(eq=False)
class HostInstance:
    """One connected host. `names` are its functions by kind; a draining one takes no more work."""

    name: str
    socket: web.WebSocketResponse
    limits: Limits
    versioning: Versioning
    names: Mapping[str, frozenset[str]]
    draining: bool = False
    running: Counter[str] = field(default_factory=Counter)
    answers: dict[int, asyncio.Future[Answer]] = field(default_factory=dict)
    last_used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_hello(cls, document: Mapping[str, Any], socket: web.WebSocketResponse) -> "HostInstance":
        """Reads a host's first message. Raises KeyError or TypeError if it is none."""
        return cls(
            name=str(document["instance"]),
            socket=socket,
            limits=Limits(**document["limits"]),
            versioning=Versioning(**document["versioning"]),
            names={kind: frozenset(names) for kind, names in document["names"].items()},
        )

    @property
    def listens(self) -> bool:
        """True if it runs Durable functions at all and is not draining."""
        return not self.draining and self.limits != _NOTHING

    def room(self, kind: str) -> int:
        """How many more functions of this kind it takes."""
        limits = self.limits
        most = {
            "orchestration": limits.orchestrations,
            "activity": limits.activities,
            "entity": limits.entities,
        }
        return 0 if self.draining else most[kind] - self.running[kind]


class HostInstances:
    """All hosts of one engine, as one executor. For the loop that serves the sockets."""

    def __init__(self, welcome: Callable[[HostInstance], Mapping[str, Any]]) -> None:
        """`welcome` gives what a new host is told; it is called before the host gets work."""
        self._welcome = welcome
        self._hosts: list[HostInstance] = []
        self._numbers = itertools.count(1)
        self._room = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def limits(self) -> Limits:
        """The sum over all hosts that take work."""
        hosts = [host.limits for host in self._hosts if not host.draining]
        return Limits(
            sum(limits.orchestrations for limits in hosts),
            sum(limits.activities for limits in hosts),
            sum(limits.entities for limits in hosts),
        )

    def mismatch(self, version: str | None) -> str | None:
        """Why no host may run an orchestration of `version`.

        A host that fails what does not fit decides for all: in Azure it may be the one that gets the work.
        """
        reasons = {
            host: reason
            for host in self._hosts
            if host.listens and (reason := host.versioning.mismatch(version)) is not None
        }
        failing = [reason for host, reason in reasons.items() if host.versioning.fail_on_mismatch]
        if failing:
            return failing[0]
        if len(reasons) < sum(host.listens for host in self._hosts):
            return None
        return next(iter(reasons.values()), None)

    @property
    def fail_on_mismatch(self) -> bool:
        """True if any host fails what does not fit its version."""
        return any(host.versioning.fail_on_mismatch for host in self._hosts if host.listens)

    def described(self) -> list[dict[str, Any]]:
        """Each host with what it has in hand."""
        return [
            {
                "instance": host.name,
                "draining": host.draining,
                "version": host.versioning.default_version,
                "running": dict(+host.running),
            }
            for host in self._hosts
        ]

    async def run(self, name: str, kind: str, data: str, version: str | None = None) -> Answer:
        """Runs a function on a free host; on another one if that host goes before it has answered.

        Raises FunctionFailed.
        """
        while True:
            host = await self._free(kind, version if kind == "orchestration" else None)
            try:
                return await self._ask(host, {"name": name, "kind": kind, "data": data})
            except _Lost:
                LOG.warning("The %s '%s' runs again: instance '%s' is gone", kind, name, host.name)
            finally:
                host.running[kind] -= 1
                self._room.set()

    async def serve(self, request: web.Request, patience: float) -> web.WebSocketResponse:
        """Holds the socket of one host until it goes or leaves pings unanswered for `patience` seconds."""
        # aiohttp waits half of the interval for the answer to a ping.
        socket = web.WebSocketResponse(heartbeat=patience * 2 / 3, max_msg_size=0)
        await socket.prepare(request)
        host: HostInstance | None = None
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                document = json.loads(message.data)
                if host is None:
                    host = await self._arrived(document, socket)
                else:
                    self._told(host, document)
        finally:
            if host is not None:
                self._gone(host)
        return socket

    async def _arrived(self, document: Mapping[str, Any], socket: web.WebSocketResponse) -> HostInstance:
        host = HostInstance.from_hello(document, socket)
        await socket.send_json({"type": "welcome", **self._welcome(host)})
        self._hosts.append(host)
        LOG.info("Instance '%s' has joined", host.name)
        self._changed()
        return host

    def _told(self, host: HostInstance, document: Mapping[str, Any]) -> None:
        if document["type"] == "drain":
            host.draining = True
            self._changed()
            return
        answer = host.answers.pop(int(document["id"]), None)
        if answer is None or answer.done():
            return
        if document["type"] == "done":
            answer.set_result(Answer(document["result"], host.versioning.default_version))
        else:
            answer.set_exception(
                FunctionFailed(document["message"], document["exception_type"], document["stack_trace"])
            )

    def _gone(self, host: HostInstance) -> None:
        self._hosts.remove(host)
        LOG.info("Instance '%s' has left", host.name)
        for answer in host.answers.values():
            if not answer.done():
                answer.set_exception(_Lost())
        host.answers.clear()
        self._changed()

    def _changed(self) -> None:
        self._room.set()
        self.on_change()

    async def _free(self, kind: str, version: str | None) -> HostInstance:
        """A host with room, the one with least in hand, and a place taken on it."""
        while True:
            found = [
                host
                for host in self._hosts
                if host.room(kind) > 0
                and (kind != "orchestration" or host.versioning.mismatch(version) is None)
            ]
            if found:
                host = min(found, key=lambda each: (each.running[kind], each.last_used[kind]))
                host.last_used[kind] = next(self._numbers)
                host.running[kind] += 1
                return host
            self._room.clear()
            await self._room.wait()

    async def _ask(self, host: HostInstance, work: Mapping[str, str]) -> Answer:
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        host.answers[number] = answer
        try:
            try:
                await host.socket.send_json({"type": "work", "id": number, **work})
            except ConnectionError as error:
                raise _Lost from error
            return await answer
        finally:
            host.answers.pop(number, None)
