"""Reads of calendars at Graph, with their failures as errors of the product (graph.md)."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from urllib.parse import quote

from shared.domain.runs.unread import Unread, UnreadEvents
from shared.errors import NotFound
from shared.graph import batch
from shared.graph.batch_reads import BatchReads
from shared.graph.client import GraphClient
from shared.graph.errors import LASTING_STATUSES, MAILBOX_GONE_CODES, GraphCallError, as_product_error
from shared.graph.event_codec import EventCodec
from shared.graph.items import CALENDARS, Page
from shared.graph.pages import READ_PREFER, Pages
from shared.graph.paths import Paths
from shared.graph.retry import Reads
from shared.graph.window_reading import LISTED_FIELDS, Readable, WindowReading, WindowSource


class CalendarReads:
    """Single items, collections, batches and windows. ``what`` names a read in an error."""

    def __init__(self, client: GraphClient, reads: Reads, paths: Paths) -> None:
        self.pages = Pages(client, reads)
        self._batches = BatchReads(client, reads)
        self._paths = paths

    def window[T: Readable](
        self,
        codec: EventCodec[T],
        mailbox: str,
        calendar_id: str,
        window: tuple[datetime, datetime],
        fields: Sequence[str],
        expand: str | None,
        unread: UnreadEvents | None,
    ) -> AsyncGenerator[Sequence[T | Unread]]:
        """The events of a window, read in halves if ``unread`` is given. Raises GraphCallError."""
        view = partial(self._paths.window, mailbox, calendar_id, fields=fields, expand=expand)
        if unread is None:
            return self.pages.all(mailbox, view(*window), codec.page)
        query = f"?$select={','.join(fields)}" + (f"&$expand={quote(expand, safe='()$=,')}" if expand else "")

        async def by_ids(ids: Sequence[str]) -> list[batch.SubResponse]:
            paths = [self._paths.event(mailbox, calendar_id, each) + query for each in ids]
            return await self._batches.get_all(mailbox, paths, READ_PREFER, lasting=LASTING_STATUSES)

        source = WindowSource(
            mailbox,
            codec,
            view,
            partial(self._paths.window, mailbox, calendar_id, fields=LISTED_FIELDS),
            by_ids,
            partial(self.pages.item, mailbox, self._paths.calendar(mailbox, calendar_id), CALENDARS.one),
        )
        return WindowReading(self.pages, source, unread).read(*window)

    async def batched(
        self, mailbox: str, paths: Sequence[str], what: str, lasting: frozenset[int] = frozenset()
    ) -> list[batch.SubResponse]:
        try:
            responses = await self._batches.get_all(mailbox, paths, READ_PREFER, lasting=lasting)
        except GraphCallError as failure:
            raise as_product_error(failure, what) from failure
        for response in responses:
            if response.status == 404 and response.code in MAILBOX_GONE_CODES:
                raise mailbox_gone(response.code)
        return responses

    async def item_or_none[T](
        self, mailbox: str, path: str, decode: Callable[[bytes], T], what: str
    ) -> T | None:
        """The item at a path. None if it is gone."""
        try:
            return await self.pages.item(mailbox, path, decode)
        except GraphCallError as failure:
            if failure.status != 404:
                raise as_product_error(failure, what) from failure
            if failure.code in MAILBOX_GONE_CODES:
                raise mailbox_gone(failure.code) from failure
            return None

    async def collected[T](
        self, mailbox: str, path: str, decode: Callable[[bytes], Page[T]], what: str
    ) -> list[T]:
        """All items of a collection."""
        async with aclosing(self.told(self.pages.all(mailbox, path, decode), what)) as pages:
            return [item async for items in pages for item in items]

    async def told[T](self, pages: AsyncGenerator[Sequence[T]], what: str) -> AsyncGenerator[Sequence[T]]:
        """The pages, with failures as errors of the product."""
        # Leaving the loop early would not close the inner generator and its prefetch.
        async with aclosing(pages):
            while True:
                try:
                    items = await anext(pages, None)
                except GraphCallError as failure:
                    if failure.status == 404 and failure.code in MAILBOX_GONE_CODES:
                        raise mailbox_gone(failure.code) from failure
                    raise as_product_error(failure, what) from failure
                if items is None:
                    return
                yield items


def mailbox_gone(code: str) -> NotFound:
    """Whether a 404 means that the mailbox is away."""
    return NotFound(f"there is no such mailbox; Microsoft Graph says {code}", code="mailbox_not_found")
