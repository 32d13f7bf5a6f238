"""One Graph request or sub-request, and its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.local.graph_simulator.state.model import Mailbox
from infra.local.graph_simulator.values.errors import bad_request

if TYPE_CHECKING:
    from infra.local.graph_simulator.behaviour.faults import Rule


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as its Graph token says: the app, and the user for delegated tokens."""

    app: str
    user: str | None = None
    permissions: frozenset[str] = frozenset()


@dataclass(slots=True)
class Call:
    """A request addressed to Graph; ``base`` is the URL up to the version, ``path`` what follows it."""

    method: str
    path: str
    segments: list[str]
    query: str
    headers: Mapping[str, str]
    base: str
    caller: Caller
    payload: Any = None
    size: int = 0
    in_batch: bool = False
    mailbox: Mailbox | None = None
    #: Reads must not see what was created in this many last seconds.
    stale_seconds: float = 0.0
    #: Faults that depend on what a read shows.
    faults: "Sequence[Rule]" = ()

    def json(self) -> Any:
        """The parsed body; raises 400 if there is none."""
        if self.payload is None:
            raise bad_request("Empty Payload. JSON content expected.", "RequestBodyRead")
        return self.payload


@dataclass(slots=True)
class Answer:
    """Status, JSON body (``None``: empty) and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
