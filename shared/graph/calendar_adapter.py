"""Calendars of mailboxes at Graph: read in pages, written in batches (design.md, Archive; graph.md)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import orjson

from shared.domain.calendars.calendar_port import (
    Calendar,
    Mailbox,
    Write,
    WriteAnswer,
    WriteVerdict,
    same_for_all,
)
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY
from shared.domain.copies.calendar_copy import Copy
from shared.domain.events.source_event import SourceEvent, is_detached
from shared.domain.runs.unread import UNDECODABLE, Unread, UnreadEvents
from shared.errors import NotFound, StoreRefused
from shared.graph import batch
from shared.graph.calendar_reads import CalendarReads
from shared.graph.client import TRANSPORT_ERRORS, GraphClient
from shared.graph.copy_codec import COPIES, COPY_EXPAND, COPY_FIELDS
from shared.graph.errors import LASTING_STATUSES, TOLD_TO_WAIT, GraphCallError, as_product_error, never_sent
from shared.graph.event_codec import EVENT_FIELDS, EVENTS
from shared.graph.items import CALENDARS, IDS, MAILBOX_SETTINGS, OCCURRENCES, USERS, CalendarItem
from shared.graph.paths import Paths
from shared.graph.retry import Reads, RetryPolicy
from shared.graph.throttle import Throttle
from shared.settings import longest_turn_wait

_JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
_EVENT_SELECT = ",".join(EVENT_FIELDS)
_log = logging.getLogger(__name__)


class CalendarAdapter:
    """The calendars of mailboxes. ``mailbox`` is always the owner's Entra object id (or UPN).

    Reads are retried within limits and never before Graph permits it. Writes are never retried (design.md,
    Archive). Raises StoreUnavailable (retry after ``retry_after`` seconds) and StoreRefused (a retry cannot
    help). Raises NotFound with code ``mailbox_not_found`` for a mailbox that is gone or has no licence.
    """

    def __init__(
        self, client: GraphClient, throttle: Throttle | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self._client = client
        self._throttle = throttle or Throttle()
        self._policy = policy
        self._in_tenant: dict[UUID, CalendarAdapter] = {}
        self._reads = Reads(self._throttle, policy)
        self._paths = Paths(client)
        self._reading = CalendarReads(client, self._reads, self._paths)

    def in_tenant(self, tenant_id: UUID) -> "CalendarAdapter":
        """The mailboxes of a tenant."""
        client = self._client.in_tenant(tenant_id)
        if client is self._client:
            return self
        # Kept because it remembers paths.
        known = self._in_tenant.get(tenant_id)
        if known is None or known._client is not client:
            known = self._in_tenant[tenant_id] = CalendarAdapter(client, self._throttle, self._policy)
        return known

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The owner of the mailbox. None if the directory has no such user."""
        try:
            item = await self._reading.pages.item(mailbox, self._paths.mailbox(mailbox), USERS.one)
        except GraphCallError as failure:
            if failure.status == 404:
                return None
            raise as_product_error(failure, "reading a user") from failure
        return Mailbox(
            id=item.id,
            user_principal_name=item.user_principal_name or "",
            mail=item.mail or "",
            display_name=item.display_name or "",
        )

    async def get_mailbox_purpose(self, mailbox: str) -> str | None:
        """Graph's ``userPurpose``: user, shared, room, equipment, …. None if Graph does not return it."""
        what = "reading mailbox settings"
        try:
            item = await self._reading.item_or_none(
                mailbox, self._paths.mailbox_purpose(mailbox), MAILBOX_SETTINGS.one, what
            )
        except (StoreRefused, NotFound):
            # The permission for mailbox settings or the mailbox is missing. The next request shows which.
            return None
        return (item.user_purpose or None) if item is not None else None

    async def list_calendars(self, mailbox: str) -> list[Calendar]:
        """Every calendar of the mailbox."""
        items = await self._reading.collected(
            mailbox, self._paths.calendars(mailbox), CALENDARS.page, "listing calendars"
        )
        return [_calendar(item) for item in items]

    async def get_calendar(self, mailbox: str, calendar_id: str) -> Calendar | None:
        """One calendar. None if the mailbox has no calendar with this id."""
        item = await self._reading.item_or_none(
            mailbox, self._paths.calendar(mailbox, calendar_id), CALENDARS.one, "reading a calendar"
        )
        return None if item is None else _calendar(item)

    async def create_calendar(self, mailbox: str, name: str) -> Calendar:
        """Create a calendar. If the answer is lost, the calendar of that name is the created one.

        Raises StoreRefused if the name exists.
        """
        url = self._client.base_url + self._paths.new_calendar(mailbox)
        content = orjson.dumps({"name": name})

        async def create() -> CalendarItem:
            return CALENDARS.one(await self._client.send("POST", url, _JSON_HEADERS, content, writes=1))

        try:
            return _calendar(await self._reads.run(mailbox, create, repeatable=False))
        except GraphCallError as failure:
            if failure.passing and failure.status != 429 and failure.code != "not_connected":
                for calendar in await self.list_calendars(mailbox):
                    if calendar.name == name:
                        return calendar
            raise as_product_error(failure, "creating a calendar") from failure

    async def is_empty(self, mailbox: str, calendar_id: str) -> bool:
        """Whether the calendar has no event at any time. Raises StoreRefused if it is gone."""
        path = self._paths.any_event(mailbox, calendar_id)
        async with aclosing(
            self._reading.told(self._reading.pages.all(mailbox, path, IDS.page), "looking into a calendar")
        ) as pages:
            async for items in pages:
                if items:
                    return False
        return True

    async def read_window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[SourceEvent]]:
        """Pages of the events that intersect ``[start, end)``, by start, with occurrences expanded.

        The next page is fetched while the caller processes one. Events that Graph cannot read, or that cannot
        be understood, are added to ``unread``, and the rest is read in halves (domain.md 2.12). Without
        ``unread``, such an event fails the reading: StoreUnavailable, or StoreRefused
        (``undecodable_event``).
        """
        pages = self._reading.window(EVENTS, mailbox, calendar_id, (start, end), EVENT_FIELDS, None, unread)
        async with aclosing(self._reading.told(pages, "reading a calendar")) as told:
            async for items in told:
                yield _readable(items, unread)

    async def get_events(
        self, mailbox: str, calendar_id: str | None, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, SourceEvent | None]:
        """Events by immutable id, None for each one that is gone. With ``calendar_id``, only from that one.

        Unreadable events are added to ``unread`` and left out. Without ``unread``, they fail the reading.
        """
        # The key of a row that was left behind is no id. Graph would refuse to look it up (domain.md 2.4).
        wanted = [each for each in dict.fromkeys(ids) if not is_detached(each)]
        paths = [
            f"{self._paths.event(mailbox, calendar_id, event_id)}?$select={_EVENT_SELECT}"
            for event_id in wanted
        ]
        lasting = LASTING_STATUSES if unread is not None else frozenset[int]()
        responses = await self._reading.batched(mailbox, paths, "reading events", lasting)
        found: dict[str, SourceEvent | None] = dict.fromkeys(filter(is_detached, ids))
        for event_id, response in zip(wanted, responses, strict=True):
            if response.status == 404:
                found[event_id] = None
            elif response.status in lasting and unread is not None:
                unread.add(Unread(response.code or f"http_{response.status}", event_id))
            else:
                # An answer without an id is about the requested event.
                item = response.body if unread is None else {**response.body, "id": event_id}
                found.update((event.id, event) for event in _readable([EVENTS.item(item)], unread))
        return found

    async def calendars_of(self, mailbox: str, ids: Sequence[str]) -> dict[str, str | None]:
        """The calendar of each event. None for an event in no calendar, such as in Deleted Items.

        A GET by immutable id may return a deleted event (docs/graph-series.md, Deleted).
        """
        wanted = list(dict.fromkeys(ids))
        paths = [f"{self._paths.event(mailbox, None, each)}/calendar?$select=id" for each in wanted]
        responses = await self._reading.batched(mailbox, paths, "reading the calendars of events")
        return {
            event_id: None if response.status == 404 else str(response.body["id"])
            for event_id, response in zip(wanted, responses, strict=True)
        }

    async def series_goes_on(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> bool:
        """Whether a series exists and has an occurrence with its original start in ``[start, end)``.

        ``instances`` answers 400 for anything except a series master. Then it is none any more.
        """
        path = self._paths.instances(mailbox, series_id, start, end)
        try:
            found = await self._reading.item_or_none(mailbox, path, OCCURRENCES.page, "reading a series")
        except StoreRefused as refusal:
            if refusal.answered != 400:
                raise
            return False
        # A long or moved occurrence of an earlier date may reach into the range.
        return found is not None and any(
            each.original_start is None or datetime.fromisoformat(each.original_start) >= start
            for each in found.items
        )

    async def count_attachments(self, mailbox: str, ids: Sequence[str]) -> dict[str, int]:
        """The number of attachments of each event. 0 for an event that is gone."""
        wanted = list(dict.fromkeys(ids))
        paths = [f"{self._paths.event(mailbox, None, each)}/attachments?$select=id" for each in wanted]
        counts: dict[str, int] = {}
        responses = await self._reading.batched(mailbox, paths, "counting attachments")
        for event_id, response in zip(wanted, responses, strict=True):
            counts[event_id] = len(response.body.get("value") or ())
            link = response.body.get("@odata.nextLink")
            if link:
                more = await self._reading.collected(mailbox, link, IDS.page, "counting attachments")
                counts[event_id] += len(more)
        return counts

    async def find_copies(self, mailbox: str, calendar_id: str, archive_key: str) -> list[Copy]:
        """The copies with this ``ArchiveKey``, oldest first (domain.md 2.6).

        Searches the whole mailbox if Graph cannot search a named calendar (graph.md, Extended property).
        """
        if not archive_key.isalnum():
            raise ValueError("an ArchiveKey is a hexadecimal hash")
        condition = (
            f"singleValueExtendedProperties/Any(ep: ep/id eq '{ARCHIVE_KEY_PROPERTY}' "
            f"and ep/value eq '{archive_key}')"
        )
        what = "searching for a copy"
        try:
            path = self._paths.search(mailbox, calendar_id, condition, COPY_FIELDS, COPY_EXPAND)
            items = await self._reading.collected(mailbox, path, COPIES.page, what)
        except StoreRefused as refusal:
            if refusal.answered not in (400, 501):
                raise
            path = self._paths.search(mailbox, None, condition, COPY_FIELDS, COPY_EXPAND)
            items = await self._reading.collected(mailbox, path, COPIES.page, what)
        return sorted(_readable(items, None), key=lambda copy: (copy.created, copy.id))

    async def get_copy(self, mailbox: str, copy_id: str) -> Copy | None:
        """A copy by its immutable id. None if it is gone."""
        path = self._paths.found_event(mailbox, copy_id, COPY_FIELDS, COPY_EXPAND)
        item = await self._reading.item_or_none(mailbox, path, COPIES.one, "reading a copy")
        return None if item is None else _readable([item], None)[0]

    async def read_copies(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        unread: UnreadEvents | None = None,
    ) -> AsyncGenerator[list[Copy]]:
        """Pages of the events of an archive calendar in ``[start, end)``, by start, with our properties.

        Events that are not ours are included, without a key (domain.md 2.15). ``unread`` as for
        ``read_window``.
        """
        pages = self._reading.window(
            COPIES, mailbox, calendar_id, (start, end), COPY_FIELDS, COPY_EXPAND, unread
        )
        async with aclosing(self._reading.told(pages, "reading an archive calendar")) as told:
            async for items in told:
                yield _readable(items, unread)

    async def get_copies(
        self, mailbox: str, calendar_id: str, ids: Sequence[str], unread: UnreadEvents | None = None
    ) -> dict[str, Copy | None]:
        """Events of the archive calendar by id. None for each one that is not in it.

        ``unread`` as for ``get_events``.
        """
        wanted = list(dict.fromkeys(ids))
        paths = self._paths.copies(mailbox, calendar_id, wanted)
        lasting = LASTING_STATUSES if unread is not None else frozenset[int]()
        responses = await self._reading.batched(mailbox, paths, "reading copies", lasting)
        found: dict[str, Copy | None] = {}
        for copy_id, response in zip(wanted, responses, strict=True):
            if response.status in lasting and unread is not None:
                unread.add(Unread(response.code or f"http_{response.status}", copy_id))
            elif response.status == 404:
                found[copy_id] = None
            else:
                found.update((copy_id, copy) for copy in _readable([COPIES.item(response.body)], unread))
        return found

    async def send(
        self,
        mailbox: str,
        calendar_id: str,
        writes: Sequence[Write],
        timeout: float,  # noqa: ASYNC109
    ) -> list[WriteAnswer]:
        """Send 1 to 20 writes in one ``$batch``, without retry. Answers are in the order of writes.

        ``timeout`` (seconds) starts when the batch is sent. Before that come the token and the wait for the
        mailbox's slots, and ``longest_turn_wait`` limits this wait. Verdicts are those of design.md, Answers,
        and NOT_SENT if nothing left this machine. A mailbox that asked for a pause gets no request: THROTTLED
        with the remaining wait. Raises ValueError for a malformed batch.
        """
        content = batch.encode_writes(
            writes,
            self._paths.events(mailbox, calendar_id),
            lambda copy_id: self._paths.event(mailbox, None, copy_id),
        )
        answers = await self._post(mailbox, writes, content, timeout)
        wait = max((answer.retry_after or 0.0 for answer in answers), default=0.0)
        if wait > 0 and any(answer.code != TOLD_TO_WAIT for answer in answers):
            try:
                await self._throttle.close(mailbox, wait)
            except Exception:
                # The answers matter more than storing the pause. Without them, every write would be
                # uncertain.
                _log.exception("the pause of a mailbox could not be kept")
        return answers

    async def _post(
        self, mailbox: str, writes: Sequence[Write], content: bytes, seconds: float
    ) -> list[WriteAnswer]:
        posted = False
        try:
            async with asyncio.timeout(longest_turn_wait(seconds)) as limit:
                token = await self._client.token()
                async with self._throttle.slots(mailbox, len(writes)):
                    wait = self._throttle.known_wait(mailbox)
                    if wait > 0:
                        return same_for_all(writes, WriteVerdict.THROTTLED, TOLD_TO_WAIT, wait)
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)
                    posted = True
                    outer = await self._client.post_batch(content, token, writes=len(writes))
        except GraphCallError as failure:
            return same_for_all(writes, WriteVerdict.NOT_SENT, failure.code)
        except TimeoutError:
            return same_for_all(writes, WriteVerdict.UNKNOWN if posted else WriteVerdict.NOT_SENT, "timeout")
        except TRANSPORT_ERRORS as error:
            if never_sent(error):
                return same_for_all(writes, WriteVerdict.NOT_SENT, "not_connected")
            _log.warning("graph batch lost: %s", type(error).__name__)
            return same_for_all(writes, WriteVerdict.UNKNOWN, "connection")
        answers = batch.answers_to_outer(writes, outer.status, outer.content, outer.retry_after)
        if any(answer.verdict is WriteVerdict.UNAUTHORIZED for answer in answers):
            await self._client.tokens.invalidate(token)
        return answers


def _calendar(item: CalendarItem) -> Calendar:
    return Calendar(
        id=item.id,
        name=item.name or "",
        is_default=item.is_default_calendar is True,
        can_edit=item.can_edit is True,
        owner_address=(item.owner.address or "") if item.owner else "",
    )


def _readable[T](items: Iterable[T | Unread], unread: UnreadEvents | None) -> list[T]:
    """The readable ones, in order. The rest goes to ``unread``, or fails the reading (domain.md 2.12)."""
    readable: list[T] = []
    for item in items:
        if not isinstance(item, Unread):
            readable.append(item)
        elif unread is not None:
            unread.add(item)
        else:
            raise StoreRefused(f"event {item.event_id or '?'}: {item.code}", answered=200, reason=UNDECODABLE)
    return readable
