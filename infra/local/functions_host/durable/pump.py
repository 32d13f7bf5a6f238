"""Hands out the hub's work to the worker, within the limits of `host.json`, and fires its timers."""

import asyncio
import base64
import logging
import traceback
from collections.abc import Coroutine
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb
from google.protobuf.message import DecodeError

from infra.local.functions_host.durable.entity_queue import EntityWork
from infra.local.functions_host.durable.execution import Answer, Executor
from infra.local.functions_host.durable.management import DurableBackend
from infra.local.functions_host.durable.orchestrations import OrchestrationWork
from infra.local.functions_host.durable.records import Activity, failure, utc_now
from infra.local.functions_host.invocation import FunctionFailed

LOG = logging.getLogger("functions_host.durable")
# Longest sleep, in seconds: the clock of the machine may be set, or the machine may have slept.
_LONGEST_SLEEP = 30.0
_AFTER_A_FAULT = 0.1


class Pump:
    """Runs on the event loop that starts it. Any thread may change `hub` at the same time."""

    def __init__(self, hub: DurableBackend, executor: Executor) -> None:
        self._hub = hub
        self._executor = executor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn_due = False
        self._sleeping: asyncio.TimerHandle | None = None
        self._orchestrations: set[asyncio.Task[None]] = set()
        self._activities: set[asyncio.Task[None]] = set()
        self._entities: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Number of running functions."""
        return len(self._orchestrations) + len(self._activities) + len(self._entities)

    def start(self) -> None:
        """Begins to hand out work, also what has waited."""
        self._loop = asyncio.get_running_loop()
        self._hub.on_work = self.wake
        self.wake()

    async def stop(self, grace: float) -> None:
        """Hands out nothing more; what has not ended after `grace` seconds is left to the next start."""
        self._loop = None
        if self._sleeping is not None:
            self._sleeping.cancel()
        running = self._orchestrations | self._activities | self._entities
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            LOG.info("%d function(s) were still running; they run again at the next start", len(late))
            await asyncio.wait(late, timeout=1.0)

    def wake(self) -> None:
        """Looks for work again: there may be more, or room for more."""
        loop = self._loop
        if loop is not None and not self._turn_due:
            self._turn_due = True
            loop.call_soon_threadsafe(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if self._loop is None or self._hub.journal.broken is not None:
            return
        try:
            self._hand_out()
        except Exception:
            # One bad item must not stop the others. It is out of its queue, and the next turn continues.
            LOG.exception("Durable work could not be handed out")
            self._loop.call_later(_AFTER_A_FAULT, self.wake)

    def _hand_out(self) -> None:
        self._fire_timers()
        limits = self._executor.limits
        while len(self._orchestrations) < limits.orchestrations:
            step = self._hub.take_orchestration()
            if step is None:
                break
            self._begin(self._orchestrations, self._orchestrate(step))
        while len(self._activities) < limits.activities:
            activity = self._hub.take_activity()
            if activity is None:
                break
            self._begin(self._activities, self._act(activity))
        while len(self._entities) < limits.entities:
            batch = self._hub.take_entity()
            if batch is None:
                break
            if not self._hub.refuse_unknown_entity(batch):
                self._begin(self._entities, self._operate(batch))
        self._sleep()

    def _fire_timers(self) -> None:
        due = self._hub.timers.take_due(utc_now())
        if due:
            with self._hub.change():
                for action in due:
                    action()

    def _sleep(self) -> None:
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None
        due = self._hub.timers.next_due()
        if due is not None and self._loop is not None:
            delay = min(max((due - utc_now()).total_seconds(), 0.0), _LONGEST_SLEEP)
            self._sleeping = self._loop.call_later(delay, self.wake)

    def _begin(self, running: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        running.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            running.discard(done)
            if not done.cancelled() and done.exception() is not None:
                LOG.error("Durable work could not be taken over", exc_info=done.exception())
            self.wake()

        task.add_done_callback(ended)

    async def _ask(self, name: str, kind: str, data: str, version: str | None = None) -> Answer:
        try:
            return await self._executor.run(name, kind, data, version)
        except FunctionFailed:
            raise
        except Exception as error:
            LOG.exception("The %s '%s' could not be invoked", kind, name)
            raise FunctionFailed(str(error), type(error).__name__, traceback.format_exc()) from error

    async def _orchestrate(self, step: OrchestrationWork) -> None:
        try:
            answer = await self._ask(step.name, "orchestration", _encoded(step.request), step.version)
            response = pb.OrchestratorResponse.FromString(base64.b64decode(answer.text))
        except FunctionFailed as error:
            self._hub.fail_orchestration(step, _details(error))
        except (DecodeError, ValueError) as error:
            self._hub.fail_orchestration(
                step, failure(type(error).__name__, f"Not an answer: {error}", final=True)
            )
        else:
            self._hub.complete_orchestration(step, response, answer.default_version)

    async def _act(self, activity: Activity) -> None:
        if activity.name.lower() not in self._hub.activity_names:
            missing = failure("ActivityNotFound", f"The app has no activity '{activity.name}'.", final=True)
            self._hub.complete_activity(activity, None, missing)
            return
        try:
            answer = await self._ask(activity.name, "activity", activity.input or "null")
        except FunctionFailed as error:
            self._hub.complete_activity(activity, None, _details(error))
        else:
            self._hub.complete_activity(activity, answer.text or None)

    async def _operate(self, batch: EntityWork) -> None:
        try:
            answer = await self._ask(batch.name, "entity", _encoded(batch.request))
            result = pb.EntityBatchResult.FromString(base64.b64decode(answer.text))
        except FunctionFailed as error:
            self._hub.fail_entity(batch, _details(error))
        except (DecodeError, ValueError) as error:
            self._hub.fail_entity(batch, failure(type(error).__name__, f"Not an answer: {error}"))
        else:
            self._hub.child_version = answer.default_version or self._hub.default_version
            self._hub.complete_entity(batch, result)


def _encoded(request: pb.OrchestratorRequest | pb.EntityBatchRequest) -> str:
    return base64.b64encode(request.SerializeToString()).decode("ascii")


def _details(error: FunctionFailed) -> pb.TaskFailureDetails:
    return failure(error.exception_type, error.message, error.stack_trace)
