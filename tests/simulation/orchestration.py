"""Drives runs as the Durable host would: the product's own orchestrator, activities at least once."""

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from durabletask.internal.orchestrator_service_pb2 import TaskFailureDetails
from durabletask.task import TaskFailedError

from shared.services.operation.dispatching import Work
from shared.triggers import archive_workflow, verification_workflow
from tests.simulation.epoch import EPOCH
from tests.simulation.fault_sites import FaultSites, Grudge
from tests.simulation.fleet import Fleet
from tests.simulation.host import Host
from tests.simulation.mishaps import Mishap

#: Run and name of the activity that is executed, and a number of the execution.
current_activity: ContextVar[tuple[UUID, str, int] | None] = ContextVar("current_activity", default=None)
_REDISPATCHES = 40
# Each mishap makes the next one so much rarer: else activities that take long would never end.
_WEARS = 0.97
# A process crashes at a random one of its next 60 database calls. Activities of verifications make fewer
# calls, so there it is one of the next 20.
_CALLS, _FEW_CALLS = 60, 20


def _generator_of(builder: Any) -> Any:
    """The orchestrator itself, under what the decorators put around it."""
    waiting = [builder._function.get_user_function()]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if inspect.isgeneratorfunction(found):
            return found
        waiting += [cell.cell_contents for cell in getattr(found, "__closure__", None) or ()]
        waiting += [value for value in getattr(found, "__dict__", {}).values() if callable(value)]
    raise LookupError("no generator inside the orchestrator")


#: By kind of work: the product's orchestrator, and what its input calls the work.
_ORCHESTRATORS = {
    Work.ARCHIVE_RUN: (_generator_of(archive_workflow.archive_calendar), "run_id"),
    Work.VERIFICATION: (_generator_of(verification_workflow.verify_archive), "verification_id"),
}


@dataclass(slots=True)
class Trouble:
    """How often activities are crashed, run twice and the like; probabilities by execution."""

    crash: float = 0.0
    cancel: float = 0.0
    twin: float = 0.0
    double_start: float = 0.0

    @classmethod
    def of(cls, rng: random.Random) -> "Trouble":
        """Drawn from the seed."""
        return cls(
            crash=rng.choice((0.0, 0.0, 0.1, 0.3)),
            cancel=rng.choice((0.0, 0.0, 0.1)),
            twin=rng.choice((0.0, 0.0, 0.15, 0.4)),
            double_start=rng.choice((0.0, 0.0, 0.3)),
        )

    def wear(self) -> None:
        """Something went wrong: it is rarer from now on."""
        self.crash, self.cancel, self.twin = (_WEARS * each for each in (self.crash, self.cancel, self.twin))


class HostDied(Exception):
    """The process that executed an activity is gone."""


class _Context:
    """What the orchestrator sees of Durable."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.next_input: dict[str, Any] | None = None
        self.status: Any = None

    @property
    def current_utc_datetime(self) -> datetime:
        return (EPOCH + timedelta(seconds=self._loop.time())).replace(tzinfo=None)

    def call_activity(self, name: str, *, input: Any, retry_policy: Any) -> tuple[str, str, Any, Any]:
        return "activity", name, input, retry_policy

    def create_timer(self, wait: timedelta) -> tuple[str, timedelta]:
        return "timer", wait

    def set_custom_status(self, status: Any) -> None:
        self.status = status

    def continue_as_new(self, following: dict[str, Any]) -> None:
        self.next_input = following


class Durable:
    """Instances by run, and the hosts that execute their activities."""

    def __init__(self, rng: random.Random, trouble: Trouble, hosts: Fleet) -> None:
        self._rng = rng
        self.trouble = trouble
        self._hosts = hosts
        self._instances: dict[UUID, list[asyncio.Task[None]]] = {}
        self.strays: set[asyncio.Task[Any]] = set()
        self._executions = 0
        self.failures: list[str] = []
        self.mishaps: Counter[str] = Counter()
        self.sites = FaultSites()
        self.grudge: Grudge | None = None

    def _befall(self, name: str, mishap: Mishap) -> None:
        """Something goes wrong with an activity."""
        self._plan(mishap)
        self.sites.strike(f"activity: {name}", mishap)

    def _plan(self, mishap: Mishap) -> None:
        """Something is to go wrong. The place counts it only if it does."""
        self.mishaps[mishap] += 1
        self.trouble.wear()

    def alive(self, work_id: UUID) -> bool:
        """Whether an instance of the run, or of the verification, is active."""
        return any(not task.done() for task in self._instances.get(work_id, ()))

    @property
    def busy(self) -> bool:
        """Whether any instance is active."""
        return any(self.alive(run_id) for run_id in list(self._instances))

    def start(self, work_id: UUID, work: Work = Work.ARCHIVE_RUN) -> None:
        """Start an instance, now and then twice."""
        count = 2 if self._rng.random() < self.trouble.double_start else 1
        if count == 2:
            self.mishaps[Mishap.DOUBLE_START] += 1
        if self.alive(work_id):
            count -= 1
        for _ in range(count):
            task = asyncio.get_running_loop().create_task(self._run(work, work_id))
            self._instances.setdefault(work_id, []).append(task)

    async def settle_strays(self) -> None:
        """Wait for executions nobody waits for any more."""
        while self.strays:
            await asyncio.wait(set(self.strays))

    async def _run(self, work: Work, work_id: UUID) -> None:
        orchestrator, id_name = _ORCHESTRATORS[work]
        following: dict[str, Any] | None = {id_name: str(work_id)}
        while following is not None:
            context = _Context(asyncio.get_running_loop())
            try:
                await self._generation(work_id, context, orchestrator(context, following))
            except TaskFailedError as failure:
                self.failures.append(f"{work_id}: {failure}")
                return
            following = context.next_input

    async def _generation(self, work_id: UUID, context: _Context, steps: Generator[Any, Any, Any]) -> None:
        result: Any = None
        failure: TaskFailedError | None = None
        while True:
            try:
                step = steps.send(result) if failure is None else steps.throw(failure)
            except StopIteration:
                return
            result, failure = None, None
            if step[0] == "timer":
                await asyncio.sleep(step[1].total_seconds())
                continue
            try:
                result = await self._activity(work_id, *step[1:])
            except TaskFailedError as error:
                failure = error

    async def _activity(self, work_id: UUID, name: str, given: Any, retry: Any) -> Any:
        wait = retry.first_retry_interval.total_seconds()
        for attempt in range(retry.max_number_of_attempts):
            try:
                return await self._at_least_once(work_id, name, given)
            except Exception as error:
                if isinstance(error, AssertionError):
                    raise
                last = error
            if attempt + 1 < retry.max_number_of_attempts:
                await asyncio.sleep(wait)
                wait *= retry.backoff_coefficient
        kind = type(last)
        # As the worker tells it, without the stack: writing it down costs more than the activity.
        told = TaskFailureDetails(errorType=f"{kind.__module__}.{kind.__qualname__}", errorMessage=str(last))
        raise TaskFailedError(f"{name}: {kind.__name__}: {last}", told)

    async def _at_least_once(self, work_id: UUID, name: str, given: Any) -> Any:
        for _ in range(_REDISPATCHES):
            executions = [self._execute(work_id, name, given)]
            if self._rng.random() < self.trouble.twin or self._begrudged(name, Mishap.TWIN):
                delay = self._rng.choice((0.0, self._rng.uniform(0, 2), self._rng.uniform(0, 60)))
                executions.append(self._later(delay, work_id, name, given))
                self._befall(name, Mishap.TWIN)
            done, pending = await asyncio.wait(executions, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                self._befall(name, Mishap.ZOMBIE)
            self.strays |= pending
            for execution in executions:
                execution.add_done_callback(self._forget)
            first = next(task for task in executions if task in done)
            with suppress(HostDied):
                return first.result()
            # The message becomes visible again some time after its reader died.
            await asyncio.sleep(self._rng.uniform(1.0, 90.0))
        raise AssertionError(f"{name} was never completed")

    def _forget(self, stray: asyncio.Task[Any]) -> None:
        self.strays.discard(stray)
        if not stray.cancelled():
            stray.exception()

    def _later(self, delay: float, work_id: UUID, name: str, given: Any) -> asyncio.Task[Any]:
        async def twin() -> Any:
            await asyncio.sleep(delay)
            return await self._execute(work_id, name, given)

        return asyncio.get_running_loop().create_task(twin())

    def _execute(self, work_id: UUID, name: str, given: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(self._supervised(work_id, name, given))

    async def _supervised(self, work_id: UUID, name: str, given: Any) -> Any:
        host = self._hosts.any()
        self._executions += 1
        current_activity.set((work_id, name, self._executions))
        loop = asyncio.get_running_loop()
        work = loop.create_task(self._call(host, work_id, name, given))
        host.activities[work] = name
        work.add_done_callback(lambda done: host.activities.pop(done, None))
        self.sites.passed[f"activity: {name}"] += 1
        timers = self._plot(loop, host, work, name)
        try:
            return await work
        except asyncio.CancelledError:
            raise HostDied from None
        except Exception:
            if host.dead:
                raise HostDied from None
            raise
        finally:
            for timer in timers:
                timer.cancel()

    def _plot(
        self, loop: asyncio.AbstractEventLoop, host: Host, work: asyncio.Task[Any], name: str
    ) -> list[asyncio.TimerHandle]:
        """Decide whether this execution is to die, and when."""
        delay = self._rng.choice((0.0, self._rng.uniform(0.0, 1.0), self._rng.uniform(0.0, 30.0)))
        mishap, wanted = self._drawn(), False
        if mishap is None:
            kinds = Mishap.CRASH_AT_CALL, Mishap.CRASH_AT_TIME, Mishap.CANCELLED
            mishap, wanted = self._begrudged(name, *kinds), True
        if mishap is None:
            return []
        self._plan(mishap)
        leave = partial(self._shut_down, host, work, name)
        if mishap is Mishap.CRASH_AT_TIME:
            return [loop.call_later(delay, self._hosts.kill, host, self._rng.random() < 0.5)]
        if mishap is Mishap.CANCELLED and not wanted:
            return [loop.call_later(delay, leave)]
        die = partial(self._hosts.kill_named, host.name)
        call = self._rng.randrange(1, _FEW_CALLS if wanted else _CALLS)
        self._hosts.at_call(host, call, die if mishap is Mishap.CRASH_AT_CALL else leave)
        return []

    def _begrudged(self, name: str, *kinds: Mishap) -> Mishap | None:
        return self.grudge.mishap(name, *kinds) if self.grudge is not None else None

    def _shut_down(self, host: Host, work: asyncio.Task[Any], name: str) -> None:
        """A process ends in order, unless the work is done."""
        if not work.done():
            self.sites.strike(f"activity: {name}", Mishap.CANCELLED)
            host.cancel(work)

    def _drawn(self) -> Mishap | None:
        """How this execution is to die by chance."""
        if self._rng.random() < self.trouble.crash:
            return Mishap.CRASH_AT_CALL if self._rng.random() < 0.5 else Mishap.CRASH_AT_TIME
        return Mishap.CANCELLED if self._rng.random() < self.trouble.cancel else None

    async def _call(self, host: Host, work_id: UUID, name: str, given: Any) -> Any:
        """The activities of archive_workflow and verification_workflow, on one host's services."""
        driver, verifications = host.app.archiving.run_driver, host.app.archiving.verifications
        match name:
            case "begin_archive_run":
                return asdict(await driver.begin(work_id))
            case "settle_archive_run":
                return _told(await driver.reconcile(work_id, given["attempt"]))
            case "plan_archive_run":
                return asdict(await driver.plan(work_id))
            case "apply_archive_run":
                return _told(await driver.apply(work_id))
            case "finish_archive_run":
                end = await driver.finish(work_id, given["reason"])
                if end.following is not None:
                    self.start(end.following)
                    await host.app.archiving.service.mark_dispatched(end.following)
                return {"state": str(end.state)}
            case "begin_verification":
                return asdict(await verifications.begin(work_id))
        async with verifications.acting_for(work_id):
            match name:
                case "compare_verification":
                    return _told(await verifications.compare(work_id, given["idle"]))
                case "finish_verification":
                    return str(await verifications.finish(work_id, given["reason"], gone=given["gone"]))
        raise LookupError(name)


def _told(progress: Any) -> dict[str, Any]:
    """A step's progress as its activity answers it."""
    resume_at = progress.resume_at
    return asdict(progress) | {"resume_at": None if resume_at is None else resume_at.isoformat()}


@dataclass(frozen=True, slots=True)
class SimulatedOrchestrations:
    """The orchestrations of the dispatcher's work, as one host sees them."""

    durable: Durable
    host: Host

    async def start(self, work: Work, ids: Sequence[UUID]) -> None:
        """Start each, and note that it was."""
        for each in ids:
            self.durable.start(each, work)
        await self._service(work).mark_dispatched(*ids)

    async def look_after(self, work: Work, ids: Sequence[UUID]) -> None:
        """Start those again that are not active."""
        await self.start(work, [each for each in ids if not self.durable.alive(each)])

    def _service(self, work: Work) -> Any:
        return (
            self.host.app.archiving.verifications
            if work is Work.VERIFICATION
            else self.host.app.archiving.service
        )
