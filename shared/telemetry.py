"""Correlation id and caller in context variables, structured logs, and optional spans.

Context variables belong to the task, so a value bound for one request is invisible to every other.
"""

import json
import logging
import re
import secrets
import sys
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from shared.domain.identity.caller import Caller

current_caller: ContextVar[Caller | None] = ContextVar("current_caller", default=None)
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
parent_correlation_id: ContextVar[str | None] = ContextVar("parent_correlation_id", default=None)
source_ip: ContextVar[str | None] = ContextVar("source_ip", default=None)
#: The person for whom this task acts, whatever a single change says (domain.md 6.5, 7.1).
acting_for_person: ContextVar["ActingFor | None"] = ContextVar("acting_for_person", default=None)
trace_parent: ContextVar["TraceParent | None"] = ContextVar("trace_parent", default=None)

_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_TRACE_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# In a JSON line, a line feed before a token is written with an ``n``, which is no word boundary.
_SECRET = re.compile(
    r"(?:\b|(?<=\\[nrtbf])|(?<=\\u00[01][0-9a-f]))eyJ[\w-]{8,}(?:\.[\w-]*){0,2}"
    r"|(?i:bearer)(?:\s|\\[nrt])+[\w.~+/=-]{8,}"
)
#: They log every request with its whole URL, which names people's calendars.
_NOISY: Final = ("httpx", "httpcore", "azure.core.pipeline.policies.http_logging_policy", "azure.identity")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclass(slots=True)
class ActingFor:
    """The person whose calendar a task reads, once known. The audit names them, not the calendar's owner."""

    person: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class TraceParent:
    """W3C Trace Context, version 00 (https://www.w3.org/TR/trace-context/)."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @classmethod
    def parse(cls, header: str | None) -> "TraceParent | None":
        """The parent in a ``traceparent`` header. None if there is none or it is not valid."""
        found = _TRACE_PARENT.fullmatch((header or "").strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, rest = found.groups()
        if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
            return None
        return cls(trace_id, span_id, flags)

    @classmethod
    def new(cls) -> "TraceParent":
        """The start of a trace."""
        drawn = secrets.token_hex(24)
        return cls(drawn[:32], drawn[32:])

    def child(self) -> "TraceParent":
        """A new span of the same trace."""
        return TraceParent(self.trace_id, secrets.token_hex(8), self.flags)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def valid_correlation_id(value: str | None) -> str | None:
    """The correlation id from a caller, if valid (at most 128 characters, no spaces or controls)."""
    return value if value is not None and _CORRELATION.fullmatch(value) else None


def new_correlation_id() -> str:
    """A new correlation id."""
    return str(uuid.uuid4())


class bind:  # noqa: N801 - reads as the function it stands for; as a generator it would cost three times as much
    """Set the given values for the duration of the ``with`` block. None leaves a value unchanged."""

    __slots__ = ("_bound", "_wanted")

    def __init__(
        self,
        *,
        caller: Caller | None = None,
        correlation: str | None = None,
        parent_correlation: str | None = None,
        ip: str | None = None,
        trace: TraceParent | None = None,
        acting: ActingFor | None = None,
    ) -> None:
        self._wanted: tuple[tuple[ContextVar[Any], Any], ...] = (
            (current_caller, caller),
            (correlation_id, correlation),
            (parent_correlation_id, parent_correlation),
            (source_ip, ip),
            (trace_parent, trace),
            (acting_for_person, acting),
        )
        self._bound: list[tuple[ContextVar[Any], Token[Any]]] = []

    def __enter__(self) -> None:
        self._bound = [
            (variable, variable.set(value)) for variable, value in self._wanted if value is not None
        ]

    def __exit__(self, *_: object) -> None:
        for variable, token in reversed(self._bound):
            variable.reset(token)


def redact(text: str) -> str:
    """The text without anything that looks like a token."""
    lowered = text.lower()
    # The pattern tries every letter. Searching for its beginning costs a fiftieth of that.
    if "eyj" not in lowered and "bearer" not in lowered:
        return text
    return _SECRET.sub("[token]", text)


class CorrelationFilter(logging.Filter):
    """Adds the correlation id and the actor of the running task to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        if not hasattr(record, "correlation_id"):
            record.correlation_id = correlation_id.get()
            caller = current_caller.get()
            record.actor = caller.actor if caller else ""
        return True


class StructuredFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, correlation, and ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record. Tokens are redacted everywhere."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD and value != ""}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return redact(_encoded(entry))


def _encoded(entry: dict[str, Any]) -> str:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        # For texts that are not Unicode, and numbers of more than 64 bits. It is slower, but nothing is lost.
        return json.dumps(entry, default=str)


def configure_logging(level: str | int, *, structured: bool = True) -> None:
    """Give the root logger's handlers our filter and format. A second call changes nothing."""
    root = logging.getLogger()
    logging.getLogger("shared").setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for handler in root.handlers:
        if not any(isinstance(each, CorrelationFilter) for each in handler.filters):
            handler.addFilter(CorrelationFilter())
        if structured and not isinstance(handler.formatter, StructuredFormatter):
            handler.setFormatter(StructuredFormatter())


def span(
    name: str, attributes: Mapping[str, str | int | float | bool] | None = None
) -> AbstractContextManager[object]:
    """An OpenTelemetry span if something in the process has set it up. Otherwise nothing.

    The API is not imported for it. It is used if a telemetry exporter has loaded it and set a provider.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None or isinstance(api.get_tracer_provider(), api.ProxyTracerProvider):
        return nullcontext()
    tracer = api.get_tracer("admin_assistant")
    started: AbstractContextManager[object] = tracer.start_as_current_span(
        name, attributes=dict(attributes or {})
    )
    return started
