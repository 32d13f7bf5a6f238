"""Slots, gates and patience, by a clock that only moves when somebody waits."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph.errors import GraphCallError, retry_after_seconds
from shared.graph.retry import Reads, RetryPolicy
from shared.graph.throttle import Throttle
from tests.support.throttle_gate import InProcessGate

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class PatientClock:
    """Waiting moves it on at once."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    @property
    def waited(self) -> float:
        return (self.time - NOW).total_seconds()


class Script:
    """Fails as told, call by call, then succeeds; remembers when it was called."""

    def __init__(self, clock: PatientClock, *failures: GraphCallError) -> None:
        self._clock = clock
        self._failures = list(failures)
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(self._clock.waited)
        if self._failures:
            raise self._failures.pop(0)
        return "done"


def reads(clock: PatientClock, **policy: float) -> Reads:
    return Reads(Throttle(clock=clock), RetryPolicy(**policy))  # type: ignore[arg-type]


async def test_retry_after_is_never_undercut() -> None:
    clock = PatientClock()
    script = Script(clock, GraphCallError(429, "x", 3.0), GraphCallError(503, "x", 2.0))
    assert await reads(clock).run("m", script) == "done"
    assert script.calls[1] > 3.0
    assert script.calls[2] > script.calls[1] + 2.0


async def test_without_retry_after_waits_grow() -> None:
    clock = PatientClock()
    script = Script(clock, *(GraphCallError(500, "x") for _ in range(4)))
    await reads(clock).run("m", script)
    gaps = [later - earlier for earlier, later in zip(script.calls, script.calls[1:], strict=False)]
    for number, gap in enumerate(gaps):
        assert 0.25 * 2**number <= gap <= 0.5 * 2**number


@given(st.lists(st.sampled_from([429, 500, 502, 503, 504, None]), min_size=5, max_size=9))
async def test_tries_and_waits_are_bounded(statuses: list[int | None]) -> None:
    clock = PatientClock()
    script = Script(
        clock, *(GraphCallError(status, "x", 1.0 if status == 429 else None) for status in statuses)
    )
    with pytest.raises(GraphCallError):
        await reads(clock).run("m", script)
    assert len(script.calls) == 5
    assert clock.waited <= 21


async def test_slow_failures_are_not_repeated_permanently() -> None:
    clock = PatientClock()
    calls = 0

    async def slow() -> None:
        nonlocal calls
        calls += 1
        await clock.sleep(60)
        raise GraphCallError(None, "timeout")

    with pytest.raises(GraphCallError):
        await reads(clock).run("m", slow)
    assert calls == 2


async def test_a_wait_longer_than_patience_is_not_begun() -> None:
    clock = PatientClock()
    with pytest.raises(GraphCallError) as caught:
        await reads(clock, patience=5.0).run("m", Script(clock, GraphCallError(429, "x", 6.0)))
    assert (caught.value.status, clock.waited) == (429, 0.0)
    assert caught.value.retry_after == pytest.approx(6.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410])
async def test_what_a_retry_cannot_fix_is_not_retried(status: int) -> None:
    clock = PatientClock()
    script = Script(clock, GraphCallError(status, "x"))
    with pytest.raises(GraphCallError):
        await reads(clock).run("m", script)
    assert len(script.calls) == 1


async def test_an_effect_is_repeated_only_if_it_was_refused() -> None:
    clock = PatientClock()
    refused = Script(clock, GraphCallError(429, "x", 1.0))
    assert await reads(clock).run("m", refused, repeatable=False) == "done"
    lost = Script(clock, GraphCallError(None, "connection"))
    with pytest.raises(GraphCallError):
        await reads(clock).run("m", lost, repeatable=False)
    assert len(lost.calls) == 1


async def test_a_gate_that_closes_while_one_waits_for_a_slot_is_respected() -> None:
    clock = PatientClock()
    throttle = Throttle(clock=clock)
    runner = Reads(throttle)
    script = Script(clock)
    async with throttle.slots("m", 4):
        waiting = asyncio.create_task(runner.run("m", script))
        await asyncio.sleep(0)
        await throttle.close("m", 4.0)
    await waiting
    assert script.calls[0] > 4.0


async def test_a_gate_is_never_closed_for_less() -> None:
    clock = PatientClock()
    throttle = Throttle(InProcessGate(), clock)
    await throttle.close("m", 10.0)
    await throttle.close("m", 2.0)
    assert await throttle.wait("m") == 10.0
    await clock.sleep(10.0)
    assert await throttle.wait("m") == 0.0


async def test_slots_are_given_in_order_and_all_at_once() -> None:
    throttle = Throttle()
    log: list[str] = []

    async def hold(name: str, count: int) -> None:
        async with throttle.slots("m", count):
            log.append(f"{name}+")
            await asyncio.sleep(0.001)
            log.append(f"{name}-")

    # The big one in the middle is not overtaken by the small one behind it.
    await asyncio.gather(hold("a", 1), hold("big", 20), hold("c", 1))
    assert log == ["a+", "a-", "big+", "big-", "c+", "c-"]


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=25))
async def test_no_slot_is_lost_or_given_twice(users: list[tuple[int, bool]]) -> None:
    throttle = Throttle()
    held = most = 0

    async def hold(count: int) -> None:
        nonlocal held, most
        async with throttle.slots("m", count):
            held += min(count, 4)
            most = max(most, held)
            try:
                await asyncio.sleep(0)
            finally:
                held -= min(count, 4)

    tasks = [asyncio.create_task(hold(count)) for count, _ in users]
    await asyncio.sleep(0)
    for task, (_, leaves) in zip(tasks, users, strict=True):
        if leaves:
            task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    assert most <= 4
    async with asyncio.timeout(1), throttle.slots("m", 4):
        pass


async def test_a_slot_given_to_one_who_just_left_goes_to_the_next() -> None:
    throttle = Throttle()

    async def hold() -> None:
        async with throttle.slots("m", 4):
            pass

    async with throttle.slots("m", 4):
        leaving, staying = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(1):
        await staying
    assert (await asyncio.gather(leaving, return_exceptions=True))[0].__class__ is asyncio.CancelledError


def test_retry_after_in_every_form() -> None:
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert retry_after_seconds("120") == 120.0
    assert retry_after_seconds("0.5") == 0.5
    assert retry_after_seconds(later, NOW) == 90.0
    assert retry_after_seconds("-5") == 0.0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None


@given(st.text(max_size=30))
def test_no_retry_after_is_too_odd(value: str) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or seconds >= 0
