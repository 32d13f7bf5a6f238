"""What goes into an invocation of a function and what comes out of it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.functions_host.protos import TypedData


class FunctionFailed(Exception):
    """A function raised; `exception_type` is the name of its exception's class.

    `stack_trace` is the formatted traceback, with the chain of causes.
    """

    def __init__(self, message: str, exception_type: str, stack_trace: str) -> None:
        super().__init__(message)
        self.message = message
        self.exception_type = exception_type
        self.stack_trace = stack_trace


@dataclass(frozen=True, slots=True)
class TraceContext:
    """W3C trace context of an invocation (https://www.w3.org/TR/trace-context/)."""

    trace_parent: str
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def continuing(cls, trace_parent: str = "", trace_state: str = "") -> "TraceContext":
        """The trace of a caller with a span of our own, or a new trace when `trace_parent` is not valid."""
        span = secrets.token_hex(8)
        parts = trace_parent.strip().lower().split("-")
        if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
            return cls(f"00-{secrets.token_hex(16)}-{span}-01")
        trace_id, flags = parts[1], parts[3]
        if not trace_id.strip("0") or set(trace_id + flags) - set("0123456789abcdef"):
            return cls(f"00-{secrets.token_hex(16)}-{span}-01")
        return cls(f"00-{trace_id}-{span}-{flags}", trace_state)


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Which attempt this is: `retry_count` is 0 for the first; `exception` is the last attempt's."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: object | None = None


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """Outcome of one invocation; `failure` is None when the function returned.

    `duration` is in seconds, from handing the invocation to the worker to its end there.
    """

    invocation_id: str
    function_name: str
    duration: float
    return_value: TypedData | None = None
    outputs: Mapping[str, TypedData | None] = field(default_factory=dict)
    failure: FunctionFailed | None = None
