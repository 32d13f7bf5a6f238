"""The message types that the worker library reads and builds, as plain Python objects.

The library is written for generated gRPC classes but only uses attributes, keyword construction and
`WhichOneof`. So these objects replace them without a gRPC channel between host and worker (functions-host.md,
"The worker library's interface").
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, Literal


class TypedData:
    """One value in exactly one of the representations of the Functions protocol.

    Reading a representation that is not set raises AttributeError; the library relies on that.
    """

    __slots__ = ("_kind", "_value")

    def __init__(self, **data: Any) -> None:
        if len(data) > 1:
            raise ValueError(f"TypedData holds one representation, not {sorted(data)}")
        self._kind: str | None = None
        self._value: Any = None
        for self._kind, self._value in data.items():
            pass

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - the name that protobuf gives it
        """Name of the representation that is set (string, json, http, ...), or None when empty."""
        return self._kind

    @property
    def value(self) -> Any:
        """The value itself, whatever its representation."""
        return self._value

    def __getattr__(self, name: str) -> Any:
        if name == self._kind:
            return self._value
        raise AttributeError(name)


class RpcHttp:
    """An HTTP request on its way in (method to query) or a response on its way out (status_code, cookies)."""

    __slots__ = (
        "body",
        "cookies",
        "enable_content_negotiation",
        "headers",
        "method",
        "params",
        "query",
        "status_code",
        "url",
    )

    def __init__(
        self,
        *,
        body: TypedData | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "",
        url: str = "",
        params: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        status_code: str = "200",
        cookies: "Sequence[RpcHttpCookie] | None" = None,
        enable_content_negotiation: bool = False,
    ) -> None:
        self.body = body or TypedData()
        self.headers = headers or {}
        self.method = method
        self.url = url
        self.params = params or {}
        self.query = query or {}
        self.status_code = status_code
        self.cookies = cookies or ()
        self.enable_content_negotiation = enable_content_negotiation


class ParameterBinding:
    """A named argument of a function, or a named output of one."""

    __slots__ = ("data", "name")

    def __init__(self, *, name: str, data: TypedData | None = None) -> None:
        self.name = name
        self.data = data

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - the name that protobuf gives it
        """Always `data`: shared memory is not used."""
        return "data"


class Message(SimpleNamespace):
    """A message that is built by keyword and read by attribute."""


class RpcException(Message):
    """`message` is "TypeName: text", `stack_trace` the formatted traceback."""

    message: str
    stack_trace: str


class StatusResult(Message):
    """Outcome of a request to the worker."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    status: int
    exception: RpcException


class BindingInfo(Message):
    """Direction and data type of a binding."""

    undefined: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2


setattr(BindingInfo, "in", 0)  # a keyword of Python, so it cannot be written as an attribute


class RpcRetryOptions(Message):
    """A function's own retry policy."""

    max_retry_count: int
    retry_strategy: Literal["fixed_delay", "exponential_backoff"]
    delay_interval: timedelta
    minimum_interval: timedelta
    maximum_interval: timedelta


class RpcFunctionMetadata(Message):
    """What indexing found out about one function."""

    name: str
    function_id: str
    raw_bindings: Sequence[str]
    retry_options: RpcRetryOptions | None


class RpcHttpCookie(Message):
    """A cookie that a function sets."""

    class SameSite:
        """The values of the attribute; `None` means that it was not given."""

        Lax = 1
        Strict = 2
        ExplicitNone = 3

    name: str
    value: str
    domain: "Message | None"
    path: "Message | None"
    expires: "Message | None"
    secure: "Message | None"
    http_only: "Message | None"
    same_site: int
    max_age: "Message | None"


setattr(RpcHttpCookie.SameSite, "None", 0)  # a keyword of Python, so it cannot be written as an attribute


class InvocationResponse(Message):
    """What the worker answers to an invocation."""

    result: StatusResult
    return_value: TypedData | None
    output_data: Sequence[ParameterBinding]


PROTOS = SimpleNamespace(
    TypedData=TypedData,
    RpcHttp=RpcHttp,
    RpcHttpCookie=RpcHttpCookie,
    ParameterBinding=ParameterBinding,
    BindingInfo=BindingInfo,
    StatusResult=StatusResult,
    RpcException=RpcException,
    RpcFunctionMetadata=RpcFunctionMetadata,
    RpcRetryOptions=RpcRetryOptions,
    InvocationResponse=InvocationResponse,
    WorkerInitResponse=type("WorkerInitResponse", (Message,), {}),
    WorkerMetadata=type("WorkerMetadata", (Message,), {}),
    FunctionMetadataResponse=type("FunctionMetadataResponse", (Message,), {}),
    FunctionLoadResponse=type("FunctionLoadResponse", (Message,), {}),
    FunctionEnvironmentReloadResponse=type("FunctionEnvironmentReloadResponse", (Message,), {}),
    NullableString=type("NullableString", (Message,), {}),
    NullableBool=type("NullableBool", (Message,), {}),
    NullableDouble=type("NullableDouble", (Message,), {}),
    NullableTimestamp=type("NullableTimestamp", (Message,), {}),
    Timestamp=type("Timestamp", (Message,), {}),
)
