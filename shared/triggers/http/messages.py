"""What a handler gets and gives back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel

from shared.domain.caller import Caller
from shared.domain.expected_version import ExpectedVersion
from shared.schemas.base import Input

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

    from shared.application import Application


@dataclass(frozen=True, slots=True)
class Request[Body: Input, Query: Input]:
    """What a handler gets: the services, the typed request, and for durable ones the durable client."""

    app: "Application"
    body: Body
    query: Query
    path: Mapping[str, UUID]
    relative_path: str
    identity: Caller | None
    expected: ExpectedVersion
    client: "DurableFunctionsClient | None"

    @property
    def caller(self) -> Caller:
        """Who calls; only a public operation has none."""
        if self.identity is None:
            raise RuntimeError("a public operation has no caller")
        return self.identity

    @property
    def id(self) -> UUID:
        """The ``{id}`` of the route."""
        return self.path["id"]

    @property
    def durable_client(self) -> "DurableFunctionsClient":
        """The durable client of an operation declared with ``durable=True``."""
        if self.client is None:
            raise RuntimeError("the operation is not declared with durable=True")
        return self.client


@dataclass(frozen=True, slots=True)
class Reply[Model: BaseModel | None]:
    """A successful answer. ``location`` is a path below the prefix, ``version`` becomes the ETag.

    ``owner_id`` is the user whose data a change's answer is about. ``then`` is done after the change is
    committed; if it fails the change stands, so it must be something that is made good elsewhere.
    ``content`` is sent as it is instead of a model.
    """

    body: Model
    location: str | None = None
    version: int | str | None = None
    retry_after: int | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    owner_id: UUID | None = None
    then: Callable[[], Awaitable[None]] | None = None
    content: bytes | None = None


type Handler[Body: Input, Query: Input, Model: BaseModel | None] = Callable[
    [Request[Body, Query]], Awaitable[Reply[Model]]
]
