"""The entries of a file that count, as what is loaded: series with their exceptions, and single events."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from infra.local.graph_simulator.loading.account import Account, Fate
from infra.local.graph_simulator.loading.events import Times, UnreadableEventError
from infra.local.graph_simulator.loading.graph_series import NoEqualError, Part, as_graph, single
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.loading.recurrence_rules import Budget, TooOftenError
from infra.local.graph_simulator.loading.series import ExcludedError, Occurrence, Series, series_of
from infra.local.graph_simulator.loading.versions import Entry
from infra.local.graph_simulator.loading.zones import FileZone
from infra.local.graph_simulator.state.model import Calendar, Json
from infra.local.graph_simulator.values.errors import GraphError, LoadError

_YEAR = timedelta(days=365)
_DAY = timedelta(days=1)
_MOST_SHARING = 50
#: What Exchange's calendars hold (infra/local/graph_simulator/values/times.py), and a day to be sure.
_EARLIEST, _LATEST = date(1601, 1, 2), date(4499, 12, 30)
#: One event with values no one foresaw must not stop the rest.
_UNFORESEEN = (GraphError, LoadError, ValueError, TypeError, AttributeError, LookupError, OverflowError)


class Plan:
    """What is loaded of the entries, and the fate of each of them."""

    def __init__(self, entries: list[Entry], account: Account, budget: Budget, zone: FileZone) -> None:
        """``zone``: whose local days the range has."""
        self.bodies: list[Json] = []
        #: Occurrences in the range.
        self.events = 0
        self.refused = 0
        self._account = account
        self._budget = budget
        self._zone = zone
        self._sources: dict[int, Entry] = {}
        self._singles: list[Entry] = []
        self._series: list[Series] = []
        self._sort(entries)

    # What belongs together

    def _sort(self, entries: list[Entry]) -> None:
        exceptions: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.replaces is not None:
                exceptions[entry.uid].append(entry)
        masters = [entry for entry in entries if entry.replaces is None]
        by_uid: dict[str, list[Series]] = defaultdict(list)
        for entry in masters:
            if not (_recurs(entry) or (entry.uid and entry.uid in exceptions)):
                self._singles.append(entry)
                continue
            series = self._read_series(entry)
            if series is not None:
                by_uid[entry.uid].append(series)
        for uid, changes in exceptions.items():
            # Without a UID nothing says which series is meant; one that many series share says as little.
            sharing = by_uid.get(uid, [])[:_MOST_SHARING] if uid else []
            for change in changes:
                self._attach(sharing, change)
        self._series += [series for found in by_uid.values() for series in found]

    def _read_series(self, entry: Entry) -> Series | None:
        try:
            series = series_of(entry, self._budget)
            series.latest(_now(series.times.file_zone))
            return series
        except (TooOftenError, UnreadableEventError) as error:
            self._account.tell(entry.event, Fate.UNREPRESENTABLE, str(error))
        except _UNFORESEEN as error:
            self._account.tell(entry.event, Fate.UNREPRESENTABLE, f"it cannot be read ({error})")
        return None

    def _attach(self, masters: list[Series], change: Entry) -> None:
        note = self._account.note
        for series in masters:
            if series.entry.cancelled and change.sequence < series.entry.sequence:
                self._account.tell(change.event, Fate.OLDER, "its whole series was cancelled later")
                return
            try:
                attached = series.attach(change)
            except ExcludedError as error:
                self._account.tell(change.event, Fate.UNREPRESENTABLE, str(error))
                return
            except _UNFORESEEN:
                attached = False
            if attached:
                if not (change.and_following and _recurs(change)):
                    if _recurs(change):
                        note(change.event, "one occurrence cannot recur: its rule is not used")
                    return
                break
        else:
            if masters:
                note(change.event, "it replaces no occurrence of its series: loaded beside it")
        if not _recurs(change) or (masters and not change.and_following):
            self._singles.append(change)
            return
        if not masters:
            note(
                change.event,
                "the file lacks the series it belongs to: its own rule is used from its start on",
            )
        series_of_its_own = self._read_series(change)
        if series_of_its_own is not None:
            self._series.append(series_of_its_own)

    # The range

    def range(self, first: date | None, last: date | None) -> tuple[date, date]:
        """The wished range, else the year up to the last event that is not in the future; local days."""
        if last is None:
            last = min(max(self._latest_day(), _EARLIEST + _YEAR), _LATEST) + _DAY
            if first is not None and first >= last:
                last = min(first, _LATEST - _YEAR) + _YEAR
        if first is None:
            first = last - _YEAR if last - date.min > _YEAR else date.min
        return first, last

    def _latest_day(self) -> date:
        now = datetime.now(UTC)
        today = self._zone.day(now)
        days = [self._day_of_entry(each) for each in self._singles]
        days += [self._day_of_entry(series.entry) for series in self._series]
        for series in self._series:
            days += [self._day_of_entry(each) for each in series.exceptions.values()]
            found = self._last_start(series, now)
            if found is not None:
                days.append(found)
        held = [day for day in days if _EARLIEST <= day <= _LATEST]
        past = [day for day in held if day <= today]
        return max(past or held, default=today)

    def _last_start(self, series: Series, now: datetime) -> date | None:
        try:
            start = series.latest(series.times.file_zone.wall(now))
            return None if start is None else self._day(series.times.at(start))
        except _UNFORESEEN:
            return None

    def _day_of_entry(self, entry: Entry) -> date:
        return self._day(entry.times)

    def _day(self, times: Times) -> date:
        return local_day(times, self._zone)

    # What is loaded

    def fill(self, loader: Loader, calendar: Calendar, first: date, last: date) -> None:
        """Everything in ``[first, last)``: ``bodies`` for the loader."""
        for series in self._series:
            try:
                self._fill_series(series, loader, calendar, first, last)
            except (TooOftenError, *_UNFORESEEN) as error:
                for entry in (series.entry, *series.exceptions.values()):
                    self._account.tell(entry.event, Fate.UNREPRESENTABLE, str(error))
        for entry in self._singles:
            day = self._day_of_entry(entry)
            if first <= day < last:
                self._put(single(Occurrence(None, entry.times, entry)))
                self.events += 1
            else:
                self._account.tell(entry.event, Fate.OUTSIDE, day=day)

    def _fill_series(
        self, series: Series, loader: Loader, calendar: Calendar, first: date, last: date
    ) -> None:
        found = [each for each in series.occurrences(first, last) if first <= self._day(each.times) < last]
        everything = [series.entry, *series.exceptions.values(), *(entry for _, entry in series.following)]
        if found:
            parts = self._recurring(series, loader, calendar, found)
            for part in parts:
                self._put(part)
            self.events += len(found)
        inside = {id(each.entry) for each in found}
        for entry in everything:
            if id(entry) not in inside and not (found and entry is series.entry):
                self._account.tell(entry.event, Fate.OUTSIDE, day=self._day_of_entry(entry))
            elif found and entry is not series.entry:
                self._sources.setdefault(-id(entry), entry)

    def _recurring(
        self, series: Series, loader: Loader, calendar: Calendar, found: list[Occurrence]
    ) -> list[Part]:
        extra = [each for each in found if each.extra]
        try:
            parts = list(as_graph(series, loader, calendar))
        except (NoEqualError, TooOftenError, GraphError, LoadError) as error:
            if series.rules:
                reason = f"{error}: its occurrences in the range are loaded as single events"
                self._account.note(series.entry.event, reason, technical=True)
            return [single(each) for each in found]
        for each in extra:
            start = each.times.start.isoformat(sep=" ", timespec="minutes")
            reason = f"the extra date {start} is loaded as a single event"
            self._account.note(series.entry.event, reason, technical=True)
        return parts + [single(each) for each in extra]

    def _put(self, part: Part) -> None:
        body, entry = part
        self.bodies.append(body)
        self._sources[id(body)] = entry

    def refuse(self, body: Json, error: GraphError | LoadError) -> None:
        """The mailbox refused an event."""
        self.refused += 1
        self.events = max(0, self.events - 1)
        self._account.tell(self._sources.pop(id(body)).event, Fate.UNREPRESENTABLE, str(error))

    def close(self) -> None:
        """What was not refused is loaded."""
        for entry in self._sources.values():
            self._account.tell(entry.event, Fate.LOADED)


def local_day(times: Times, zone: FileZone) -> date:
    """The local date of a start; an all-day event has its own."""
    try:
        return times.start.date() if times.all_day else zone.day(times.instant)
    except OverflowError:
        return times.start.date()


def _recurs(entry: Entry) -> bool:
    return entry.event.first("RRULE") is not None or entry.event.first("RDATE") is not None


def _now(zone: FileZone) -> datetime:
    return zone.wall(datetime.now(UTC))
