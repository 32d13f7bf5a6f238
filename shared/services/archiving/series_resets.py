"""What one reading finds of changed series, and what their owner's answers mean for it (domain.md 2.17)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from shared.database.repositories.action_items.series_items import StoredReset
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.read_event import ReadEvent
from shared.domain.planning.series_change import Kept
from shared.domain.planning.series_reset import (
    Difference,
    Occurrence,
    Standing,
    shape_of,
    takes,
)
from shared.domain.runs.archive_run import RunMode
from shared.services.archiving.context import RunContext


class SeriesResets:
    """Notes each date on which a series and its archive differ; says which the archive takes.

    ``found`` differ and stay so, ``taken`` are written as the series shows them; both by series and key.
    ``shapes`` are those of the series that were met in the window, ``events`` the source events of
    differences. A run that replaces takes all.
    """

    def __init__(self, context: RunContext, stored: Iterable[StoredReset] = ()) -> None:
        self._context = context
        self.replaces = context.mode is RunMode.REPLACE
        self.stored = {each.series_id: each for each in stored}
        self.found: dict[str, dict[str, Difference]] = defaultdict(dict)
        self.taken: dict[str, dict[str, Difference]] = defaultdict(dict)
        self.shapes: dict[str, str] = {}
        self.events: dict[str, SourceEvent] = {}

    def takes_change(self, event: SourceEvent, row: MapRow, kept: Kept) -> bool:
        """Whether the copy of ``row`` follows its changed series; ``kept`` is what it would stay."""
        if not kept.withheld:
            return self.replaces
        archived = Occurrence(row.source_key, row.start_at, kept.event.end)
        return self._takes(event, Difference(archived, self._now(event, row.source_key)))

    def takes_day(self, event: SourceEvent, key: str) -> bool:
        """Whether a day that the series shows, and that was archived without it, is archived now."""
        return self._takes(event, Difference(None, self._now(event, key)))

    def note(self, reads: Mapping[str, ReadEvent]) -> None:
        """Remember what differs in the window, as far as the archive does not take it."""
        for key, read in reads.items():
            shown = read.withheld or read.event
            series = shown.series_master_id
            if series is None or shown.type is not EventType.OCCURRENCE or read.waits:
                continue
            if not self._context.window.owns(read.event):
                continue
            self.shapes[series] = shape_of(shown)
            if read.withheld is not None:
                archived = Occurrence(key, self._context.owning_start(read.event), read.event.end)
                self._keep(self.found, series, Difference(archived, self._now(shown, key)), shown)
            elif read.left_out is LeftOut.SERIES_CHANGED:
                self._keep(self.found, series, Difference(None, self._now(shown, key)), shown)

    def supersedes(self, series: str, vanished: Difference) -> bool:
        """Whether the copy of a meeting that the series does not show any more is superseded.

        One that vanished by itself stays (domain.md 2.4): it was shown in the item, or the change that the
        archive takes was met in the same window.
        """
        stored, taken = self.stored.get(series), self.taken.get(series)
        shown = stored is not None and stored.reset.get(vanished.key) is not None
        if self.replaces:
            return bool(taken) or shown
        if stored is None or not takes(stored.reset, self.shapes.get(series), vanished):
            return False
        return shown or bool(taken)

    def shows(self, key: str) -> bool:
        """Whether an item that waits or is taken shows the meeting of this key."""
        return any(
            each.reset.standing is not Standing.KEPT and each.reset.get(key) is not None
            for each in self.stored.values()
        )

    @property
    def series(self) -> set[str]:
        """The series of which there is anything to say."""
        return self.found.keys() | self.taken.keys() | self.stored.keys()

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
        return Occurrence(key, self._context.owning_start(event), event.end)
