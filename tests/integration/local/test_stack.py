"""The system as a whole: what starts, what survives, what a person is told when something is in the way."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from infra.local import ports
from infra.local.commands import main
from infra.local.errors import LocalError
from infra.local.processes import command_line
from infra.local.stack import Stack


async def test_the_app_gets_its_settings_and_nothing_that_leads_outside(
    app: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("ADMIN_ASSISTANT_EXTRA", "passed on")
    async with Stack(state, app=app, migrate=False) as stack:
        settings = ("DATABASE_URL", "GRAPH_BASE_URL", "EXTRA")
        names = ",".join([*(f"ADMIN_ASSISTANT_{name}" for name in settings), "APP_ENV", "OPENAI_API_KEY"])
        told = (await stack.client.get(f"{stack.base_url}/api/environment?names={names}")).text.split("|")
        assert told[0].startswith("postgresql+asyncpg://app_user")
        assert told[1:] == [f"{stack.simulator_url}/v1.0", "passed on", "local", ""]
        assert (await stack.token()).count(".") == 2


async def test_the_host_comes_back_after_kill_9_on_the_same_port(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False) as stack:
        first = stack.host_pid
        await stack.kill_host()
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        await stack.start_host()
        assert (await stack.client.get(f"{stack.base_url}/api/health/ready")).is_success
        assert stack.host_pid != first


async def test_mailboxes_survive_a_stop(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False) as stack:
        await stack.simulator("POST", "mailboxes", [{"address": "a@example.com"}])
    async with Stack(state, app=app, migrate=False) as stack:
        mailboxes = (await stack.simulator("GET", "mailboxes"))["value"]
        assert [entry["address"] for entry in mailboxes] == ["a@example.com"]


async def test_an_app_that_does_not_start_is_told_with_the_end_of_its_log(app: Path, state: Path) -> None:
    (app / "function_app.py").write_text("raise RuntimeError('the reason')")
    with pytest.raises(LocalError, match=r"the Functions host .*functions\.log(?s:.*)the reason"):
        await Stack(state, app=app, migrate=False).start()


async def test_a_second_system_on_the_same_folder_is_refused(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False):
        with pytest.raises(LocalError, match="a system already runs on"):
            await Stack(state, app=app, migrate=False).start()


@pytest.mark.parametrize("offset", [0, 1])
async def test_a_taken_port_is_one_line_and_starts_nothing(app: Path, state: Path, offset: int) -> None:
    first, _ = ports.pair(0)
    with (
        socket.create_server(("127.0.0.1", first + offset)),
        pytest.raises(LocalError, match=f"port {first + offset} is taken") as refused,
    ):
        await Stack(state, port=first, app=app, migrate=False).start()
    assert "\n" not in str(refused.value)


async def test_nothing_of_a_stopped_system_is_left(app: Path, state: Path) -> None:
    async with Stack(state, app=app, migrate=False) as stack:
        pids = [stack.host_pid, stack.postgres.pid]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
async def test_the_parts_of_a_killed_system_are_ended_by_the_next_one(app: Path, state: Path) -> None:
    script = (
        "import asyncio, sys, pathlib; from infra.local.stack import Stack\n"
        "async def main():\n"
        "    stack = Stack(pathlib.Path(sys.argv[1]), app=pathlib.Path(sys.argv[2]), migrate=False)\n"
        "    await stack.start(); print(stack.port, stack.host_pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(state), str(app)]
    supervisor = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    _, orphan = map(int, (await supervisor.stdout.readline()).split())
    supervisor.kill()
    await supervisor.wait()
    assert str(state) in command_line(orphan)
    async with Stack(state, app=app, migrate=False) as stack:
        assert stack.host_pid != orphan
        # Where nobody collects it, it stays in the table of processes, without a command.
        assert command_line(orphan) == ""


async def test_a_token_is_of_the_person_that_the_running_system_has(
    app: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oid = "7d3c9a52-1111-4222-8333-444455556666"
    async with Stack(state, app=app, migrate=False) as stack:
        await stack.simulator("POST", "mailboxes", [{"address": "kim@example.com", "oid": oid}])
        ask = ["token", "--state", str(state), "--user"]
        assert await asyncio.to_thread(main, [*ask, "Kim@Example.com", "--role", "Auditor"]) == 0
        claims = jwt.decode(capsys.readouterr().out.strip(), options={"verify_signature": False})
        assert (claims["oid"], claims["roles"]) == (oid, ["Auditor"])
        assert await asyncio.to_thread(main, [*ask, "kin@example.com"]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert "knows nobody with the address kin@example.com" in told.err
        assert "kim@example.com" in told.err
    assert main([*ask, "kim@example.com"]) == 1
    assert "no system runs on" in capsys.readouterr().err
