"""Reads a window of a calendar in which Graph cannot read everything (domain.md 2.12).

One event that Graph cannot read fails its whole page, every time (graph.md section 3). Then the rest of the
window is listed by a light read of ids and times, and that list is read in halves. The last few events are
read by id, so that only unreadable ones fail. If the list cannot be read either, the time is halved, down to
a quarter of an hour that stays unread.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.domain.runs.unread import Unread, UnreadEvents
from shared.graph.batch import SubResponse
from shared.graph.errors import LASTING_STATUSES, GraphCallError
from shared.graph.event_codec import LISTED, EventCodec
from shared.graph.pages import Pages

#: The fields of a light read.
LISTED_FIELDS = ("id", "start", "end", "isAllDay")
#: This many events are read by id in one batch, instead of halved further.
BY_ID = 8
#: The requests that a reading may spend on halving. The rest stays unread until the next reading.
MOST_REQUESTS = 400
_SMALLEST = timedelta(minutes=15)
_FIRST = datetime.min.replace(tzinfo=UTC)
type _Pages[T] = AsyncGenerator[Sequence[T | Unread]]


class Readable(Protocol):
    """What is read of an event: its id, and its start as a UTC instant."""

    @property
    def id(self) -> str: ...

    @property
    def start(self) -> datetime: ...

    @property
    def is_all_day(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class WindowSource[T: Readable]:
    """The reads of one calendar.

    ``codec`` reads the events. ``view`` and ``listed`` are the paths of a range, in full and with
    ``LISTED_FIELDS``. ``by_ids`` returns the result of each event's read. ``probe`` reads something small, to
    distinguish a bad page from an outage.
    """

    mailbox: str
    codec: EventCodec[T]
    view: Callable[[datetime, datetime], str]
    listed: Callable[[datetime, datetime], str]
    by_ids: Callable[[Sequence[str]], Awaitable[list[SubResponse]]]
    probe: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Listed:
    """An event in a light read."""

    id: str
    start: datetime
    told: Unread


class WindowReading[T: Readable]:
    """One reading of ``[start, end)``: events in calendar order, each once even if halved."""

    def __init__(self, pages: Pages, source: WindowSource[T], unread: UnreadEvents) -> None:
        self._pages = pages
        self._source = source
        self._unread = unread
        # Hashes of ids, because a window may hold very many.
        self._given: set[int] = set()
        self._spent = 0

    async def read(self, start: datetime, end: datetime) -> _Pages[T]:
        """The pages. Raises GraphCallError for failures that halving cannot solve, such as an outage."""
        last: Sequence[T | Unread] = ()
        pages = self._pages.all(self._source.mailbox, self._source.view(start, end), self._source.codec.page)
        try:
            async with aclosing(pages):
                async for items in pages:
                    last = items or last
                    self._given |= {hash(event_id) for each in items if (event_id := _id(each))}
                    yield items
            return
        except GraphCallError as caught:
            if caught.status not in LASTING_STATUSES:
                raise
            failure = caught
        async with aclosing(self._rest(reached_by(start, last), end, failure)) as rest:
            async for items in rest:
                yield items

    async def _rest(self, start: datetime, end: datetime, failure: GraphCallError) -> _Pages[T]:
        listed = await self._list(start, end)
        if listed is None:
            try:
                await self._source.probe()
            except GraphCallError as away:
                raise failure from away
        parts = self._halves(start, end, failure) if listed is None else self._parts(listed, end, failure)
        async with aclosing(parts):
            async for items in parts:
                yield items

    async def _list(self, start: datetime, end: datetime) -> list[_Listed] | None:
        """The events of a range that were not returned yet, by start. None if Graph cannot list them."""
        found: dict[str, _Listed] = {}
        try:
            async with aclosing(self._range(self._source.listed(start, end), LISTED)) as pages:
                async for items in pages:
                    for told in items:
                        if told.event_id is None or told.start is None or told.end is None:
                            self._unread.add(told)
                        elif hash(told.event_id) not in self._given:
                            found[told.event_id] = _Listed(told.event_id, told.start, told)
        except GraphCallError as failure:
            if failure.status not in LASTING_STATUSES:
                raise
            return None
        return sorted(found.values(), key=lambda each: (each.start, each.id))

    async def _parts(self, listed: Sequence[_Listed], end: datetime, failure: GraphCallError) -> _Pages[T]:
        """Split a list that cannot be read at once: two halves, or each event by id."""
        middle = _split(listed)
        if len(listed) <= BY_ID or middle is None or self._spent >= MOST_REQUESTS:
            yield await self._each(listed, failure)
            return
        first, second = listed[:middle], listed[middle:]
        caught = None
        for part, until in ((first, second[0].start), (second, end)):
            # If the first half could be read, the trouble is in the second.
            known_bad = part is second and caught is None and failure.status != 504
            reading = self._parts(part, until, failure) if known_bad else self._part(part, until)
            try:
                async with aclosing(reading):
                    async for items in reading:
                        yield items
            except _PartFailed as part_failed:
                caught = part_failed.failure
                left = [each for each in part if hash(each.id) not in self._given]
                async with aclosing(self._parts(left, until, caught)) as rest:
                    async for items in rest:
                        yield items

    async def _part(self, part: Sequence[_Listed], until: datetime) -> _Pages[T]:
        """The listed events by one read of their range. Raises _PartFailed."""
        start, wanted = part[0].start, {each.id for each in part}
        try:
            reading = self._range(self._source.view(start, until), self._source.codec)
            async with aclosing(reading) as pages:
                async for items in pages:
                    # Other events that reach into the range were returned before, or come with their own
                    # part. Events that are newer than the list are included.
                    yield self._take(
                        [
                            each
                            for each in items
                            if _id(each) in wanted or start <= (each.start or _FIRST) < until
                        ]
                    )
        except GraphCallError as failure:
            if failure.status not in LASTING_STATUSES:
                raise
            raise _PartFailed(failure) from failure
        # The view may place an all-day event elsewhere than at its midnight.
        missing = [each for each in part if hash(each.id) not in self._given]
        if missing:
            yield await self._each(missing, None)

    async def _each(self, listed: Sequence[_Listed], failure: GraphCallError | None) -> list[T | Unread]:
        """Events by id. Unreadable ones are added to ``unread``. Events that are gone are left out."""
        wanted = [each for each in listed if hash(each.id) not in self._given]
        if self._spent >= MOST_REQUESTS and failure is not None:
            self._unread.update(replace(each.told, code=failure.code) for each in wanted)
            return []
        self._spent += len(wanted)
        found: list[T | Unread] = []
        for each, answer in zip(wanted, await self._source.by_ids([each.id for each in wanted]), strict=True):
            if answer.status == 200:
                found.append(self._source.codec.item(answer.body))
            elif answer.status != 404:
                code = answer.code or f"http_{answer.status}"
                self._unread.add(replace(each.told, code=code))
        return self._take(found)

    async def _halves(self, start: datetime, end: datetime, failure: GraphCallError) -> _Pages[T]:
        """Split a range that can be neither read nor listed: two halves, or a range that stays unread."""
        middle = _middle(start, end)
        if middle is None or self._spent >= MOST_REQUESTS:
            self._unread.add(Unread(failure.code, None, start, end))
            return
        for begin, until in ((start, middle), (middle, end)):
            async with aclosing(self._half(begin, until)) as pages:
                async for items in pages:
                    yield items

    async def _half(self, start: datetime, end: datetime) -> _Pages[T]:
        reached = start
        try:
            reading = self._range(self._source.view(start, end), self._source.codec)
            async with aclosing(reading) as pages:
                async for items in pages:
                    reached = reached_by(reached, items)
                    yield self._take(items)
            return
        except GraphCallError as caught:
            if caught.status not in LASTING_STATUSES:
                raise
            failure = caught
        # A smaller range cannot be listed either, unless the first one was too large.
        listed = await self._list(reached, end) if failure.status == 504 else None
        parts = self._halves(reached, end, failure) if listed is None else self._parts(listed, end, failure)
        async with aclosing(parts):
            async for items in parts:
                yield items

    async def _range[U](self, path: str, codec: EventCodec[U]) -> AsyncGenerator[Sequence[U | Unread]]:
        """The pages of a smaller read. A lasting failure is not retried again."""
        pages = self._pages.all(self._source.mailbox, path, codec.page, given_up=LASTING_STATUSES)
        self._spent += 1
        async with aclosing(pages):
            async for items in pages:
                yield items

    def _take(self, items: Sequence[T | Unread]) -> list[T | Unread]:
        """Those of the items that were not returned yet."""
        fresh: list[T | Unread] = []
        for each in items:
            event_id = _id(each)
            if event_id is None or hash(event_id) not in self._given:
                fresh.append(each)
                if event_id is not None:
                    self._given.add(hash(event_id))
        return fresh


class _PartFailed(Exception):
    """A part cannot be read at once. Events returned so far stay valid."""

    def __init__(self, failure: GraphCallError) -> None:
        super().__init__(str(failure))
        self.failure = failure


def _id(item: Readable | Unread) -> str | None:
    return item.event_id if isinstance(item, Unread) else item.id


def reached_by(start: datetime, items: Sequence[Readable | Unread]) -> datetime:
    """How far the pages came: the latest start. Graph sorts all-day events by another midnight."""
    return max([start, *(each.start for each in items if each.start is not None and not each.is_all_day)])


def _split(listed: Sequence[_Listed]) -> int | None:
    """Where to halve, between two starts. None if all start together."""
    middle = len(listed) // 2
    for distance in range(middle + 1):
        for place in (middle - distance, middle + distance):
            if 0 < place < len(listed) and listed[place - 1].start < listed[place].start:
                return place
    return None


def _middle(start: datetime, end: datetime) -> datetime | None:
    """The quarter of an hour in the middle. None if there is none in between."""
    quarters = (start + (end - start) / 2 - _FIRST) // _SMALLEST
    for middle in (_FIRST + quarters * _SMALLEST, _FIRST + (quarters + 1) * _SMALLEST):
        if start < middle < end:
            return middle
    return None
