"""Progress, cancel, retry, verification and backfill through the real host, as a customer uses them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import Stack
from tests.support.killing import SHORT_TIMES
from tests.support.system import Archive, System

EVENTS = 120


async def until_over(
    look: Callable[[], Awaitable[dict[str, Any]]], on_the_way: Callable[[int], Awaitable[None]] | None = None
) -> tuple[dict[str, Any], list[int]]:
    """Ask until it is over; what it was at last, and every percent told."""
    told: list[int] = []
    async with asyncio.timeout(90):
        while True:
            found = await look()
            told.append(found["progress"])
            if found["status"] in ("completed", "completed_with_errors", "cancelled", "failed"):
                return found, told
            if on_the_way is not None:
                await on_the_way(found["progress"])
            await asyncio.sleep(0.1)


class Customer:
    """One person's archive, through the API."""

    def __init__(self, system: System, archive: Archive) -> None:
        self.system, self.archive = system, archive
        self.api, self.path = system.api, f"archive-configurations/{archive.configuration_id}"

    async def get(self, url: str) -> dict[str, Any]:
        """A resource as it stands."""
        found: dict[str, Any] = (await self.api.request("GET", url)).json()
        return found

    async def follow(self, url: str) -> tuple[dict[str, Any], list[int]]:
        """A resource once it is over."""
        return await until_over(lambda: self.get(url))

    async def post(self, url: str, body: dict[str, Any] | None = None) -> str:
        """Ask for something; where it is."""
        return str((await self.api.request("POST", url, body)).headers["Location"])

    async def idle(self) -> bool:
        """Whether no run of the archive is queued or running."""
        runs = (await self.get(f"{self.path}/runs"))["items"]
        return all(run["finished_at"] for run in runs)

    async def copies(self) -> list[dict[str, Any]]:
        """What stands in the archive calendar."""
        where = f"mailboxes/{self.archive.address}/events"
        found = await self.system.stack.simulator("GET", where, calendar="Archive")
        return list(found["value"])


async def cancelled_while_writing(customer: Customer) -> None:
    """It stops before its end, what was written stays, and a retry writes the rest alone."""
    url, _ = await customer.system.start_run(customer.archive)

    async def cancel(percent: int) -> None:
        if percent > 25:
            await customer.api.request("POST", f"{url.split('/v1/')[-1]}/cancel")

    run, told = await until_over(lambda: customer.get(url), cancel)
    written = len(await customer.copies())
    assert run["status"] == "cancelled", run
    assert told == sorted(told)
    assert (told[-1], run["step"]) == (100, "finished")
    assert 0 < written < EVENTS
    again, told = await customer.follow(await customer.post(f"archive-runs/{run['id']}/retry"))
    assert told == sorted(told)
    assert (again["status"], again["report"]["archived"]) == ("completed", EVENTS - written)


async def cancelled_at_once(customer: Customer) -> None:
    """Before or while it is planned: nothing was written."""
    url, _ = await customer.system.start_run(customer.archive)
    await customer.api.request("POST", f"{url.split('/v1/')[-1]}/cancel")
    run, _ = await customer.follow(url)
    assert run["status"] == "cancelled", run
    assert len(await customer.copies()) < EVENTS


async def verified_and_put_back(customer: Customer) -> None:
    """A copy deleted by hand is found, and put back on its owner's word."""
    copy = (await customer.copies())[0]
    where = f"mailboxes/{customer.archive.address}/events/{copy['id']}"
    await customer.system.stack.simulator("DELETE", where)
    verification, told = await customer.follow(await customer.post(f"{customer.path}/verifications"))
    assert (verification["status"], verification["found"]["missing"]) == ("completed", 1), verification
    assert told == sorted(told)
    found = await customer.get(f"verifications/{verification['id']}/findings?kind=missing")
    (finding,) = found["items"]
    put_back = f"verifications/{verification['id']}/findings/{finding['id']}/put-back"
    run, _ = await customer.follow(await customer.post(put_back))
    assert (run["status"], run["report"]["archived"]) == ("completed", 1)
    again, _ = await customer.follow(await customer.post(f"{customer.path}/verifications"))
    assert sum(again["found"].values()) == 0
    assert set((await customer.system.copies(customer.archive)).values()) == {1}


async def backfilled(customer: Customer) -> None:
    """Month after month automatically until its owner stops it. Nothing is archived twice."""
    before, told = len(await customer.copies()), []
    url = await customer.post(f"{customer.path}/backfill", {"archive_from": "2025-12-01"})
    async with asyncio.timeout(60):
        while (backfill := await customer.get(url))["months_done"] < 4:
            told.append(backfill["progress"])
            await asyncio.sleep(0.1)
        await customer.api.request("POST", f"{customer.path}/backfill/pause")
        while (await customer.get(url))["next_attempt_at"] or not await customer.idle():
            await asyncio.sleep(0.1)
    backfill = await customer.get(url)
    assert (backfill["status"], backfill["months_done"] < backfill["months_total"]) == ("paused", True)
    assert told == sorted(told)
    assert len(await customer.copies()) == before


@pytest.mark.slow
async def test_a_customer_sees_progress_cancels_retries_verifies_and_backfills(tmp_path: Path) -> None:
    async with Stack(tmp_path / "state", latency_ms=25.0, env=SHORT_TIMES) as stack:
        system = await System.of(stack)
        customer = Customer(system, await system.add_mailbox("customer", EVENTS))
        await cancelled_while_writing(customer)
        await verified_and_put_back(customer)
        await backfilled(customer)
        await cancelled_at_once(Customer(system, await system.add_mailbox("other", EVENTS)))
