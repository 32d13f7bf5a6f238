"""Pages of Graph's collections, fetched one ahead."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from shared.graph.client import GraphClient
from shared.graph.errors import GraphCallError
from shared.graph.retry import Reads

#: Sent with every read, on every page again (graph.md, Wire): bodies stay HTML.
READ_PREFER = 'outlook.timezone="UTC", IdType="ImmutableId"'
_READ_HEADERS = {"Accept": "application/json", "Prefer": READ_PREFER}
_NOT_GIVEN_UP: frozenset[int] = frozenset()


class Pages:
    """Reads of one client, tried again within bounds; raises GraphCallError."""

    def __init__(self, client: GraphClient, reads: Reads) -> None:
        self._client = client
        self._reads = reads

    async def item(
        self, mailbox: str, path: str, *, given_up: frozenset[int] = _NOT_GIVEN_UP
    ) -> dict[str, Any]:
        """The object at a path; a failure with one of the ``given_up`` statuses is not tried again."""
        return await self._get(mailbox, self._client.base_url + path, given_up)

    async def all(
        self, mailbox: str, path: str, *, given_up: frozenset[int] = _NOT_GIVEN_UP
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        """The pages of a collection at a path or a nextLink; empty pages are no end."""
        url = path if path.startswith("http") else self._client.base_url + path
        seen: set[str] = set()
        ahead = self._fetch(mailbox, url, given_up)
        try:
            while True:
                page = await ahead
                link = page.get("@odata.nextLink")
                if link:
                    if link in seen:
                        raise GraphCallError(400, "next_link_repeats")
                    seen.add(link)
                    ahead = self._fetch(mailbox, self._client.checked_link(link), given_up)
                yield page.get("value") or []
                if not link:
                    return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    def _fetch(self, mailbox: str, url: str, given_up: frozenset[int]) -> asyncio.Task[dict[str, Any]]:
        ahead = asyncio.create_task(self._get(mailbox, url, given_up))
        # Looked at, so that asyncio does not complain when the reader was cancelled while this one failed.
        ahead.add_done_callback(lambda page: page.cancelled() or page.exception())
        return ahead

    async def _get(self, mailbox: str, url: str, given_up: frozenset[int]) -> dict[str, Any]:
        return await self._reads.run(mailbox, lambda: self._client.get(url, _READ_HEADERS), given_up=given_up)
