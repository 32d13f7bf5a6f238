"""Timer triggers: they fire on schedule, never twice at a time, and report when they are late.

A file (the schedule monitor) has a timer's last and next instants. So a fire that was missed while the host
was down happens at the start, with `IsPastDue`. Source: Functions docs, "Timer trigger for Azure Functions"
and "Azure Functions error handling and retries".
"""

import asyncio
import contextlib
import fcntl
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local.functions_host import schedules
from infra.local.functions_host.functions import Function
from infra.local.functions_host.invocation import InvocationResult, RetryContext
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.protos import RpcException, RpcRetryOptions, TypedData
from infra.local.functions_host.schedules import Schedule
from infra.local.functions_host.worker import Worker

# Waking at least this often notices a clock that was set, or a machine that slept.
_LONGEST_SLEEP = 30.0
# How often an instance looks whether the one that fires a timer is gone.
_LOCK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """What the monitor knows: the last fire (None before the first), the next, and when it was written."""

    last: datetime | None
    next: datetime
    last_updated: datetime

    def as_json(self) -> dict[str, str]:
        """The form in which the real host writes it and hands it to functions."""
        never = "0001-01-01T00:00:00+00:00"
        return {
            "Last": self.last.isoformat() if self.last else never,
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, str]) -> "ScheduleStatus":
        """Reads what `as_json` wrote. Raises ValueError or KeyError if it is something else."""
        last = datetime.fromisoformat(document["Last"])
        return cls(
            None if last.year == 1 else last,
            datetime.fromisoformat(document["Next"]),
            datetime.fromisoformat(document["LastUpdated"]),
        )


class Timer:
    """One timer function; `run()` keeps it going until cancelled, `fire()` runs it once on demand."""

    def __init__(
        self,
        function: Function,
        worker: Worker,
        status_path: Path,
        client_binding: Callable[[], TypedData],
        *,
        shared: bool = False,
    ) -> None:
        """`shared` says that other instances have the same timer: one of them at a time fires it.

        Raises ValueError with the reason if the schedule cannot be read.
        """
        properties = function.trigger.properties
        self.function = function
        self.schedule: Schedule = schedules.parse(str(properties.get("schedule") or ""))
        self._worker = worker
        self._path = status_path
        self._client_binding = client_binding
        self._lock_path = status_path.with_suffix(".lock") if shared else None
        self._run_on_startup = bool(properties.get("runOnStartup"))
        declared = properties.get("useMonitor")
        self._monitored = (True if declared is None else bool(declared)) and not self.schedule.is_frequent
        self._status: ScheduleStatus | None = None
        self._alone = asyncio.Lock()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Fires no more. A run in progress ends normally."""
        self._stopping.set()

    async def run(self) -> None:
        """Fires at every scheduled instant; first at once if one was missed or `runOnStartup` is set.

        Where instances share the timer it does so from when the others have let it go (the host's singleton
        lock, `SingletonMode.Listener`).
        """
        with contextlib.ExitStack() as held:
            if self._lock_path is not None and not await self._chosen(held, self._lock_path):
                return
            await self._run()

    async def _chosen(self, held: contextlib.ExitStack, path: Path) -> bool:
        """Waits for the lock, which the system frees when its holder ends; False if told to stop before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = held.enter_context(path.open("a"))
        while not self._stopping.is_set():
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOCK_SECONDS)
        return False

    async def _run(self) -> None:
        now = datetime.now(UTC)
        status = self._due_status(now)
        self._remember(status)
        if status.next <= now:
            await self._scheduled_fire(is_past_due=True)
        elif self._run_on_startup:
            await self._scheduled_fire(is_past_due=False)
        while self._status is not None and not await self._stopped_before(self._status.next):
            await self._scheduled_fire(is_past_due=False)

    async def fire(self) -> None:
        """Runs the function once, after a run in progress. The schedule does not change."""
        async with self._alone:
            await self._invoke(is_past_due=False)

    async def _stopped_before(self, moment: datetime) -> bool:
        while (remaining := moment - datetime.now(UTC)) > timedelta(0):
            wait = min(remaining.total_seconds() + 0.001, _LONGEST_SLEEP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
                return True
        return self._stopping.is_set()

    def _due_status(self, now: datetime) -> ScheduleStatus:
        """The saved status if it belongs to the present schedule, else a new one that starts now."""
        saved = self._load() if self._monitored else None
        if saved is not None:
            # A changed schedule would give another instant: then nothing was missed.
            if self.schedule.after(saved.last or saved.last_updated) == saved.next:
                return saved
            return ScheduleStatus(saved.last, self.schedule.after(now), now)
        return ScheduleStatus(None, self.schedule.after(now), now)

    async def _scheduled_fire(self, *, is_past_due: bool) -> None:
        async with self._alone:
            started = datetime.now(UTC)
            await self._invoke(is_past_due=is_past_due)
        ended = datetime.now(UTC)
        # Instants that passed while the function ran are skipped, not queued.
        following = self.schedule.after(started)
        if following <= ended:
            started, following = ended, self.schedule.after(ended)
        self._remember(ScheduleStatus(started, following, ended))

    async def _invoke(self, *, is_past_due: bool) -> None:
        info: dict[str, Any] = {"Schedule": {"AdjustForDST": True}, "IsPastDue": is_past_due}
        if self._monitored and self._status is not None:
            info["ScheduleStatus"] = self._status.as_json()
        inputs = {self.function.trigger.name: TypedData(json=json.dumps(info))}
        for name in self.function.client_parameters:
            inputs[name] = self._client_binding()
        await invoke_with_retries(self._worker, self.function, inputs)

    def _remember(self, status: ScheduleStatus) -> None:
        self._status = status
        if not self._monitored:
            return
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(status.as_json()))
            temporary.replace(self._path)
        except OSError as error:
            # The timer continues. After a restart it just cannot know what it missed.
            HOST.error("The schedule monitor %s cannot be written: %s", self._path, error.strerror)

    def _load(self) -> ScheduleStatus | None:
        try:
            return ScheduleStatus.from_json(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            HOST.warning("The schedule monitor %s cannot be read and starts again: %r", self._path, error)
            return None


async def invoke_with_retries(
    worker: Worker, function: Function, inputs: Mapping[str, TypedData]
) -> InvocationResult:
    """Invokes a function and, where it has a retry policy, again after each failure, as the policy says."""
    policy = function.retry
    limit = 0 if policy is None else policy.max_retry_count
    attempt = 0
    exception: RpcException | None = None
    while True:
        context = RetryContext(attempt, limit, exception)
        result = await worker.invoke(function.name, inputs, retry_context=context)
        failure = result.failure
        # A limit of -1 is the app's wish to retry for as long as the host runs.
        if failure is None or policy is None or (limit >= 0 and attempt >= limit):
            return result
        attempt += 1
        exception = RpcException(
            source=function.name,
            message=f"{failure.exception_type}: {failure.message}",
            stack_trace=failure.stack_trace,
        )
        wait = retry_delay(policy, attempt)
        HOST.warning(
            "Function '%s' is retried in %.1f s (retry %d of %d)", function.name, wait, attempt, limit
        )
        await asyncio.sleep(wait)


def retry_delay(policy: RpcRetryOptions, attempt: int) -> float:
    """Seconds before retry `attempt` (from 1): fixed, or doubling with jitter within the policy's bounds."""
    if policy.retry_strategy == "fixed_delay":
        return policy.delay_interval.total_seconds()
    low = policy.minimum_interval.total_seconds()
    high = policy.maximum_interval.total_seconds()
    grown = max(low, 1.0) * 2.0 ** min(attempt - 1, 30) * random.uniform(0.8, 1.2)
    return min(high, max(low, grown))
