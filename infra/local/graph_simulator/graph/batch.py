"""$batch as graph.md describes it: at most 20, 4 at a time per mailbox, one by one with dependsOn."""

import asyncio
import random
from collections import deque
from typing import Any

import orjson
from multidict import CIMultiDict

from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.query import split_target
from infra.local.graph_simulator.graph.service import Exchange, Service
from infra.local.graph_simulator.values.errors import GraphError, bad_request

MAX_REQUESTS = 20
PARALLEL = 4
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
_WITH_BODY = frozenset({"POST", "PATCH", "PUT"})
_JSON_TYPE = {"Content-Type": "application/json"}


class Batch:
    """A parsed $batch: its sub-requests as calls, in the order given."""

    def __init__(self, outer: Call, service: Service) -> None:
        """Parse the payload of the outer call; raises 400 where Graph refuses the whole batch."""
        self._service = service
        payload = outer.json()
        entries = payload.get("requests") if isinstance(payload, dict) else None
        if not isinstance(entries, list) or not entries:
            raise bad_request("Invalid batch payload format.")
        if len(entries) > MAX_REQUESTS:
            raise bad_request(
                f"Number of batch request steps exceeds the maximum value of {MAX_REQUESTS}.",
                "MaximumValueExceeded",
            )
        self.calls: dict[str, Call] = {}
        self._after: dict[str, list[str]] = {}
        for entry in entries:
            self._add(entry, outer, outer.size // len(entries))
        for name, others in self._after.items():
            for other in others:
                if other not in self.calls or other == name:
                    raise bad_request(f"Invalid dependsOn '{other}' of batch request '{name}'.")
        self._order = self._sorted()

    def _add(self, entry: Any, outer: Call, size: int) -> None:
        if not isinstance(entry, dict):
            raise bad_request("Invalid batch payload format.")
        name, method, url = entry.get("id"), entry.get("method"), entry.get("url")
        if not isinstance(name, str) or not name:
            raise bad_request("Every batch request needs an id.")
        if name in self.calls:
            raise bad_request(f"Batch request id '{name}' is not unique.")
        if (
            not isinstance(method, str)
            or method.upper() not in _METHODS
            or not isinstance(url, str)
            or not url
        ):
            raise bad_request(f"Batch request '{name}' needs a method and a url.")
        if url.startswith(("http://", "https://", "/v1.0", "v1.0")) or "$batch" in url:
            raise bad_request(f"Invalid url of batch request '{name}': it must be relative to the version.")
        given = entry.get("headers") or {}
        if not isinstance(given, dict):
            raise bad_request(f"Invalid headers of batch request '{name}'.")
        headers = CIMultiDict({key: str(value) for key, value in given.items()})
        method, body = method.upper(), entry.get("body")
        if method in _WITH_BODY and (body is None or "Content-Type" not in headers):
            raise bad_request(f"Write request id : {name} does not contain Content-Type header or body.")
        path, _, _ = url.partition("?")
        segments, query = split_target(url)
        call = Call(method, "/" + path.lstrip("/"), segments, query, headers, outer.base, outer.caller)
        call.payload, call.in_batch = body, True
        call.size = size if method in _WITH_BODY else 0
        self._service.routes.locate(call)
        self.calls[name] = call
        after = entry.get("dependsOn") or []
        if not isinstance(after, list):
            raise bad_request(f"Invalid dependsOn of batch request '{name}'.")
        self._after[name] = [str(other) for other in after]

    def _sorted(self) -> list[str]:
        """Ids in an order that honours dependsOn; raises 400 for a circle."""
        done: dict[str, None] = {}
        waiting = deque(self.calls)
        stuck = 0
        while waiting:
            name = waiting.popleft()
            if all(other in done for other in self._after[name]):
                done[name] = None
                stuck = 0
            else:
                waiting.append(name)
                stuck += 1
                if stuck > len(waiting):
                    raise bad_request("The dependsOn of the batch requests form a circle.")
        return list(done)

    async def run(self, exchange: Exchange) -> Answer:
        """Run every sub-request and gather the responses, in no particular order."""
        responses: dict[str, Answer | None] = {}
        if any(self._after.values()):
            await self._in_turn(exchange, responses)
        else:
            await self._in_parallel(exchange, responses)
        entries = [_response(name, answer) for name, answer in responses.items() if answer is not None]
        if self._service.settings.shuffle_batch_responses:
            random.shuffle(entries)
        return Answer(200, {"responses": entries})

    async def _in_turn(self, exchange: Exchange, responses: dict[str, Answer | None]) -> None:
        starts = exchange.arrived
        for name in self._order:
            if any(_failed(responses[other]) for other in self._after[name]):
                error = GraphError(424, "FailedDependency", "The request depended on another that failed.")
                responses[name] = self._service.failure(error, self.calls[name], exchange)
                continue
            served = await self._service.serve(self.calls[name], exchange, starts)
            responses[name], starts = served.answer, served.due

    async def _in_parallel(self, exchange: Exchange, responses: dict[str, Answer | None]) -> None:
        queues: dict[str, deque[str]] = {}
        for name in self._order:
            mailbox = self.calls[name].mailbox
            queues.setdefault(mailbox.oid if mailbox else "", deque()).append(name)
        workers = [
            self._work(queue, exchange, responses)
            for queue in queues.values()
            for _ in range(min(PARALLEL, len(queue)))
        ]
        if len(workers) == 1 or (self._service.settings.latency_ms <= 0 and not self._service.faults.rules):
            for worker in workers:
                await worker
        else:
            await asyncio.gather(*workers)

    async def _work(self, queue: deque[str], exchange: Exchange, responses: dict[str, Answer | None]) -> None:
        # Each slot keeps its own ideal time, so that timer lateness does not add up over a batch.
        starts = exchange.arrived
        while queue:
            name = queue.popleft()
            served = await self._service.serve(self.calls[name], exchange, starts)
            responses[name], starts = served.answer, served.due


def _failed(answer: Answer | None) -> bool:
    return answer is None or answer.status >= 400


def _response(name: str, answer: Answer) -> dict[str, Any]:
    if answer.body is None:
        return {"id": name, "status": answer.status, "headers": answer.headers}
    return {
        "id": name,
        "status": answer.status,
        "headers": {**_JSON_TYPE, **answer.headers},
        "body": answer.body,
    }


def parse_json(raw: bytes) -> Any:
    """A request's JSON; ``None`` for an empty body; raises 400 if it is malformed."""
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_request(
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of "
            "valid JSON format."
        ) from None
