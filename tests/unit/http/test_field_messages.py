"""What is wrong with a field is said in our own words, with what to write instead."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import ValidationFailed
from shared.schemas.appointments import AppointmentListQuery
from shared.triggers.http.field_messages import message_of
from shared.triggers.http.parsing import read_query
from tests.unit.http.description import document

WINDOW = {"window_start": "2026-11-01T00:00:00Z", "window_end": "2026-12-01T00:00:00Z"}


def told(**query: str) -> dict[str, str]:
    """The message for each field of a query that is refused."""
    with pytest.raises(ValidationFailed) as refused:
        read_query(WINDOW | query, AppointmentListQuery)
    return {error.field: error.message for error in refused.value.errors}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"window_start": "2026-11-01"}, "needs a time zone, such as 2026-11-01T00:00:00Z"),
        ({"window_start": "2026-11-01T09:30:00"}, "needs a time zone, such as 2026-11-01T09:30:00Z"),
        (
            {"window_start": "2026-11-01T00:00:00 01:00"},
            "a + in a query means a space, so write %2B: 2026-11-01T00:00:00%2B01:00",
        ),
        ({"limit": "many"}, "must be a whole number"),
        ({"limit": "0"}, "must be 1 or more"),
        ({"counts": "maybe"}, "must be true or false"),
        ({"order": "up"}, "must be one of: start, -start"),
        ({"status": "lost"}, "must be one of: live, cancelled, declined, source_deleted"),
        ({"user_id": "me"}, "must be an id such as 6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
        ({"text": "a"}, "must have 2 or more characters"),
        ({"subject": "x"}, "is not known here"),
    ],
)
def test_each_message_says_what_to_write(query: dict[str, str], message: str) -> None:
    assert list(told(**query).values()) == [message]


def test_a_pattern_is_told_as_what_has_its_form() -> None:
    """Of every field: a person does not read patterns."""
    found = document()
    schemas = [inner for each in found["components"]["schemas"].values() for inner in nodes(each)]
    for methods in found["paths"].values():
        for operation in methods.values():
            in_query = (each for each in operation["parameters"] if each["in"] == "query")
            schemas += [each["schema"] for each in in_query]
    patterns = {each["pattern"] for each in schemas if isinstance(each.get("pattern"), str)}
    assert len(patterns) > 4
    for pattern in patterns:
        error = {"type": "string_pattern_mismatch", "ctx": {"pattern": pattern}, "input": "secret", "msg": ""}
        assert message_of(error, in_query=False).startswith("must be "), pattern


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_a_value_is_never_shown_again_unless_it_is_a_time() -> None:
    assert "secret" not in str(told(window_start="secret", limit="secret", user_id="secret", order="secret"))


def test_a_rule_of_our_own_speaks_for_itself() -> None:
    error: dict[str, Any] = {"type": "range_order", "msg": "must be after window_start", "input": {}}
    assert message_of(error, in_query=True) == "must be after window_start"
