"""Kill -9 of the Functions host in the middle of an archive run."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from infra.local.stack import Stack
from tests.support.system import System

#: Short enough to live through; the lease still outlasts a whole batch.
SHORT_TIMES = {
    "ADMIN_ASSISTANT_MAILBOX_LEASE_SECONDS": "3",
    "ADMIN_ASSISTANT_BATCH_TIMEOUT_SECONDS": "2",
}
EVENTS = 120
LATENCY_MS = 25.0


async def survive_kills(folder: Path, moments: Sequence[float]) -> list[str]:
    """One run for each moment: kill the host so many seconds after the 202, start it again, follow the run.

    Returns what went wrong, one line each.
    """
    wrong: list[str] = []
    async with Stack(folder, latency_ms=LATENCY_MS, env=SHORT_TIMES) as stack:
        system = await System.of(stack)
        for number, moment in enumerate(moments):
            archive = await system.add_mailbox(f"kill-{number}", EVENTS)
            status_url, _ = await system.start_run(archive)
            await asyncio.sleep(moment)
            await stack.kill_host()
            await stack.start_host()
            run = await system.finished(status_url, 90)
            copies = await system.copies(archive)
            told = f"killed after {moment:.2f} s: "
            if run["state"] != "completed" or run["report"]["archived"] != EVENTS:
                wrong.append(f"{told}{run['state']}, {run['report']}")
            if len(copies) != EVENTS:
                wrong.append(f"{told}{EVENTS - len(copies)} missing")
            if doubled := [key for key, count in copies.items() if count > 1]:
                wrong.append(f"{told}{len(doubled)} doubled")
        counters = await system.counters()
        if counters["requests_while_told_to_wait"] or counters["invitations_sent"]:
            wrong.append(f"rules of the mailbox broken: {counters}")
    return wrong
