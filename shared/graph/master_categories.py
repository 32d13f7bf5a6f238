"""Outlook's list of categories of a mailbox (graph.md, Mail and categories).

Needs the permission ``MailboxSettings.ReadWrite`` (``MailboxSettings.Read`` for reading). At Graph, a
category's colour can change, and its name cannot. Events keep the name of a deleted category.
"""

import warnings
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson

from shared.domain.calendars.calendar_port import MasterCategory
from shared.errors import AdminAssistantError, Conflict, NotFound, StoreRefused
from shared.graph.client import GraphClient
from shared.graph.errors import MAILBOX_GONE_CODES, GraphCallError, as_product_error
from shared.graph.items import CATEGORIES, CategoryItem, Page
from shared.graph.retry import Reads, RetryPolicy
from shared.graph.throttle import Throttle

_READ_HEADERS = {"Accept": "application/json"}
_WRITE_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
#: A mailbox has a few dozen. The limit protects against an endless list.
_MOST_PAGES = 50


class MasterCategories:
    """The categories of mailboxes. ``mailbox`` is the owner's Entra object id.

    Raises StoreUnavailable (retry later) and StoreRefused (a retry cannot help). Raises NotFound with code
    ``mailbox_not_found`` for a mailbox that is gone or has no licence.
    """

    def __init__(
        self, client: GraphClient, throttle: Throttle | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self._client = client
        self._calls = Reads(throttle or Throttle(), policy)

    async def list(self, mailbox: str) -> list[MasterCategory]:
        """Every category of the mailbox."""
        what, url = "listing categories", self._url(mailbox, None)
        found: list[MasterCategory] = []
        for _ in range(_MOST_PAGES):
            page = await self._read(mailbox, url, what)
            found += [_category(item) for item in page.items]
            if not page.next_link:
                return found
            try:
                url = self._client.checked_link(page.next_link)
            except GraphCallError as failure:
                raise _told(failure, what) from failure
        raise StoreRefused("the list of categories does not end", answered=200, reason="endless_list")

    async def create(self, mailbox: str, name: str, color: str) -> MasterCategory:
        """Add a category. Raises Conflict if the mailbox has one of that name.

        If the answer is lost, the category of that name is the created one.
        """
        content = orjson.dumps({"displayName": name, "color": color})
        try:
            return _category(
                CATEGORIES.one(await self._write(mailbox, "POST", None, content, repeatable=False))
            )
        except GraphCallError as failure:
            known = await self._named(mailbox, name, failure)
            if known is None:
                raise _told(failure, "creating a category") from failure
            if _lost(failure):
                return known
            raise Conflict(
                "Outlook has a category with this name already", code="already_exists"
            ) from failure

    async def recolour(self, mailbox: str, category_id: UUID, color: str) -> MasterCategory:
        """Change the colour of a category. Raises NotFound if the mailbox has no category with this id."""
        content = orjson.dumps({"color": color})
        try:
            return _category(
                CATEGORIES.one(await self._write(mailbox, "PATCH", category_id, content, repeatable=True))
            )
        except GraphCallError as failure:
            raise _told(failure, "changing a category") from failure

    async def delete(self, mailbox: str, category_id: UUID) -> None:
        """Remove a category from the list. A missing one is no error."""
        try:
            await self._write(mailbox, "DELETE", category_id, None, repeatable=True)
        except GraphCallError as failure:
            if failure.status != 404 or failure.code in MAILBOX_GONE_CODES:
                raise _told(failure, "deleting a category") from failure

    async def _named(self, mailbox: str, name: str, failure: GraphCallError) -> MasterCategory | None:
        if failure.status in (401, 403, 404, 429) or failure.code == "not_connected":
            return None
        try:
            categories = await self.list(mailbox)
        except AdminAssistantError:
            return None
        return next((each for each in categories if each.name.casefold() == name.casefold()), None)

    async def _read(self, mailbox: str, url: str, what: str) -> Page[CategoryItem]:
        async def read() -> Page[CategoryItem]:
            return CATEGORIES.page(await self._client.send("GET", url, _READ_HEADERS, reads=1))

        try:
            return await self._calls.run(mailbox, read)
        except GraphCallError as failure:
            raise _told(failure, what) from failure

    async def _write(
        self, mailbox: str, method: str, category_id: UUID | None, content: bytes | None, *, repeatable: bool
    ) -> bytes:
        url = self._url(mailbox, category_id)
        headers = _WRITE_HEADERS if content is not None else _READ_HEADERS
        return await self._calls.run(
            mailbox,
            lambda: self._client.send(method, url, headers, content, writes=1),
            repeatable=repeatable,
        )

    def _url(self, mailbox: str, category_id: UUID | None) -> str:
        if not mailbox:
            raise ValueError("a mailbox is needed")
        builder = _quietly(lambda: self._client.sdk.users.by_user_id(mailbox).outlook.master_categories)
        if category_id is not None:
            builder = _quietly(lambda: builder.by_outlook_category_id(str(category_id)))
        path = _quietly(lambda: self._client.path_of(builder.to_get_request_information()))
        return f"{self._client.base_url}{path}"


def _quietly(build: Callable[[], Any]) -> Any:
    """On first use, the SDK's builders warn about their own deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return build()


def _category(item: CategoryItem) -> MasterCategory:
    return MasterCategory(item.id, item.display_name or "", item.color or "none")


def _lost(failure: GraphCallError) -> bool:
    """Whether the request may have taken effect although the answer says otherwise or is missing."""
    return failure.passing and failure.status != 429 and failure.code != "not_connected"


def _told(failure: GraphCallError, what: str) -> AdminAssistantError:
    if failure.status == 404 and failure.code in MAILBOX_GONE_CODES:
        return NotFound(
            f"there is no such mailbox; Microsoft Graph says {failure.code}", code="mailbox_not_found"
        )
    return as_product_error(failure, what)
