"""What processes use, and whether they answer yet."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from infra.local.processes import Child

_PATIENCE = 60.0


def cpu_seconds(pid: int) -> float:
    """User and system seconds a process has used so far (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def precise_cpu_seconds(pid: int) -> float:
    """As :func:`cpu_seconds`, to the nanosecond, without threads that have ended (Linux, sched-stats)."""
    spent = (task / "schedstat" for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(each.read_text().split()[0]) for each in spent) / 1e9


def family_cpu_seconds(pid: int) -> float:
    """As :func:`cpu_seconds`, with the processes it started, and those of them that have ended."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number = int(path.parent.name)
        parents[number] = int(fields[1])
        seconds[number] = sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def descends(number: int) -> bool:
        while number and number != pid:
            number = parents.get(number, 0)
        return number == pid

    return sum(used for number, used in seconds.items() if descends(number))


def peak_megabytes() -> float:
    """The most memory that this program has used so far (proc(5), status, VmHWM).

    ``ru_maxrss`` would be wrong: it begins with the memory of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def machine_cpu_seconds() -> float:
    """Seconds in which the machine's cores were busy so far, for any process (proc(5), stat)."""
    user, nice, system, _idle, _waiting, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


async def until_it_answers(url: str, child: Child, headers: Mapping[str, str] | None = None) -> None:
    """Wait for a 200. Raises RuntimeError with the end of its log when it ends or does not come."""
    deadline = time.monotonic() + _PATIENCE
    async with httpx.AsyncClient(trust_env=False, timeout=5, headers=headers) as client:
        while time.monotonic() < deadline and child.running:
            try:
                if (await client.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.02)
    raise RuntimeError(f"{child.name} does not answer at {url}\n{child.log_tail()}")
