"""Batches as bytes: what goes out, and what an answer in any order and shape means."""

from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.calendars.calendar_port import Verdict, Write
from shared.graph.batch import answers_to_outer, decode_responses, encode_reads, encode_writes


def write(payload: bytes = b"{}", copy_id: str | None = None, if_match: str | None = None) -> Write:
    return Write(uuid4(), "update" if copy_id else "create", payload, copy_id, if_match)


def encoded(*writes: Write) -> list[dict[str, Any]]:
    raw = encode_writes(writes, "/users/u/calendars/c/events", lambda event: f"/users/u/events/{event}")
    requests: list[dict[str, Any]] = orjson.loads(raw)["requests"]
    return requests


def answers(writes: list[Write], *responses: dict[str, Any]) -> list[Verdict]:
    raw = orjson.dumps({"responses": responses})
    return [answer.verdict for answer in answers_to_outer(writes, 200, raw, None)]


def test_creates_and_updates_carry_their_headers_inside() -> None:
    create, update = encoded(write(b'{"subject": "x"}'), write(b'{"a": 1}', "C", 'W/"1"'))
    assert create == {
        "id": "0",
        "method": "POST",
        "url": "/users/u/calendars/c/events",
        "headers": {"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'},
        "body": {"subject": "x"},
    }
    assert (update["method"], update["url"], update["body"]) == ("PATCH", "/users/u/events/C", {"a": 1})
    assert update["headers"]["If-Match"] == 'W/"1"'


def test_an_update_without_etag_presumes_nothing() -> None:
    assert "If-Match" not in encoded(write(b"{}", "C"))[0]["headers"]


def test_a_payload_goes_out_byte_for_byte() -> None:
    payload = '{"b":1.50,  "a": "\\u00e9 é ☕"}'.encode()
    assert payload in encode_writes([write(payload)], "/x", str)


def test_an_update_needs_a_copy() -> None:
    with pytest.raises(ValueError, match="id of the copy"):
        encoded(Write(uuid4(), "update", b"{}"))


def test_reads_resend_prefer_in_each_request() -> None:
    requests = orjson.loads(encode_reads(["/a", "/b"], "x=y"))["requests"]
    assert [request["headers"] for request in requests] == [{"Prefer": "x=y"}] * 2
    assert [request["id"] for request in requests] == ["0", "1"]


@given(st.permutations(range(6)))
def test_answers_belong_to_their_writes_in_any_order(order: list[int]) -> None:
    writes = [write() for _ in range(6)]
    raw = orjson.dumps({"responses": [{"id": str(n), "status": 201, "body": {"id": f"C{n}"}} for n in order]})
    found = answers_to_outer(writes, 200, raw, None)
    assert [(answer.operation_id, answer.copy_id) for answer in found] == [
        (each.operation_id, f"C{n}") for n, each in enumerate(writes)
    ]


def test_a_missing_answer_and_one_too_many() -> None:
    assert answers([write(), write()], {"id": "1", "status": 201, "body": {"id": "C"}}, {"id": "7"}) == [
        Verdict.UNKNOWN,
        Verdict.DONE,
    ]


def test_a_created_copy_without_id_is_unknown_an_updated_one_is_done() -> None:
    assert answers(
        [write(), write(copy_id="C")], {"id": "0", "status": 201, "body": {}}, {"id": "1", "status": 204}
    ) == [Verdict.UNKNOWN, Verdict.DONE]


@given(
    st.integers(100, 599),
    st.none() | st.dictionaries(st.text(max_size=5), st.integers(-9, 9)) | st.text(max_size=9),
)
def test_every_status_and_body_has_a_meaning(status: int, body: object) -> None:
    response = {"id": "0", "status": status, "headers": {"retry-after": "nonsense"}, "body": body}
    (verdict,) = answers([write()], response)
    if status >= 500:
        assert verdict is Verdict.UNKNOWN
    elif status < 400:
        assert verdict in (Verdict.UNKNOWN, Verdict.DONE)
    else:
        assert verdict is not Verdict.DONE


@given(st.binary(max_size=60))
def test_an_unreadable_answer_leaves_all_unknown(raw: bytes) -> None:
    found = answers_to_outer([write(), write()], 200, raw, None)
    assert [answer.verdict for answer in found] == [Verdict.UNKNOWN] * 2


@given(st.integers(400, 599), st.binary(max_size=40))
def test_a_refused_batch_never_counts_as_done(status: int, raw: bytes) -> None:
    (answer,) = answers_to_outer([write()], status, raw, "2")
    assert answer.verdict in (
        Verdict.UNKNOWN,
        Verdict.THROTTLED,
        Verdict.UNAUTHORIZED,
        Verdict.BATCH_REFUSED,
    )
    assert answer.retry_after == 2.0


@pytest.mark.parametrize("headers", [{"Retry-After": "7"}, {"retry-after": 7}])
def test_retry_after_is_read_from_the_sub_response(headers: dict[str, Any]) -> None:
    raw = orjson.dumps({"responses": [{"id": "0", "status": 429, "headers": headers, "body": {}}]})
    assert decode_responses(raw)[0].retry_after == 7.0


@pytest.mark.parametrize(
    "error",
    [
        {"code": "ErrorDuplicateTransactionId", "@event.existingEventId": "E"},
        {"code": "ErrorDuplicateTransactionId", "innerError": {"@event.existingEventId": "E"}},
        {"code": "ErrorDuplicateTransactionId", "innererror": {}, "existingEventId": "E"},
    ],
)
def test_the_id_of_an_existing_event_is_found_at_any_depth(error: dict[str, Any]) -> None:
    raw = orjson.dumps({"responses": [{"id": "0", "status": 409, "body": {"error": error}}]})
    (answer,) = answers_to_outer([write()], 200, raw, None)
    assert (answer.verdict, answer.existing_event_id) == (Verdict.DUPLICATE, "E")
