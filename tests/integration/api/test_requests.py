"""What every operation does with a request before its own work begins."""

from typing import Any

import pytest

from shared.triggers.http.registry import OPERATIONS
from tests.integration.api.caller import Caller, problem

ID = "6f1e5c0e-1111-4111-8111-111111111111"
WITH_ID = [operation for operation in OPERATIONS.values() if "id" in operation.parameters]
LISTS = [
    each for each in OPERATIONS.values() if each.query is not None and "cursor" in each.query.model_fields
]


async def post(api: Caller, body: Any, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api("POST", "v1/users", body, token=api.token("Admin"), headers=sent)


@pytest.mark.parametrize(
    "body",
    [b"{", b"nothing", b"\xff\xfe", b'{"address": "\\ud800@example.com"}', b'{"address": NaN}', b"\x00"],
)
async def test_a_body_that_is_no_json_is_400(stranger: Caller, body: bytes) -> None:
    problem(await post(stranger, body), 400, "json_invalid")


async def test_a_missing_body_is_400(stranger: Caller) -> None:
    problem(await post(stranger, None), 400, "body_missing")


async def test_deep_nesting_is_400_but_brackets_in_text_are_not(stranger: Caller) -> None:
    problem(await post(stranger, b"[" * 33 + b"]" * 33), 400, "json_too_deep")
    problem(await post(stranger, b'{"address":' * 90_000), 400, "json_too_deep")
    response = await post(stranger, {"address": "[[[" * 80})
    problem(response, 422, "validation_failed")
    assert response.fields == ["address"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"address": "a@example.com", "address": "b@example.com"}', "address"),
        (b'{"address": "a@example.com", "\\u0061ddress": "b@example.com"}', "address"),
        (b'{"address": "a@example.com", "more": [{"x": {"y": 1, "y": 1}}]}', "y"),
        (b'{"' + b"k" * 300 + b'": 1, "' + b"k" * 300 + b'": 1}', "k" * 200),
    ],
)
async def test_a_key_given_twice_is_400_naming_it(stranger: Caller, body: bytes, key: str) -> None:
    response = await post(stranger, body)
    document = problem(response, 400, "json_key_repeated")
    assert response.fields == [key]
    assert key in document["detail"]


async def test_a_key_that_is_no_text_is_still_answered(stranger: Caller) -> None:
    problem(await post(stranger, b'{"\\ud800": 1, "\\ud800": 1}'), 400, "json_key_repeated")


async def test_the_same_key_in_different_objects_is_no_repetition(stranger: Caller) -> None:
    problem(await post(stranger, b'{"address": "a@example.com", "x": {"address": 1}, "y": [{}, {}]}'), 422)


async def test_a_string_that_is_not_closed_does_not_hide_brackets_or_take_long(stranger: Caller) -> None:
    body = b'"' + b'\\"' * 20_000 + b"[" * 40
    problem(await post(stranger, body), 400, "json_invalid")
    problem(await post(stranger, b'{"x": "\\"", "y": ' + b"[" * 40), 400, "json_too_deep")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"[" * 32 + b"]" * 32])
async def test_json_that_is_no_object_is_422(stranger: Caller, body: bytes) -> None:
    response = await post(stranger, body)
    problem(response, 422, "validation_failed")
    assert response.fields == ["body"]


async def test_every_wrong_field_is_named_without_its_value(stranger: Caller) -> None:
    response = await post(stranger, {"address": 7, "object_id": "secret-value", "role": "Admin"})
    document = problem(response, 422, "validation_failed")
    assert sorted(response.fields) == ["address", "object_id", "role"]
    assert {error["code"] for error in document["errors"]} == {
        "wrong_type",
        "id_invalid",
        "unknown_field",
    }
    assert b"secret-value" not in response.body


@pytest.mark.parametrize(
    "address",
    [
        "no-at-sign",
        "a@b@c",
        "a b@example.com",
        "a@example.com\r\nBcc: x@example.com",
        "a\u0000@example.com",
        "\u202egro.elpmaxe@ada",
        "../../users@example.com",
        "x" * 300 + "@example.com",
        "",
    ],
)
async def test_an_address_that_cannot_be_one_is_422(stranger: Caller, address: str) -> None:
    response = await post(stranger, {"address": address})
    problem(response, 422, "validation_failed")
    assert response.fields == ["address"]


async def test_a_body_over_the_limit_is_413_by_header_and_by_size(stranger: Caller) -> None:
    limit = stranger.app.foundations.settings.max_body_bytes
    problem(await post(stranger, b" " * (limit + 1)), 413, "payload_too_large")
    problem(await post(stranger, b"{}", content_length=str(limit + 1)), 413, "payload_too_large")
    problem(await post(stranger, b"{}", content_length="9" * 500), 413, "payload_too_large")
    problem(await post(stranger, b"{}", content_length="many"), 422)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json"]
)
async def test_another_content_type_is_415(stranger: Caller, kind: str) -> None:
    problem(await post(stranger, b"{}", content_type=kind), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"]
)
async def test_json_under_any_of_its_names_is_read(stranger: Caller, kind: str) -> None:
    problem(await post(stranger, b"{}", content_type=kind), 422)


@pytest.mark.parametrize("operation", WITH_ID, ids=lambda operation: operation.id)
async def test_a_malformed_id_is_422_naming_it(stranger: Caller, operation: Any) -> None:
    for value in ("7", "abc", "{" + ID + "}", ID.replace("-", ""), ID + "0", "%27--", "é"):
        path = operation.route.format_map(dict.fromkeys(operation.parameters, value))
        response = await stranger(operation.method, path, token=stranger.token("Admin"))
        problem(response, 422, "validation_failed")
        assert response.fields == list(operation.parameters)


@pytest.mark.parametrize("operation", LISTS, ids=lambda operation: operation.id)
async def test_a_wrong_parameter_of_a_list_is_422_naming_it(stranger: Caller, operation: Any) -> None:
    wrong = [("limit", value) for value in ("0", "201", "1.5", "1,2", "-1", "many")]
    wrong += [("cursor", value) for value in ("x", "é" * 9, "f" * 32, "A" * 600)]
    wrong += [("offset", "7"), ("sort", "name;drop")]
    fields = operation.query.model_fields
    wrong = [each for each in wrong if each[0] in fields or each[0] != "limit"]
    range_of = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-02-01T00:00:00Z"}
    needed = range_of if range_of.keys() <= fields.keys() else {}
    for name, value in wrong:
        query: dict[str, Any] = {**needed, name: value}
        path = operation.route.format_map(dict.fromkeys(operation.parameters, ID))
        response = await stranger("GET", path, token=stranger.token("Admin"), **query)
        problem(response, 422, "validation_failed")
        assert response.fields == [name], value


RANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["window_start", "window_end"]),
    ({"window_start": "2026-01-01", "window_end": "2026-02-01"}, ["window_start", "window_end"]),
    ({"window_start": "1700000000", "window_end": "1700000001"}, ["window_start", "window_end"]),
    (
        {"window_start": "0001-01-01T00:00:00+14:00", "window_end": "9999-12-31T23:59:59-14:00"},
        ["window_start", "window_end"],
    ),
    ({"window_start": "2026-02-01T00:00:00Z", "window_end": "2026-01-01T00:00:00Z"}, ["window_end"]),
    ({"window_start": "2026-01-01T00:00:00Z", "window_end": "2027-03-01T00:00:00Z"}, ["window_end"]),
    (
        {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-02-01T00:00:00Z", "user_id": "me"},
        ["user_id"],
    ),
]


async def test_a_wrong_range_is_422_naming_its_ends(stranger: Caller) -> None:
    for query, fields in RANGES:
        response = await stranger("GET", "v1/appointments", token=stranger.token(), **query)
        problem(response, 422, "validation_failed")
        assert response.fields == fields, query
