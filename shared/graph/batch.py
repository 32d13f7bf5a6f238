"""``$batch`` written and read by hand: the SDK's own does not work (graph.md section 2, Broken)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from shared.domain.calendars.calendar_port import MOST_WRITES, Answer, Verdict, Write, same_for_all
from shared.graph.errors import THROTTLING_CODES, header, retry_after_seconds

IMMUTABLE_IDS = 'IdType="ImmutableId"'
_CREATE_HEADERS = {"Content-Type": "application/json", "Prefer": IMMUTABLE_IDS}
_SUCCESS = frozenset({200, 201, 204})


class SubResponse(NamedTuple):
    """One response in a batch. ``retry_after`` is in seconds. ``code`` is Graph's error code or empty."""

    status: int
    body: dict[str, Any]
    code: str
    retry_after: float | None


def encode_reads(paths: Sequence[str], prefer: str) -> bytes:
    """A batch of GETs of paths relative to the version. The ids are the positions."""
    headers = {"Prefer": prefer}
    return orjson.dumps(
        {
            "requests": [
                {"id": str(number), "method": "GET", "url": path, "headers": headers}
                for number, path in enumerate(paths)
            ]
        }
    )


def encode_deletes(paths: Sequence[str]) -> bytes:
    """A batch of DELETEs of paths relative to the version. The ids are the positions."""
    headers = {"Prefer": IMMUTABLE_IDS}
    return orjson.dumps(
        {
            "requests": [
                {"id": str(number), "method": "DELETE", "url": path, "headers": headers}
                for number, path in enumerate(paths)
            ]
        }
    )


def encode_writes(writes: Sequence[Write], create_path: str, event_path: Callable[[str], str]) -> bytes:
    """A batch of POSTs and PATCHes with their payloads byte for byte. The ids are the positions.

    Raises ValueError for more than 20 or no writes, and for an update without ``copy_id``.
    """
    if not 0 < len(writes) <= MOST_WRITES:
        raise ValueError(f"a batch holds 1 to {MOST_WRITES} requests, not {len(writes)}")
    return orjson.dumps(
        {
            "requests": [
                _write_entry(number, write, create_path, event_path) for number, write in enumerate(writes)
            ]
        }
    )


def _write_entry(
    number: int, write: Write, create_path: str, event_path: Callable[[str], str]
) -> dict[str, Any]:
    body = orjson.Fragment(write.payload)
    if write.kind == "create":
        return {
            "id": str(number),
            "method": "POST",
            "url": create_path,
            "headers": _CREATE_HEADERS,
            "body": body,
        }
    if not write.copy_id:
        raise ValueError("an update needs the id of the copy")
    headers = {**_CREATE_HEADERS, "If-Match": write.if_match} if write.if_match else _CREATE_HEADERS
    return {
        "id": str(number),
        "method": "PATCH",
        "url": event_path(write.copy_id),
        "headers": headers,
        "body": body,
    }


def decode_responses(raw: bytes) -> dict[int, SubResponse]:
    """The responses of a batch by position, in any order. Raises ValueError for anything else."""
    parsed = orjson.loads(raw)
    entries = parsed.get("responses") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not the answer of a batch")
    return {int(entry["id"]): _sub_response(entry) for entry in entries if str(entry.get("id")).isdecimal()}


def _sub_response(entry: dict[str, Any]) -> SubResponse:
    body = entry.get("body")
    body = body if isinstance(body, dict) else {}
    status = int(entry.get("status") or 0)
    if status in _SUCCESS:
        return SubResponse(status, body, "", None)
    retry_after = retry_after_seconds(header(entry.get("headers"), "retry-after"))
    return SubResponse(status, body, error_code(body), retry_after)


def error_code(body: Mapping[str, Any]) -> str:
    """The code in Graph's error document, or empty."""
    error = body.get("error")
    return str(error.get("code") or "") if isinstance(error, dict) else ""


def answer_to(write: Write, response: SubResponse | None) -> Answer:
    """What one sub-response means for its write (design.md, Answers)."""
    if response is None:
        return Answer(write.operation_id, Verdict.UNKNOWN, code="missing_response")
    status = response.status
    if status in _SUCCESS:
        copy_id = response.body.get("id") or write.copy_id
        if not copy_id:
            return Answer(write.operation_id, Verdict.UNKNOWN, code="no_id", detail=f"{status} without an id")
        return Answer(write.operation_id, Verdict.DONE, copy_id, response.body.get("@odata.etag"))
    return Answer(
        write.operation_id,
        _verdict(status, response.code),
        retry_after=response.retry_after,
        code=response.code or f"http_{status}",
        detail=f"{status} {response.code}".strip(),
        existing_event_id=_existing_event(response.body),
    )


def answers_to_outer(
    writes: Sequence[Write], status: int, raw: bytes, retry_after: str | None
) -> list[Answer]:
    """What the answer to the whole batch means for each of its writes, in order."""
    if status == 200:
        try:
            responses = decode_responses(raw)
        except (ValueError, TypeError, AttributeError, KeyError):
            return same_for_all(writes, Verdict.UNKNOWN, "unreadable_answer")
        return [answer_to(write, responses.get(number)) for number, write in enumerate(writes)]
    code = _outer_code(raw)
    verdict = _verdict(status, code)
    if verdict in (Verdict.REFUSED, Verdict.GONE, Verdict.STALE, Verdict.DUPLICATE):
        # The batch itself was refused, so none of its requests was processed.
        verdict = Verdict.BATCH_REFUSED
    return same_for_all(writes, verdict, code or f"http_{status}", retry_after_seconds(retry_after))


def _verdict(status: int, code: str) -> Verdict:
    if status == 429 or (status == 503 and code in THROTTLING_CODES):
        return Verdict.THROTTLED
    if not 400 <= status < 500 or status == 408:
        return Verdict.UNKNOWN
    if code == "ErrorDuplicateTransactionId":
        return Verdict.DUPLICATE
    if status == 412 or (status == 409 and code == "ErrorIrresolvableConflict"):
        return Verdict.STALE
    return {401: Verdict.UNAUTHORIZED, 404: Verdict.GONE}.get(status, Verdict.REFUSED)


def _outer_code(raw: bytes) -> str:
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    return error_code(parsed) if isinstance(parsed, dict) else ""


def _existing_event(body: Mapping[str, Any]) -> str | None:
    """The id in some answers to a used transactionId (graph.md, transactionId), at any depth."""
    error = body.get("error")
    inner = error.get("innerError") if isinstance(error, dict) else None
    for place in (error, inner, body):
        if isinstance(place, dict):
            for name, value in place.items():
                if name.lower().endswith("existingeventid") and isinstance(value, str) and value:
                    return value
    return None
