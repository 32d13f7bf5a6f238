"""What the simulator answers is on disk: a kill at any moment loses nothing that was acknowledged."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest

from infra.local.graph_simulator import GraphSimulator
from infra.local.stack import ROOT
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import NO_TLS, FixedCredential, open_graph, timed
from tests.integration.graph_simulator.test_events import SPRING

EVENTS = f"/_simulator/mailboxes/{ADDRESS}/events"
MAILBOX = {"address": ADDRESS, "calendars": [{"name": "Calendar", "is_default": True}]}
CLIENTS = 8


@pytest.mark.parametrize("kills", [3])
async def test_every_acknowledged_write_survives_kill_9(tmp_path: Path, kills: int) -> None:
    file = tmp_path / "graph.json"
    acknowledged: set[str] = set()
    for kill in range(kills):
        async with started(file) as (process, admin):
            if not kill:
                (await admin.post("/_simulator/mailboxes", json=[MAILBOX])).raise_for_status()
            writers = [asyncio.create_task(write(admin, acknowledged, kill, n)) for n in range(CLIENTS)]
            # Not before each of them is in the middle of its work.
            wanted = len(acknowledged) + 5 * CLIENTS
            async with asyncio.timeout(60):
                while len(acknowledged) < wanted:
                    await asyncio.sleep(0.001)
            process.kill()
            await process.wait()
            await asyncio.gather(*writers)
    async with started(file) as (_, admin):
        found = [event["subject"] for event in (await admin.get(EVENTS)).json()["value"]]
    assert acknowledged - set(found) == set()
    assert len(found) == len(set(found))


async def test_a_change_over_graph_is_in_the_file_before_its_answer(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "state.db"
    running = GraphSimulator(state_file=file)
    await running.start()
    try:
        async with httpx.AsyncClient(base_url=running.base_url, verify=NO_TLS) as admin:
            await admin.post("/_simulator/mailboxes", json=[MAILBOX])
        async with open_graph(running, FixedCredential(running.identity.graph_token())) as graph:
            created = await graph.request("POST", f"/users/{ADDRESS}/events", timed(*SPRING, subject="New"))
            assert b"New" in saved(file)
            await graph.request("PATCH", f"/users/{ADDRESS}/events/{created['id']}", {"subject": "Changed"})
            assert b"Changed" in saved(file)
            await graph.request("DELETE", f"/users/{ADDRESS}/events/{created['id']}")
            assert saved(file) == b""
    finally:
        await running.stop()


async def test_what_cannot_be_saved_is_not_acknowledged_and_goes_with_the_next(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    running = GraphSimulator(state_file=file)
    await running.start()
    try:
        async with httpx.AsyncClient(base_url=running.base_url, verify=NO_TLS) as admin:
            await admin.post("/_simulator/mailboxes", json=[MAILBOX])
            trigger = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'full'); END"
            executed(file, trigger)
            assert (await admin.post(EVENTS, json=timed(*SPRING, subject="One"))).status_code == 503
            executed(file, "DROP TRIGGER full")
            assert (await admin.post(EVENTS, json=timed(*SPRING, subject="Two"))).status_code == 201
        assert b"One" in saved(file)
        assert b"Two" in saved(file)
    finally:
        await running.stop()


@pytest.mark.parametrize("damage", ["empty", "no database", "emptied", "cut", "no mailbox"])
async def test_a_damaged_file_is_refused_in_one_line_and_kept(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "graph.json"
    running = GraphSimulator(state_file=file)
    await running.start()
    async with httpx.AsyncClient(base_url=running.base_url, verify=NO_TLS) as admin:
        await admin.post("/_simulator/mailboxes", json=[MAILBOX])
        await admin.post(EVENTS, json=timed(*SPRING))
    await running.stop()
    ruin(file, damage)
    before = file.read_bytes()
    process = await asyncio.create_subprocess_exec(*command(file), stderr=asyncio.subprocess.PIPE, cwd=ROOT)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().count("\n") == 1
    assert "restore it or delete it" in errors.decode()
    assert file.read_bytes() == before


def ruin(file: Path, damage: str) -> None:
    content = file.read_bytes()
    match damage:
        case "empty":
            file.write_bytes(b"")
        case "no database":
            file.write_bytes(b"\0" * len(content))
        case "cut":
            file.write_bytes(content[: len(content) // 2])
        case "emptied" | "no mailbox":
            table = "keys" if damage == "emptied" else "mailboxes"
            executed(file, f"DELETE FROM {table}")  # noqa: S608 - one of two


async def write(admin: httpx.AsyncClient, acknowledged: set[str], kill: int, client: int) -> None:
    """Create events until the simulator is gone."""
    number = 0
    while True:
        subject = f"{kill}.{client}.{number}"
        try:
            answer = await admin.post(EVENTS, json=timed(*SPRING, subject=subject))
        except httpx.TransportError:
            return
        if answer.is_success:
            acknowledged.add(subject)
        number += 1


@asynccontextmanager
async def started(file: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """A simulator on the file, killed in the end, and a client of it."""
    process = await asyncio.create_subprocess_exec(*command(file), stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        port = json.loads(await process.stdout.readline())["port"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as admin:
            yield process, admin
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def command(file: Path) -> list[str]:
    return [sys.executable, "-m", "infra.local.graph_simulator", "--state", str(file)]


def saved(file: Path) -> bytes:
    """Every event of the file, as another process sees it."""
    return b"".join(row[0] for row in executed(file, "SELECT data FROM events"))


def executed(file: Path, *statements: str) -> list[tuple[bytes]]:
    """What the last of the statements gives."""
    rows: list[tuple[bytes]] = []
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
            connection.commit()
    return rows
