"""Archiving, compared with the service's own limit and with the predecessor.

The bound for N new events at L seconds a request is ``ceil(N/4)·L + ceil(N/1000)·L``. Outlook runs four
requests of a mailbox at once (graph.md, $batch), and a page holds 1000 events. Time is measured from the 202
of the request to the end of the run's row, through the real host, warm. The simulator and PostgreSQL are
processes of their own. With many mailboxes at once, the machine is a bound too. No run of all of them ends
before its longest mailbox, nor before the cores did the work of that time. The work of other processes counts
as well, because it delays the runs.
"""

import asyncio
import math
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.local.stack import Stack
from tests.benchmarks.bare_loop import archive_in_a_loop
from tests.benchmarks.one_by_one import archive_one_by_one
from tests.benchmarks.processes import cpu_seconds, family_cpu_seconds, machine_cpu_seconds
from tests.support.system import Archive, System

#: Mailboxes and events in each, when none are named.
SIZES = ((1, 1000), (10, 200), (50, 200))
_BASELINE_EVENTS = 40
_WARM_UP_EVENTS = 40
#: Events of all mailboxes together above which the quotas of the simulator are lifted.
_WITHIN_QUOTA = 9000


async def measure(sizes: tuple[tuple[int, int], ...], latencies_ms: list[float]) -> list[dict[str, Any]]:
    """One row for each size and latency."""
    return [await _row(mailboxes, events, latency) for mailboxes, events in sizes for latency in latencies_ms]


async def _row(mailboxes: int, events: int, latency_ms: float) -> dict[str, Any]:
    latency = latency_ms / 1000
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with Stack(Path(folder) / "state", latency_ms=latency_ms) as stack:
            system = await System.of(stack)
            await system.archive(await system.add_mailbox("warm-up", _WARM_UP_EVENTS))
            if events * mailboxes > _WITHIN_QUOTA:
                await stack.simulator("PATCH", "settings", {"requests_per_10_min": None})
            archives = [await system.add_mailbox(f"bench-{n}", events) for n in range(mailboxes)]
            ours = await _ours(system, archives, events, latency)
            row = {"mailboxes": mailboxes, "events": events, "latency_ms": latency_ms, "ours": ours}
            if mailboxes == 1:
                ours["floor_over_bound"] = await _floor(system, events, latency)
                row["baseline"] = await _baseline(system, latency)
    return row


def bound_seconds(events: int, latency: float) -> float:
    """What no client can beat: four requests at a time, pages of a thousand."""
    return math.ceil(events / 4) * latency + math.ceil(events / 1000) * latency


async def _ours(system: System, archives: list[Archive], events: int, latency: float) -> dict[str, Any]:
    await system.reset_counters()
    # Host, simulator and PostgreSQL are children of this process, which asks and counts too.
    host, everything = cpu_seconds(system.stack.host_pid), family_cpu_seconds(os.getpid())
    machine = machine_cpu_seconds()
    began = time.time()
    runs = await _archived(system, archives)
    host = cpu_seconds(system.stack.host_pid) - host
    everything = family_cpu_seconds(os.getpid()) - everything
    machine = machine_cpu_seconds() - machine
    first = await system.counters()
    for (run, _), archive in zip(runs, archives, strict=True):
        copies = await system.copies(archive)
        assert run["status"] == "completed", run
        assert len(copies) == events, (len(copies), events)
        assert set(copies.values()) == {1}
    await system.reset_counters()
    again = await _archived(system, archives)
    rerun = await system.counters()
    assert all(run["report"]["unchanged"] == events for run, _ in again)
    total = events * len(archives)
    bound = bound_seconds(events, latency)
    measured = {
        "round_trips_per_1000": round(first["round_trips"] / total * 1000, 1),
        "rerun_reads": rerun["round_trips"] - rerun["writes"],
        "rerun_writes": rerun["writes"],
        "cpu_ms_per_event": round(host * 1000 / total, 3),
        "max_concurrent": max(each["max_concurrent"] for each in first["mailboxes"].values()),
    }
    if len(archives) == 1:
        return {"time_over_bound": round(runs[0][1] / bound, 3)} | measured
    seconds = max(ended for _, ended in runs) - began
    cores = os.cpu_count() or 1
    return {
        "seconds": round(seconds, 2),
        "longest_mailbox_seconds": round(bound, 2),
        "cpu_seconds": round(everything, 2),
        "machine_cpu_seconds": round(machine, 2),
        "cores": cores,
        "parallel_over_cpu_bound": round(seconds / max(bound, everything / cores, machine / cores), 3),
    } | measured


async def _archived(system: System, archives: list[Archive]) -> list[tuple[dict[str, Any], float]]:
    """All at once. One alone: its run and seconds from the 202. Several: also the second of their end."""
    if len(archives) == 1:
        return [await system.archive(archives[0])]
    # Fifty that ask every second would be measured instead of what they ask about.
    poll = max(1.0, len(archives) / 10)
    started = await asyncio.gather(*(system.start_run(archive) for archive in archives))
    runs = await asyncio.gather(*(system.finished(url, poll=poll) for url, _ in started))
    return [(run, datetime.fromisoformat(run["finished_at"]).timestamp()) for run in runs]


async def _floor(system: System, events: int, latency: float) -> float:
    archive = await system.add_mailbox("floor", events)
    return round(await archive_in_a_loop(system, archive) / bound_seconds(events, latency), 3)


async def _baseline(system: System, latency: float) -> dict[str, Any]:
    archive = await system.add_mailbox("baseline", _BASELINE_EVENTS)
    await system.reset_counters()
    seconds, cpu = await archive_one_by_one(system, archive)
    counters = await system.counters()
    return {
        "events": _BASELINE_EVENTS,
        "time_over_bound": round(seconds / bound_seconds(_BASELINE_EVENTS, latency), 3),
        "round_trips_per_1000": round(counters["round_trips"] / _BASELINE_EVENTS * 1000, 1),
        "cpu_ms_per_event": round(cpu * 1000 / _BASELINE_EVENTS, 3),
    }
