"""A period that a timesheet finalised: what was archived there stays as it was (domain.md 2.8)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.comparing import content
from tests.simulation.source_keys import archive_key_of

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """Local days from ``first`` up to ``after``, and the copies that were there when they were locked."""

    first: date
    after: date
    zone: ZoneInfo
    copies: Mapping[str, Json]

    def holds(self, item: Json) -> bool:
        """Whether an event or a copy touches the period."""
        return self._has_any_of(_days(item, self.zone))

    def reached_by(self, start: datetime, end: datetime) -> bool:
        """Whether the time between two instants touches the period."""
        return self._has_any_of(_days_between(start.astimezone(self.zone), end.astimezone(self.zone)))

    def _has_any_of(self, days: tuple[date, date]) -> bool:
        first, last = days
        return first < self.after and self.first <= last

    @property
    def minutes(self) -> tuple[int, int]:
        """The days and those beside them, in minutes since 1970: whatever touches them may have stayed."""
        first, after = (
            datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.first, self.after)
        )
        return int(first.timestamp()) // 60 - 24 * 60, int(after.timestamp()) // 60 + 24 * 60

    def rebuilt(self, copies: Mapping[str, Json]) -> "Frozen":
        """The same period after the archive calendar was made again: what is equal there takes its place."""
        kept = {
            key: again if (again := copies.get(key)) and content(again) == content(copy) else copy
            for key, copy in self.copies.items()
        }
        return replace(self, copies=kept)

    def violations(self, copies: Sequence[Json], touched: Collection[str]) -> list[str]:
        """What was written into the period since."""
        problems = []
        now = {archive_key_of(copy): copy for copy in copies}
        for key, copy in now.items():
            before = self.copies.get(key)
            if key in touched or not (self.holds(copy) or (before is not None and self.holds(before))):
                continue
            if before is None:
                problems.append(f"the copy {copy['subject']!r} was made in a locked period")
            elif before["changeKey"] != copy["changeKey"]:
                problems.append(f"the copy {copy['subject']!r} was changed in a locked period")
        return problems


def freeze(first: date, days: int, zone: ZoneInfo, copies: Sequence[Json]) -> Frozen:
    """The period as it is locked now."""
    return Frozen(first, first + timedelta(days=days), zone, {archive_key_of(copy): copy for copy in copies})


def _days(item: Json, zone: ZoneInfo) -> tuple[date, date]:
    start, end = (datetime.fromisoformat(item[name]["dateTime"]) for name in ("start", "end"))
    if not item["isAllDay"]:
        start, end = (moment.replace(tzinfo=UTC).astimezone(zone) for moment in (start, end))
    return _days_between(start, end)


def _days_between(start: datetime, end: datetime) -> tuple[date, date]:
    return start.date(), max(start, end - timedelta(microseconds=1)).date()
