"""Archiving against the limit the service itself sets, and against the way of the predecessor.

The bound for N new events at L seconds a request is ``ceil(N/4)·L + ceil(N/1000)·L``: Outlook runs four
requests of a mailbox at once (graph.md, $batch), and a page holds 1000 events. Time is measured from the
202 of the request to the end of the run's row, through the real host, warm; the simulator and PostgreSQL
are processes of their own.
"""

import asyncio
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from infra.local.stack import Stack
from tests.benchmarks.one_by_one import archive_one_by_one
from tests.support.system import Archive, System

_BASELINE_EVENTS = 40
_WARM_UP_EVENTS = 40


async def measure(events: int, mailboxes: int, latencies_ms: list[float]) -> list[dict[str, Any]]:
    """One row for each latency."""
    return [await _row(events, mailboxes, latency) for latency in latencies_ms]


async def _row(events: int, mailboxes: int, latency_ms: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as folder:
        async with Stack(Path(folder) / "state", latency_ms=latency_ms) as stack:
            system = await System.of(stack)
            await system.archive(await system.add_mailbox("warm-up", _WARM_UP_EVENTS))
            if events * mailboxes > 9000:
                await stack.simulator("PATCH", "settings", {"requests_per_10_min": None})
            archives = [await system.add_mailbox(f"bench-{n}", events) for n in range(mailboxes)]
            ours = await _ours(system, archives, events, latency_ms / 1000)
            baseline = await _baseline(system, latency_ms / 1000)
    return {
        "mailboxes": mailboxes,
        "events": events,
        "latency_ms": latency_ms,
        "ours": ours,
        "baseline": baseline,
    }


def bound_seconds(events: int, latency: float) -> float:
    """What no client can beat: four requests at a time, pages of a thousand."""
    return math.ceil(events / 4) * latency + math.ceil(events / 1000) * latency


async def _ours(system: System, archives: list[Archive], events: int, latency: float) -> dict[str, Any]:
    await system.reset_counters()
    cpu = _cpu_seconds(system.stack.host_pid)
    runs = await asyncio.gather(*(system.archive(archive) for archive in archives))
    cpu = _cpu_seconds(system.stack.host_pid) - cpu
    first = await system.counters()
    for (run, _), archive in zip(runs, archives, strict=True):
        copies = await system.copies(archive)
        assert run["state"] == "completed", run
        assert len(copies) == events, (len(copies), events)
        assert set(copies.values()) == {1}
    await system.reset_counters()
    again = await asyncio.gather(*(system.archive(archive) for archive in archives))
    rerun = await system.counters()
    assert all(run["report"]["unchanged"] == events for run, _ in again)
    total = events * len(archives)
    return {
        "time_over_bound": round(max(s for _, s in runs) / bound_seconds(events, latency), 3),
        "round_trips_per_1000": round(first["round_trips"] / total * 1000, 1),
        "rerun_reads": rerun["round_trips"] - rerun["writes"],
        "rerun_writes": rerun["writes"],
        "cpu_ms_per_event": round(cpu * 1000 / total, 3),
        "max_concurrent": first["max_concurrent"],
    }


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


def _cpu_seconds(pid: int) -> float:
    """User and system seconds a process has used so far (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
