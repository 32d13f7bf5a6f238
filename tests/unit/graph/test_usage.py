"""Calls are counted where they are made, also in tasks and nested scopes."""

import asyncio

from shared.usage import count_call, track_usage


async def test_tasks_count_for_the_scope_that_started_them() -> None:
    async def call() -> None:
        count_call(reads=1)

    with track_usage() as usage:
        await asyncio.gather(call(), asyncio.create_task(call()))
    assert (usage.requests, usage.round_trips, usage.reads, usage.writes) == (2, 2, 2, 0)


def test_scopes_nest_and_end() -> None:
    with track_usage() as outer:
        with track_usage() as inner:
            count_call(writes=20)
        count_call(reads=2)
    count_call(reads=100)
    assert (inner.requests, inner.writes, inner.round_trips) == (20, 20, 1)
    assert (outer.requests, outer.reads, outer.writes, outer.round_trips) == (22, 2, 20, 2)
