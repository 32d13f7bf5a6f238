"""Timer functions: schedules, lateness, retries, never two at once."""

import json
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.functions_host import schedules
from infra.local.functions_host.protos import RpcRetryOptions
from infra.local.functions_host.timers import retry_delay
from tests.integration.functions_host.running_host import RunningHost, eventually, write_app

APP = """
import asyncio, logging
import azure.functions as func

app = func.FunctionApp()
running = 0


@app.timer_trigger(schedule="%OFTEN%", arg_name="t")
async def often(t: func.TimerRequest) -> None:
    global running
    running += 1
    logging.info("often: %d at once, past due %s", running, t.past_due)
    await asyncio.sleep(0.15)
    running -= 1


@app.timer_trigger(schedule="* * * * * *", arg_name="t")
def each_second(t: func.TimerRequest) -> None:
    logging.info("each second")


@app.timer_trigger(schedule="0 0 3 * * *", arg_name="t", run_on_startup=True)
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def stubborn(t: func.TimerRequest, context: func.Context) -> None:
    retry = context.retry_context
    logging.info("attempt %d of %d", retry.retry_count, retry.max_retry_count)
    raise RuntimeError("not yet")


@app.timer_trigger(schedule="%NOT_SET%", arg_name="t")
def unset(t: func.TimerRequest) -> None: ...


@app.timer_trigger(schedule="0 0 25 * * *", arg_name="t")
def impossible(t: func.TimerRequest) -> None: ...


@app.timer_trigger(schedule="00:00:01", arg_name="t", run_on_startup=True)
def switched_off(t: func.TimerRequest) -> None:
    logging.info("switched off, yet running")
"""

HOURLY = """
import logging
import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(schedule="01:00:00", arg_name="t")
def hourly(t: func.TimerRequest) -> None:
    logging.info("hourly: past due %s, last %s", t.past_due, t.schedule_status["Last"])
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    app = write_app(tmp_path_factory.mktemp("timers") / "app", APP)
    settings = {"OFTEN": "00:00:01", "AzureWebJobs.switched_off.Disabled": "true"}
    with RunningHost(app, env=settings) as running:
        yield running


def test_timers_fire_on_their_schedules(host: RunningHost) -> None:
    host.wait_for(r"often: 1 at once, past due False")
    host.wait_for(r"each second")


def test_a_timer_never_runs_beside_itself(host: RunningHost) -> None:
    for _ in range(4):
        assert host.client.post("/admin/functions/often", json={"input": ""}).status_code == 202

    def fired() -> bool:
        return len(re.findall("often: ", host.output)) >= 5

    eventually(fired, "five runs")
    assert "often: 2 at once" not in host.output


def test_a_retry_policy_is_followed_to_its_end(host: RunningHost) -> None:
    def attempts() -> list[str] | None:
        ended = re.findall(r"Executed 'Functions\.stubborn' \(Failed", host.output)
        return re.findall(r"attempt (\d of \d)", host.output) if len(ended) == 3 else None

    assert eventually(attempts, "three failures") == ["0 of 2", "1 of 2", "2 of 2"]


def test_unreadable_schedules_are_reported_and_the_rest_runs(host: RunningHost) -> None:
    host.wait_for(r"The 'unset' function is in error: '%NOT_SET%' does not resolve to a value")
    host.wait_for(r"The 'impossible' function is in error: The schedule expression '0 0 25 \* \* \*'")


def test_a_disabled_timer_does_not_fire_automatically(host: RunningHost) -> None:
    host.wait_for("often: 1 at once")

    assert "switched off, yet running" not in host.output


def test_a_fire_missed_while_the_host_was_down_is_made_up_for_and_marked_late(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", HOURLY)
    state = tmp_path / "state"
    with RunningHost(app, "--state", str(state)) as host:
        assert "hourly: past due" not in host.output
        host.stop(signal.SIGKILL)
    monitor = state / "timers" / "hourly.json"
    document = json.loads(monitor.read_text())
    planned = datetime.fromisoformat(document["Next"])
    assert timedelta(minutes=59) < planned - datetime.now(UTC) <= timedelta(hours=1)

    # The same as if the machine had been off since five hours ago.
    hours = timedelta(hours=5)
    for name in ("Next", "LastUpdated"):
        document[name] = (datetime.fromisoformat(document[name]) - hours).isoformat()
    document["Last"] = (planned - hours - timedelta(hours=1)).isoformat()
    monitor.write_text(json.dumps(document))
    with RunningHost(app, "--state", str(state)) as host:
        host.wait_for(r"hourly: past due True, last \d{4}-")
        host.wait_for(r"Executed 'Functions\.hourly'")
    with RunningHost(app, "--state", str(state)) as host:
        assert "hourly: past due" not in host.output
    assert datetime.fromisoformat(json.loads(monitor.read_text())["Next"]) > datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T00:01:00", "2026-01-01T00:05:00"),
        ("0 */5 * * * *", "2026-01-01T00:05:00", "2026-01-01T00:10:00"),
        ("30 0 2 * * *", "2026-01-01T03:00:00", "2026-01-02T02:00:30"),
        ("0 30 9 * * Mon-Fri", "2026-01-02T10:00:00", "2026-01-05T09:30:00"),
        ("0 0 0 1 Jan *", "2026-02-01T00:00:00", "2027-01-01T00:00:00"),
        ("*/10 * * * * *", "2026-01-01T00:00:01", "2026-01-01T00:00:10"),
        ("15,45 * * * * *", "2026-01-01T00:00:15", "2026-01-01T00:00:45"),
        # Day and weekday must both hold: the first Friday the 13th.
        ("0 0 12 13 * Fri", "2026-01-01T00:00:00", "2026-02-13T12:00:00"),
        ("30 4 * * *", "2026-01-01T00:00:00", "2026-01-01T04:30:00"),
        ("00:00:10", "2026-01-01T00:00:00", "2026-01-01T00:00:10"),
        ("1.02:00:00", "2026-01-01T00:00:00", "2026-01-02T02:00:00"),
        ("24:00:00", "2026-01-01T00:00:00", "2026-01-25T00:00:00"),
    ],
)
def test_schedules_are_read_as_in_azure(text: str, after: str, expected: str) -> None:
    schedule = schedules.parse(text)

    assert schedule.after(datetime.fromisoformat(after + "+00:00")) == datetime.fromisoformat(
        expected + "+00:00"
    )


def test_cron_fields_are_read_in_the_zone_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_TIME_ZONE", "Europe/Zurich")

    schedule = schedules.parse("0 0 3 * * *")

    assert schedule.after(datetime(2026, 3, 27, 12, tzinfo=UTC)) == datetime(2026, 3, 28, 2, tzinfo=UTC)
    assert schedule.after(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "* * *", "0 0 0 * * * *", "0 61 * * * *", "00:00:00", "every day"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="schedule expression"):
        schedules.parse(text)


def test_backoff_doubles_between_its_bounds() -> None:
    policy = RpcRetryOptions(
        retry_strategy="exponential_backoff",
        max_retry_count=9,
        minimum_interval=timedelta(seconds=2),
        maximum_interval=timedelta(seconds=30),
    )

    waits = [retry_delay(policy, attempt) for attempt in range(1, 10)]

    assert waits == sorted(waits)
    assert waits[0] >= 2
    assert waits[-1] == 30
