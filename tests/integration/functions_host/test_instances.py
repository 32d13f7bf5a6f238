"""One app on several instances: who gets requests, work and timers, and what becomes of those that die."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from infra.local import app_instances
from infra.local.processes import command_line
from tests.integration.functions_host.instances_app import several_instances, versioned
from tests.integration.functions_host.running_host import write_app


async def test_each_group_does_its_own_and_shares_the_work(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"http": 2, "durable": 2, "timer": 2}) as app:
        answered = [(await app.client.get("/api/who")).text for _ in range(6)]
        assert Counter(answered) == dict.fromkeys(app.instances.of_group("http"), 3)
        assert answered[0] != answered[1]

        ids = [await app.start("one_after_another", 8) for _ in range(4)]
        ran = [name for each in ids for name in (await app.end_of(each))["output"][1]]
        assert len(ran) == 32
        assert set(ran) == set(app.instances.of_group("durable"))

        answer = await app.client.post("/api/seen?q=a%2Fb", content=b"body", headers={"Host": "our.example"})
        assert (answer.status_code, answer.headers["x-mine"]) == (207, "kept")
        assert answer.json()["body"] == "body"
        assert answer.json()["url"].endswith("our.example/api/seen?q=a%2Fb")
        assert answer.json()["from"].startswith("127.0.0.1:")

        fired = await app.until_noted("fired", 2)
        (firing,) = {name for name, _ in fired}
        await app.instances.kill(firing)
        async with asyncio.timeout(20):
            while {name for name, _ in app.noted("fired")} == {firing}:
                await asyncio.sleep(0.05)
        seconds = [round(moment) for _, moment in app.noted("fired")]
        assert len(seconds) == len(set(seconds))


async def test_what_a_killed_instance_had_in_hand_runs_on_another(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"all": 2}) as app:
        started = await app.start("one_that_waits")
        ((first, _),) = await app.until_noted("began")

        await app.instances.kill(first)
        (_, (second, _)) = await app.until_noted("began", 2)
        app.release()

        ended = await app.end_of(started)
        assert (ended["runtimeStatus"], ended["output"]) == ("Completed", second)
        assert second != first
        # The front passes over the port that nobody listens to any more.
        assert {(await app.client.get("/api/who")).text for _ in range(4)} == {second}


async def test_the_answer_of_an_instance_taken_for_dead_counts_for_nothing(tmp_path: Path) -> None:
    quick = {"FUNCTIONS_DURABLE_LOCK_SECONDS": "1.5"}
    async with several_instances(tmp_path, {"http": 1, "durable": 2}, env=quick) as app:
        started = await app.start("one_that_waits")
        ((first, _),) = await app.until_noted("began")
        os.kill(app.instances.pid(first), signal.SIGSTOP)
        (_, (second, _)) = await app.until_noted("began", 2)

        # The first continues as if nothing had happened, and both end.
        os.kill(app.instances.pid(first), signal.SIGCONT)
        app.release()
        await app.until_noted("ended", 2)

        assert (await app.end_of(started))["output"] == second
        # It joins again, as a free one.
        await app.joined(first)
        again = await app.start("one_after_another", 8)
        assert set((await app.end_of(again))["output"][1]) == {first, second}


async def test_instances_wait_for_an_engine_that_died_and_continue(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"all": 2}) as app:
        started = await app.start("one_that_waits")
        await app.until_noted("began")
        acknowledged = [await app.start("one_after_another", 2) for _ in range(20)]
        await app.instances.kill_engine()
        away = await app.client.get(f"/runtime/webhooks/durabletask/instances/{started}")
        assert away.status_code == 503

        await app.instances.start_engine()
        app.release()
        for each in [started, *acknowledged]:
            assert (await app.end_of(each))["runtimeStatus"] == "Completed"
        assert (await app.end_of(await app.start("one_after_another", 2)))["runtimeStatus"] == "Completed"


async def test_a_front_that_died_comes_back_and_knows_the_instances(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"all": 2}) as app:
        before = await app.start("one_after_another", 3)
        await app.instances.kill_front()
        with pytest.raises(httpx.ConnectError):
            await app.client.get("/api/who")

        await app.instances.start_front()
        answered = {(await app.client.get("/api/who")).text for _ in range(4)}
        assert answered == set(app.instances.names)
        assert (await app.end_of(before))["runtimeStatus"] == "Completed"


async def test_replacing_all_one_by_one_costs_no_request_and_no_orchestration(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"all": 2}) as app:
        former = set(app.instances.names)
        pids = [app.instances.pid(name) for name in former]
        started = [await app.start("one_after_another", 40) for _ in range(3)]
        failed: list[int] = []
        rolling = asyncio.create_task(app.instances.replace_all())
        while not rolling.done():
            answer = await app.client.get("/api/who")
            failed += [answer.status_code] if answer.is_error else []
            await asyncio.sleep(0.005)
        await rolling

        assert failed == []
        assert not former & set(app.instances.names)
        assert not any(command_line(pid) for pid in pids)
        for each in started:
            ended = await app.end_of(each)
            assert (ended["runtimeStatus"], len(ended["output"][1])) == ("Completed", 40)


async def test_two_versions_side_by_side(tmp_path: Path) -> None:
    """The older one's work may continue anywhere, the newer one's only with the newer one."""
    old = versioned("1.0")
    async with several_instances(tmp_path, {"all": 1}, host=old) as app:
        (older,) = app.instances.names
        newer = await app.instances.add(
            "all",
            app=write_app(
                tmp_path / "newer", (tmp_path / "app/function_app.py").read_text(), host=versioned("2.0")
            ),
        )
        at_old, at_new = app.instances.url(older), app.instances.url(newer)
        one, two = [await app.start("one_after_another", 6, at=url) for url in (at_old, at_new)]
        assert (await app.end_of(one))["output"][0] == "1.0"
        assert (await app.end_of(two))["output"][0] == "2.0"

        await app.instances.kill(newer)
        waiting = await app.start("one_after_another", 2, at=at_old)
        assert (await app.end_of(waiting))["output"][0] == "1.0"


async def test_a_newer_orchestration_waits_for_an_instance_of_its_version(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {"all": 1}, host=versioned("2.0")) as app:
        started = await app.start("one_that_waits")
        await app.until_noted("began")
        code = (tmp_path / "app/function_app.py").read_text()
        older = write_app(tmp_path / "older", code, host=versioned("1.0"))
        (newer,) = app.instances.names
        await app.instances.add("all", app=older)
        await app.instances.kill(newer)
        # Activities have no version: the older instance runs what the newer one had in hand.
        app.release()
        await app.until_noted("ended")
        await asyncio.sleep(0.5)
        assert (await app.status(started))["runtimeStatus"] == "Running"

        await app.instances.add("all", app=write_app(tmp_path / "newer", code, host=versioned("2.0")))
        assert (await app.end_of(started))["runtimeStatus"] == "Completed"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http=2,durable=2,timer=1", {"http": 2, "durable": 2, "timer": 1}),
        ("3", {"all": 3}),
        ("all=1,durable=2", {"all": 1, "durable": 2}),
    ],
)
def test_groups_are_read(text: str, found: dict[str, int]) -> None:
    assert app_instances.parse(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http=2,durable=1", "no instance listens to timer"),
        ("0", "no instance listens to http"),
        ("http=x,durable=1,timer=1", "number of http"),
        ("web=1", "no group"),
        ("http=1,http=2", "given twice"),
        ("all=21", "between 0 and 20"),
        ("", "no group"),
    ],
)
def test_groups_that_cannot_be_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        app_instances.parse(text)


async def test_without_any_instance_the_front_says_so(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {}) as app:
        answer: httpx.Response = await app.client.get("/api/who")
        assert answer.status_code == 503


async def test_the_front_cuts_off_who_sends_no_whole_request_in_time(tmp_path: Path) -> None:
    async with several_instances(tmp_path, {}, env={"FUNCTIONS_SLOW_CONNECTION_SECONDS": "1"}) as app:
        received = []
        for begun in (b"GET /api/w", b"POST /api/who HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nxxx"):
            reader, writer = await asyncio.open_connection("127.0.0.1", app.client.base_url.port)
            writer.write(begun)
            received.append(await asyncio.wait_for(reader.read(), 30))
            writer.close()
        assert received[0] == b""
        assert received[1].startswith(b"HTTP/1.1 408")
