"""$batch, throttling and the faults that tests switch on."""

import asyncio
from typing import Any

import httpx
import pytest
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import IMMUTABLE, Graph, timed
from tests.integration.graph_simulator.test_events import SPRING, refusal

JSON = {"Content-Type": "application/json", "Prefer": IMMUTABLE}


def create(name: str, path: str, **more: Any) -> dict[str, Any]:
    """A sub-request that creates an event."""
    body = timed(*SPRING, subject=name, transactionId=name)
    return {"id": name, "method": "POST", "url": f"{path}/events", "headers": JSON, "body": body, **more}


def creates(path: str, count: int = 20) -> list[dict[str, Any]]:
    """Sub-requests that create events."""
    return [create(str(number), path) for number in range(count)]


async def test_batch_creates_each_event_and_answers_each_request(
    graph: Graph, archive: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"latency_ms": 5})
    answers = await graph.batch(*creates(archive))
    assert {name: (entry["status"], entry["body"]["subject"]) for name, entry in answers.items()} == {
        str(number): (201, str(number)) for number in range(20)
    }
    assert "IdType" in answers["3"]["headers"]["Preference-Applied"]
    counts = simulator.counters.mailboxes[ADDRESS]
    assert (counts.batches, counts.sub_requests, counts.writes) == (1, 20, 20)
    assert (counts.max_concurrent, counts.throttled) == (4, 0)


async def test_two_parallel_batches_of_one_mailbox_are_throttled_and_two_mailboxes_are_not(
    graph: Graph, archive: str, simulator: GraphSimulator, admin: httpx.AsyncClient
) -> None:
    simulator.settings.update({"latency_ms": 60})
    await admin.post("/_simulator/mailboxes", json=[{"address": "bob@contoso.example"}])
    other = [create(f"b{number}", "/users/bob@contoso.example") for number in range(8)]
    both = await asyncio.gather(graph.batch(*creates(archive, 8)), graph.batch(*other))
    assert {entry["status"] for answers in both for entry in answers.values()} == {201}
    more = [create(f"c{number}", archive) for number in range(8)]
    clash = await asyncio.gather(
        graph.batch(*more), graph.batch(*[create(f"d{n}", archive) for n in range(8)])
    )
    refused = [entry for answers in clash for entry in answers.values() if entry["status"] == 429]
    assert refused
    assert refused[0]["body"]["error"]["code"] == "ApplicationThrottled"
    assert refused[0]["headers"]["Retry-After"] == "1"


async def test_dependent_requests_run_in_order_and_fail_together(
    graph: Graph, archive: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"latency_ms": 2})
    bad = create("b", archive, dependsOn=["a"])
    bad["body"]["showAs"] = "nowhere"
    answers = await graph.batch(
        create("d", archive, dependsOn=["c"]),
        create("c", archive, dependsOn=["b"]),
        bad,
        create("a", archive),
    )
    statuses = {name: entry["status"] for name, entry in answers.items()}
    assert statuses == {"a": 201, "b": 400, "c": 424, "d": 424}
    assert answers["d"]["body"]["error"]["code"] == "FailedDependency"
    assert simulator.counters.mailboxes[ADDRESS].max_concurrent == 1


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [{"id": str(n), "method": "GET", "url": f"/users/{ADDRESS}/events"} for n in range(21)],
        [{"id": "1", "method": "GET", "url": f"/users/{ADDRESS}/events"}] * 2,
        [{"id": "1", "method": "GET"}],
        [{"id": "1", "method": "GET", "url": f"/users/{ADDRESS}/events", "headers": ["Prefer"]}],
        [{"id": "1", "method": "POST", "url": f"/users/{ADDRESS}/events", "body": {}}],
        [{"id": "1", "method": "POST", "url": f"/users/{ADDRESS}/events", "headers": JSON}],
        [{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users"}],
        [{"id": "1", "method": "GET", "url": f"/users/{ADDRESS}/events", "dependsOn": ["2"]}],
        [{"id": "1", "method": "GET", "url": f"/users/{ADDRESS}/events", "dependsOn": ["1"]}],
    ],
)
async def test_refused_batches(graph: Graph, requests: list[dict[str, Any]]) -> None:
    assert (await refusal(graph, "POST", "/$batch", {"requests": requests}))[0] == 400


async def test_too_large_a_batch_is_refused(graph: Graph, archive: str, simulator: GraphSimulator) -> None:
    simulator.settings.update({"max_body_bytes": 500})
    assert (await refusal(graph, "POST", "/$batch", {"requests": creates(archive)}))[0] == 413


async def test_if_match_inside_a_batch(graph: Graph, archive: str) -> None:
    created = (await graph.batch(create("a", archive)))["a"]["body"]
    entry = {"method": "PATCH", "url": f"{archive}/events/{created['id']}", "body": {"subject": "New"}}
    good = {"id": "1", **entry, "headers": {**JSON, "If-Match": created["@odata.etag"]}}
    stale = {"id": "2", **entry, "headers": {**JSON, "If-Match": 'W/"old"'}, "dependsOn": ["1"]}
    answers = await graph.batch(good, stale)
    assert (answers["1"]["status"], answers["2"]["status"]) == (200, 412)


async def test_overlapping_writes_of_one_event_conflict(
    graph: Graph, archive: str, simulator: GraphSimulator
) -> None:
    created = (await graph.batch(create("a", archive)))["a"]["body"]
    simulator.settings.update({"latency_ms": 20})
    entry = {"method": "PATCH", "url": f"{archive}/events/{created['id']}", "headers": JSON}
    answers = await graph.batch(
        {"id": "1", **entry, "body": {"subject": "X"}}, {"id": "2", **entry, "body": {}}
    )
    assert sorted(answer["status"] for answer in answers.values()) == [200, 409]


async def test_request_quota_counts_refused_requests_too(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"requests_per_10_min": 3})
    for _ in range(3):
        await graph.request("GET", f"{user}/calendar")
    with pytest.raises(ODataError) as caught:
        await graph.request("GET", f"{user}/calendar")
    assert caught.value.response_status_code == 429
    assert 1 <= int(caught.value.response_headers["Retry-After"]) <= 610
    simulator.settings.update({"requests_per_10_min": 4})
    assert (await refusal(graph, "GET", f"{user}/calendar"))[0] == 429
    simulator.settings.update({"requests_per_10_min": None})
    await graph.request("GET", f"{user}/calendar")
    assert simulator.counters.total.throttled == 2
    assert simulator.counters.total.requests_while_told_to_wait == 0


async def test_write_quota_spares_reads_only_until_it_is_lifted(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"write_bytes_per_5_min": 100})
    await graph.request("POST", f"{user}/events", timed(*SPRING))
    assert (await refusal(graph, "POST", f"{user}/events", timed(*SPRING)))[0] == 429


async def test_requests_before_retry_after_has_passed_are_counted(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"told_grace_ms": 0})
    simulator.faults.add({"kind": "status", "status": 503, "retry_after": 30})
    assert (await refusal(graph, "GET", f"{user}/calendar"))[0] == 503
    await graph.request("GET", f"{user}/calendar")
    assert simulator.counters.mailboxes[ADDRESS].requests_while_told_to_wait == 1


@pytest.mark.parametrize(("kind", "effects"), [("drop_before", 0), ("lost_answer", 1), ("drop_after", 1)])
@pytest.mark.parametrize("in_batch", [True, False, None])
async def test_broken_connections_before_and_after_the_effect(
    graph: Graph, archive: str, simulator: GraphSimulator, kind: str, effects: int, in_batch: bool | None
) -> None:
    rule = {"kind": kind, "match": {"method": "POST", "mailbox": ADDRESS, "in_batch": in_batch}}
    simulator.faults.add(rule)
    with pytest.raises(httpx.TransportError):
        await graph.batch(create("a", archive))
    assert len(await graph.all(f"{archive}/events")) == effects
    simulator.faults.add(rule)
    if in_batch is True:
        await graph.request("POST", f"{archive}/events", timed(*SPRING))
        effects += 1
    else:
        with pytest.raises(httpx.TransportError):
            await graph.request("POST", f"{archive}/events", timed(*SPRING))
        effects *= 2
    assert len(await graph.all(f"{archive}/events")) == effects


async def test_missing_sub_response_has_its_effect(
    graph: Graph, archive: str, simulator: GraphSimulator
) -> None:
    simulator.faults.add({"kind": "missing_subresponse", "skip": 2})
    answers = await graph.batch(*creates(archive, 5))
    assert len(answers) == 4
    assert len(await graph.all(f"{archive}/events")) == 5


async def test_stale_reads_hide_new_events_for_a_while(
    graph: Graph, archive: str, simulator: GraphSimulator
) -> None:
    created = (await graph.batch(create("a", archive)))["a"]["body"]
    simulator.faults.add({"kind": "stale_read", "times": 2})
    assert await graph.all(f"{archive}/events") == []
    assert (await refusal(graph, "GET", f"{archive}/events/{created['id']}"))[0] == 404
    assert len(await graph.all(f"{archive}/events")) == 1


async def test_rules_strike_as_often_as_they_say(graph: Graph, user: str, admin: httpx.AsyncClient) -> None:
    rule = {
        "kind": "status",
        "status": 504,
        "times": 2,
        "match": {"path_regex": "/calendar$", "in_batch": True},
    }
    assert (await admin.post("/_simulator/faults", json=[rule])).status_code == 201
    read = {"method": "GET", "url": f"{user}/calendar"}
    answers = await graph.batch(*[{"id": str(number), **read} for number in range(4)])
    assert sorted(entry["status"] for entry in answers.values()) == [200, 200, 504, 504]
    await graph.request("GET", f"{user}/calendar")
    shown = (await admin.get("/_simulator/faults")).json()["value"]
    assert [entry["struck"] for entry in shown] == [2]
    assert (await admin.delete("/_simulator/faults")).status_code == 204
    for wrong in (
        {"kind": "earthquake"},
        {"kind": "delay", "delay_ms": "long"},
        {"kind": "status", "match": {"x": 1}},
    ):
        assert (await admin.post("/_simulator/faults", json=wrong)).status_code == 400


async def test_probability_is_reproducible(graph: Graph, user: str, simulator: GraphSimulator) -> None:
    runs = []
    for _ in range(2):
        simulator.faults.clear()
        simulator.faults.add({"kind": "status", "times": None, "probability": 0.5, "seed": 7})
        statuses = []
        for _ in range(12):
            try:
                await graph.request("GET", f"{user}/calendar")
                statuses.append(200)
            except ODataError as error:
                statuses.append(error.response_status_code or 0)
        runs.append(statuses)
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


async def test_mail_has_its_own_rate(graph: Graph, user: str, simulator: GraphSimulator) -> None:
    simulator.settings.update({"mails_per_minute": 1})
    message = {"message": {"subject": "Hi", "toRecipients": [{"emailAddress": {"address": "b@x.example"}}]}}
    await graph.request("POST", f"{user}/sendMail", message)
    assert (await refusal(graph, "POST", f"{user}/sendMail", message))[0] == 429


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "corrupt_event"},
        {"kind": "malformed_event", "event": 7},
        {"kind": "corrupt_event", "event": "Review", "properties": "body"},
        {"kind": "corrupt_event", "event": "Review", "properties": [1]},
        {"kind": "long_range", "longest_hours": "a day"},
    ],
)
def test_a_fault_about_content_that_makes_no_sense_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"need|must"):
        GraphSimulator().faults.add(rule)


async def test_a_corrupt_event_fails_every_read_that_shows_it_and_no_other(
    simulator: GraphSimulator, graph: Graph, user: str
) -> None:
    ids = []
    for hour in range(3):
        body = timed(f"2026-02-01T0{hour}:00:00", f"2026-02-01T0{hour}:30:00", subject=f"Event {hour}")
        ids.append((await graph.request("POST", f"{user}/events", body))["id"])
    simulator.faults.add({"kind": "corrupt_event", "event": "Event 1", "properties": ["body"], "times": None})
    view = f"{user}/calendarView?startDateTime=2026-02-01T00:00:00Z&endDateTime=2026-02-01T"
    for path in (f"{view}03:00:00Z", f"{user}/events/{ids[1]}"):
        assert await refusal(graph, "GET", path) == (500, "ErrorCorruptData")
    assert len(await graph.all(f"{view}03:00:00Z&$select=id,start")) == 3
    assert len(await graph.all(f"{view}01:00:00Z")) == 1
    assert (await graph.request("GET", f"{user}/events/{ids[0]}"))["subject"] == "Event 0"
