"""Logs that can be joined by correlation id, and hold no token."""

import json
import logging
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import telemetry
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role


@pytest.fixture
def handler() -> logging.Handler:
    return logging.Handler()


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "shared.test", "levelname": "INFO", "msg": message, **extra})
    telemetry.CorrelationFilter().filter(made)
    return made


def line(made: logging.LogRecord) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(telemetry.StructuredFormatter().format(made))
    return parsed


def test_a_line_names_correlation_actor_and_what_was_given_with_it() -> None:
    caller = Caller.user(uuid4(), uuid4(), [Role.ADMIN])
    with telemetry.bind(caller=caller, correlation="abc"):
        told = line(record("done", operation="get_user"))
    assert told["message"] == "done"
    assert (told["correlation_id"], told["actor"], told["operation"]) == ("abc", caller.actor, "get_user")


def test_outside_of_a_request_there_is_no_correlation() -> None:
    assert "correlation_id" not in line(record("idle"))


def test_an_exception_is_told_in_the_same_line() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        told = line(record("failed", exc_info=(type(error), error, error.__traceback__)))
    assert "RuntimeError: broken" in str(told["exception"])


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.text(st.sampled_from('\r\n\t\0"\\\x85\u2028\x1b'))
)
def test_a_text_of_any_kind_stays_in_its_line(message: str, name: str) -> None:
    written = telemetry.StructuredFormatter().format(record("%s", args=(message,), calendar=f"x{name}"))
    assert not {"\n", "\r", "\x1b", "\0"} & set(written)
    assert {key: json.loads(written)[key] for key in ("message", "calendar")} == {
        "message": telemetry.redact(message),
        "calendar": f"x{name}",
    }


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijk",
        "Authorization: Bearer\nabcdefghijk",
        "token=eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJ4In0.c2lnbmF0dXJl",
        *(f"token:{space}eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJ4In0.c2lnbmF0dXJl" for space in "\n\r\t\b\f\x1b"),
    ],
)
def test_tokens_are_redacted(text: str) -> None:
    told = str(line(record(text))["message"])
    assert "[token]" in told
    assert "abcdefghijk" not in told
    assert "eyJ" not in told


def test_configuring_twice_changes_nothing(handler: logging.Handler) -> None:
    root = logging.getLogger()
    level = logging.getLogger("shared").level
    root.addHandler(handler)
    before = {each: (each.formatter, list(each.filters)) for each in root.handlers}
    try:
        telemetry.configure_logging("WARNING")
        telemetry.configure_logging("WARNING")
        assert isinstance(handler.formatter, telemetry.StructuredFormatter)
        assert len(handler.filters) == 1
        assert logging.getLogger("shared").level == logging.WARNING
    finally:
        root.removeHandler(handler)
        logging.getLogger("shared").setLevel(level)
        for each, (formatter, filters) in before.items():
            each.setFormatter(formatter)
            each.filters[:] = filters


def test_binding_ends_with_the_block_and_leaves_the_rest() -> None:
    with telemetry.bind(correlation="outer", ip="203.0.113.9"):
        with telemetry.bind(correlation="inner"):
            assert telemetry.correlation_id.get() == "inner"
            assert telemetry.source_ip.get() == "203.0.113.9"
        assert telemetry.correlation_id.get() == "outer"
    assert telemetry.correlation_id.get() == ""
    assert telemetry.source_ip.get() is None


def test_a_span_costs_nothing_where_nobody_collects_them() -> None:
    with telemetry.span("work", {"items": 3}):
        pass
