"""Pages of Graph's collections. The next page is fetched in advance."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from shared.graph.client import GraphClient
from shared.graph.errors import GraphCallError
from shared.graph.items import Page
from shared.graph.retry import Reads

#: Sent with every read and every page (graph.md, Wire): bodies stay HTML.
READ_PREFER = 'outlook.timezone="UTC", IdType="ImmutableId"'
_READ_HEADERS = {"Accept": "application/json", "Prefer": READ_PREFER}
_NOT_GIVEN_UP: frozenset[int] = frozenset()


class Pages:
    """Reads of one client, retried within limits. Raises GraphCallError."""

    def __init__(self, client: GraphClient, reads: Reads) -> None:
        self._client = client
        self._reads = reads

    async def item[T](self, mailbox: str, path: str, decode: Callable[[bytes], T]) -> T:
        """The item at a path."""
        return await self._get(mailbox, self._client.base_url + path, decode, _NOT_GIVEN_UP)

    async def all[T](
        self,
        mailbox: str,
        path: str,
        decode: Callable[[bytes], Page[T]],
        *,
        given_up: frozenset[int] = _NOT_GIVEN_UP,
    ) -> AsyncGenerator[Sequence[T]]:
        """The pages of a collection at a path or a nextLink. An empty page is not the end.

        A failure with one of the ``given_up`` statuses is not retried.
        """
        url = path if path.startswith("http") else self._client.base_url + path
        seen: set[str] = set()
        ahead = self._fetch(mailbox, url, decode, given_up)
        try:
            while True:
                page = await ahead
                link = page.next_link
                if link:
                    if link in seen:
                        raise GraphCallError(400, "next_link_repeats")
                    seen.add(link)
                    ahead = self._fetch(mailbox, self._client.checked_link(link), decode, given_up)
                yield page.items
                if not link:
                    return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    def _fetch[T](
        self, mailbox: str, url: str, decode: Callable[[bytes], Page[T]], given_up: frozenset[int]
    ) -> asyncio.Task[Page[T]]:
        ahead = asyncio.create_task(self._get(mailbox, url, decode, given_up))
        # Retrieved, so that asyncio does not complain when the reader was cancelled while this one failed.
        ahead.add_done_callback(lambda page: page.cancelled() or page.exception())
        return ahead

    async def _get[T](
        self, mailbox: str, url: str, decode: Callable[[bytes], T], given_up: frozenset[int]
    ) -> T:
        async def read() -> T:
            return decode(await self._client.send("GET", url, _READ_HEADERS, reads=1))

        return await self._reads.run(mailbox, read, given_up=given_up)
