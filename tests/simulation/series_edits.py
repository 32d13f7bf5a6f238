"""What people do to series, as Outlook does it through Graph (docs/graph-series.md)."""

from datetime import timedelta

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event, Occurrence
from tests.simulation.entries import copied, shifted, stays_on_its_day
from tests.simulation.mailbox import Person

_FAR = 10**17
# How many of the series that are split move on by a day.
_A_DAY_LATER = 0.1


class SeriesEdits:
    """Each method does one thing to some series. ``Person.meetings`` is told what a person would count."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._rng = person.rng

    def split(self) -> None:
        """ "This and following": the series ends, and another one continues it, some minutes later or not."""
        self._split(rename=False)

    def split_and_rename(self) -> None:
        """The same with another subject: nobody knows whether they are the same meetings."""
        self._split(rename=True)

    def _split(self, *, rename: bool) -> None:
        event = self._person.pick(series=True)
        if event is None or event.recurrence is None or (event.recurrence.count or 0) < 2:
            return
        item = raw_json(event)
        pattern, span = item["recurrence"]["pattern"], item["recurrence"]["range"]
        first = self._rng.randrange(1, span["numberOfOccurrences"])
        by = timedelta(days=first * pattern["interval"])
        # The rest may also begin some minutes, or a day, later than it did.
        later = timedelta(days=self._rng.random() < _A_DAY_LATER)
        if not event.span.all_day:
            later += timedelta(minutes=self._rng.choice((0, 0, 15, 60)))
        times = shifted(event, by + later)
        entry = copied(event) | times
        if rename:
            entry["subject"] += ", goes on"
        rest = span["numberOfOccurrences"] - first
        self._person.patch(
            event, recurrence={"pattern": pattern, "range": span | {"numberOfOccurrences": first}}
        )
        following = span | {"startDate": times["start"]["dateTime"][:10], "numberOfOccurrences": rest}
        entry["recurrence"] = {"pattern": pattern, "range": following}
        # Both series may have an event on a day that is archived in between. Their owner may count both.
        self._person.enter(entry)
        self._person.came_again(self._person.about(event), rest if rename or later else 0)

    def except_one(self) -> None:
        """One occurrence is renamed, moved by some minutes, or deleted."""
        occurrence = self._occurrence(self._person.pick(series=True))
        if occurrence is None:
            return
        match self._rng.randrange(3):
            case 0:
                self._person.patch(occurrence, subject=f"Exception {self._rng.randrange(1000)}")
            case 1:
                self._person.patch(occurrence, **shifted(occurrence, timedelta(minutes=15)))
            case _:
                self._person.delete(occurrence)

    def drag_onto_another_day(self) -> None:
        """One occurrence is dragged to the day after, where Graph lets it; then two lie on one day."""
        occurrence = self._occurrence(self._person.pick(series=True))
        if occurrence is not None:
            self._person.patch(occurrence, **shifted(occurrence, timedelta(hours=self._rng.choice((23, 25)))))
            self._more(occurrence.master, 1)

    def move_by_an_hour(self) -> None:
        """Every occurrence an hour later or earlier."""
        event = self._person.pick(series=True)
        if event is not None and not event.span.all_day:
            by = timedelta(hours=self._rng.choice((-1, 1)))
            stays = stays_on_its_day(event, by)
            self._person.patch(event, **shifted(event, by))
            if not stays:
                self._more(event, 1)

    def move_by_a_day(self) -> None:
        """Every occurrence a day later."""
        event = self._person.pick(series=True)
        if event is not None:
            self._person.patch(event, **shifted(event, timedelta(days=1)))
            self._more(event, 1)

    def change_pattern(self) -> None:
        """Every second day in place of every day, or the other way round: exceptions are reset."""
        event = self._person.pick(series=True)
        if event is None:
            return
        recurrence = raw_json(event)["recurrence"]
        recurrence["pattern"]["interval"] = 3 - recurrence["pattern"]["interval"]
        self._person.patch(event, recurrence=recurrence)
        self._more(event, recurrence["range"]["numberOfOccurrences"])

    def change_range(self) -> None:
        """One occurrence more or fewer at the end."""
        event = self._person.pick(series=True)
        if event is None:
            return
        recurrence = raw_json(event)["recurrence"]
        count = recurrence["range"]["numberOfOccurrences"] + self._rng.choice((-1, 1, 2))
        if count > 0:
            recurrence["range"]["numberOfOccurrences"] = count
            self._person.patch(event, recurrence=recurrence)
            self._more(event, 2)

    def reset_exceptions(self) -> None:
        """The pattern is changed and changed back: deleted and edited occurrences are plain again."""
        event = self._person.pick(series=True)
        if event is None:
            return
        kept = raw_json(event)["recurrence"]
        pattern = kept["pattern"] | {"interval": kept["pattern"]["interval"] + 1}
        self._person.patch(event, recurrence=kept | {"pattern": pattern})
        self._person.patch(event, recurrence=kept)

    def convert(self) -> None:
        """A single event becomes a series."""
        event = self._person.pick(series=False)
        if event is None or event.span.all_day:
            return
        start = {"dateTime": event.span.start.isoformat(), "timeZone": event.span.start_zone}
        recurrence = self._person.entries.recurrence({"start": start})
        self._person.made_again(event)
        self._person.patch(event, recurrence=recurrence)
        self._more(event, recurrence["range"]["numberOfOccurrences"] - 1)

    def convert_back(self) -> None:
        """A series becomes a single event, that of its first day."""
        event = self._person.pick(series=True)
        if event is not None:
            self._person.made_again(event, days=1)
            self._person.patch(event, recurrence=None)

    def _occurrence(self, event: Event | None) -> Occurrence | None:
        occurrences = list(event.occurrences(_FAR)) if event is not None else []
        return self._rng.choice(occurrences) if occurrences else None

    def _more(self, event: Event, count: int) -> None:
        """This many more meetings may have taken place: on days that were archived before, and on these."""
        self._person.meetings[self._person.about(event)] += count
