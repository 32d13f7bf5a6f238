"""Differences of changed series that one reading finds, and the owner's answers to them (domain.md 2.17)."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

from shared.database.repositories.action_items.series_items import StoredReset
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.read_event import ReadEvent
from shared.domain.planning.series_change import Kept
from shared.domain.planning.series_reset import Difference, Occurrence, Standing, outlasting, shape_of, takes
from shared.domain.runs.archive_run import RunMode
from shared.services.archiving.context import RunContext


class SeriesResets:
    """Records each date on which a series and its archive differ, and decides which differences are archived.

    A run that replaces takes all changes.
    """

    def __init__(self, context: RunContext, stored: Iterable[StoredReset] = ()) -> None:
        self._context = context
        self.replaces = context.mode is RunMode.REPLACE
        self.stored = {each.series_id: each for each in stored}
        #: Differences that stay, by series and key.
        self.found: dict[str, dict[str, Difference]] = defaultdict(dict)
        #: Differences that are archived as the series shows them, by series and key.
        self.taken: dict[str, dict[str, Difference]] = defaultdict(dict)
        #: The shapes of the series that the window showed.
        self.shapes: dict[str, str] = {}
        #: The source events of the differences.
        self.events: dict[str, SourceEvent] = {}
        #: Keys of the days that series show now and that had no copy before.
        self.added: set[str] = set()

    def takes_change(self, event: SourceEvent, row: MapRow, kept: Kept) -> bool:
        """Whether the copy of ``row`` follows its changed series. Else it keeps the content ``kept``."""
        if not kept.withheld:
            return self.replaces
        archived = Occurrence(row.source_key, row.start_at, kept.event.end)
        return self._takes(event, Difference(archived, self._now(event, row.source_key)))

    def takes_day(self, event: SourceEvent, key: str) -> bool:
        """Whether to archive a day that the series shows now and that had no copy before."""
        self.added.add(key)
        return self._takes(event, Difference(None, self._now(event, key)))

    def note(self, reads: Mapping[str, ReadEvent]) -> None:
        """Record the differences of the window that the archive does not take."""
        for key, read in reads.items():
            shown = read.withheld or read.event
            series = shown.series_master_id
            if series is None or shown.type is not EventType.OCCURRENCE or read.waits:
                continue
            if not self._context.window.owns(read.event):
                continue
            self.shapes[series] = shape_of(shown)
            if read.withheld is not None:
                archived = Occurrence(key, self._context.window.owning_start(read.event), read.event.end)
                self._keep(self.found, series, Difference(archived, self._now(shown, key)), shown)
            elif read.left_out is LeftOut.SERIES_CHANGED:
                self._keep(self.found, series, Difference(None, self._now(shown, key)), shown)

    def moved(self, series: str) -> list[Difference]:
        """The taken differences of meetings that stay on their date: their copies follow."""
        return [each for each in self.taken.get(series, {}).values() if each.archived and each.now]

    def surplus(
        self, series: str, vanished: Mapping[str, Difference], rows: Container[str], met: Container[str]
    ) -> set[str]:
        """Keys of the copies to supersede, among meetings that the series no longer shows.

        ``rows`` are the copies of the window, ``met`` the events that were read. The days that the item
        showed instead must still be there. Else a copy stays for each (domain.md 2.17).
        """
        surplus = {key: each for key, each in vanished.items() if self._supersedes(series, each)}
        stored = self.stored.get(series)
        if self.replaces or stored is None:
            return set(surplus)
        window, shown = self._context.window, stored.reset.differences
        old = {each.key: each for each in shown if each.now is None and each.key not in rows} | surplus
        new = {key: True for key, each in self.taken.get(series, {}).items() if each.archived is None}
        for each in shown:
            if each.archived is None:
                elsewhere = not window.start <= each.start < window.end
                new[each.key] = elsewhere or each.key in rows or each.key in met
        return surplus.keys() - outlasting(old.values(), new)

    def shows(self, key: str) -> bool:
        """Whether an open item, or an item whose change is taken, shows the meeting of this key."""
        return any(
            each.reset.standing is not Standing.KEPT and each.reset.get(key) is not None
            for each in self.stored.values()
        )

    @property
    def series(self) -> set[str]:
        """The series that have a difference or an item."""
        return self.found.keys() | self.taken.keys() | self.stored.keys()

    def _supersedes(self, series: str, vanished: Difference) -> bool:
        """Whether to supersede the copy of a meeting that the series no longer shows.

        It is superseded if the item showed it, or if its change was met in the same window and is taken. A
        meeting that vanished alone keeps its copy (domain.md 2.4).
        """
        stored, taken = self.stored.get(series), self.taken.get(series)
        shown = stored is not None and stored.reset.get(vanished.key) is not None
        answered = stored is not None and takes(stored.reset, self.shapes.get(series), vanished)
        return (shown or bool(taken)) and (self.replaces or answered)

    def _takes(self, event: SourceEvent, difference: Difference) -> bool:
        series = event.series_master_id or ""
        stored = self.stored.get(series)
        answered = stored is not None and takes(stored.reset, shape_of(event), difference)
        if not answered and not self.replaces:
            return False
        if self._context.window.start <= difference.start < self._context.window.end:
            self._keep(self.taken, series, difference, event)
        return True

    def _keep(
        self,
        where: dict[str, dict[str, Difference]],
        series: str,
        difference: Difference,
        event: SourceEvent,
    ) -> None:
        where[series][difference.key] = difference
        self.events[difference.key] = event

    def _now(self, event: SourceEvent, key: str) -> Occurrence:
        return Occurrence(key, self._context.window.owning_start(event), event.end)
