"""The input and output of a handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.schemas import base, paging, rendered
from shared.triggers.http.registry import GraphAccess

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from pydantic import BaseModel

    from shared.application import Application
    from shared.domain.calendars.calendar_port import CalendarStore
    from shared.domain.expected_version import ExpectedVersion
    from shared.domain.identity.caller import Caller, SignedIn
    from shared.services.categories.catalogue import OutlookCategories
    from shared.triggers.http.list_cursors import ListIdentity


@dataclass(frozen=True, eq=False, repr=False)
class Request[Body: base.Input = base.NoBody, Query: base.Input = base.NoQuery]:
    """The input of a handler: the services, the typed request, and for durable ones the durable client.

    ``Request`` alone has neither body nor query, ``Request[Body]`` no query.
    """

    app: Application
    body: Body
    query: Query
    path: Mapping[str, UUID]
    relative_path: str
    identity: Caller | None
    expected: ExpectedVersion
    client: DurableFunctionsClient | None
    #: The list of the request. Its cursors are bound to it.
    listed: ListIdentity
    graph: GraphAccess = GraphAccess.NONE
    #: The header Accept, as sent.
    accept: str = ""
    #: The person with their token. None for applications and public operations.
    signed_in: SignedIn | None = None
    #: The values of the route's texts, as sent.
    texts: Mapping[str, str] = field(default_factory=dict)

    def calendars_of(self, mailbox: UUID) -> CalendarStore:
        """Graph for the mailbox of this object id, with the permission that the operation declares.

        On behalf of the caller only where it is their own mailbox and they signed in; an Admin reaches
        another's with the application's permission. Raises RuntimeError in an operation that declares none.
        """
        person = self._acting_person(mailbox)
        if person is None:
            return self.app.foundations.calendars.in_tenant(self.caller.tenant_id)
        return self.app.foundations.calendars_for(person)

    def categories_of(self, mailbox: UUID) -> OutlookCategories:
        """Outlook's categories of the mailbox of this object id, with the permission as ``calendars_of``."""
        return self.app.foundations.outlook_categories(self.caller.tenant_id, self._acting_person(mailbox))

    def _acting_person(self, mailbox: UUID) -> SignedIn | None:
        """The person whose own permission is used for the mailbox. None means the application's."""
        if self.graph is GraphAccess.NONE:
            raise RuntimeError("the operation declares no access to Microsoft Graph")
        if self.graph is GraphAccess.ON_BEHALF_OF and self.caller.is_person(mailbox):
            return self.signed_in
        return None

    @property
    def caller(self) -> Caller:
        """The caller. Only a public operation has none."""
        if self.identity is None:
            raise RuntimeError("a public operation has no caller")
        return self.identity

    @property
    def id(self) -> UUID:
        """The ``{id}`` of the route."""
        return self.path["id"]

    @property
    def durable_client(self) -> DurableFunctionsClient:
        """The durable client of an operation declared with ``durable=True``."""
        if self.client is None:
            raise RuntimeError("the operation is not declared with durable=True")
        return self.client


@dataclass(frozen=True, eq=False, repr=False)
class Reply[Model: BaseModel | None]:
    """A successful answer. ``location`` is a path below the prefix. ``version`` becomes the ETag.

    ``owner_id`` is the user whose data was changed. ``then`` runs after the change is committed.
    If it fails, the change stays, so a later call must do the same. ``content`` is sent unchanged instead
    of a model.
    """

    body: Model | rendered.Rendered[Model] | rendered.RenderedPage[Any]
    location: str | None = None
    version: int | str | None = None
    retry_after: int | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    owner_id: UUID | None = None
    then: Callable[[], Awaitable[None]] | None = None
    content: bytes | None = None


def page_of[Row, Item: BaseModel](
    found: paging.Slice[Row, Any], shown: Callable[[Row], Item]
) -> Reply[paging.Page[Item]]:
    """The answer of a list: each row as ``shown`` shows it, and where the next page starts."""
    return Reply(paging.Page(items=[shown(row) for row in found.rows], next=found.next_cursor))


type Handler[Body: base.Input, Query: base.Input, Model: BaseModel | None] = Callable[
    [Request[Body, Query]], Awaitable[Reply[Model]]
]
