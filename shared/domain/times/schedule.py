"""When a job runs next, in its own zone (domain.md 8.1)."""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from shared.domain.json_object import JsonObject
from shared.domain.times.zones import first_instant
from shared.errors import FieldError, ValidationFailed

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
# No schedule pauses longer: two monthly days are at most 31 days apart, and the search begins a day early.
_SEARCHED_DAYS = 40


class ScheduleKind(StrEnum):
    """How often the job runs. ``manual`` never runs automatically."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs. Create it with ``parse``, which validates it."""

    kind: ScheduleKind
    #: The local time.
    at: time | None = None
    #: The weekdays of a weekly schedule, Monday first.
    days: tuple[str, ...] = ()
    #: 1 to 31. 29 to 31 mean the last day of a shorter month.
    day_of_month: int | None = None

    @classmethod
    def daily(cls, at: str) -> "Schedule":
        """Every day at ``HH:MM``. Raises ValidationFailed."""
        return parse({"kind": ScheduleKind.DAILY, "at": at})

    def to_json(self) -> JsonObject:
        """The form that ``parse`` reads, with only the fields of its kind."""
        fields: dict[str, Any] = {"kind": self.kind.value}
        if self.at is not None:
            fields["at"] = f"{self.at:%H:%M}"
        if self.days:
            fields["days"] = list(self.days)
        if self.day_of_month is not None:
            fields["day_of_month"] = self.day_of_month
        return fields

    def includes(self, day: date) -> bool:
        """Whether it runs on this local day."""
        if self.kind is ScheduleKind.WEEKLY:
            return WEEKDAYS[day.weekday()] in self.days
        if self.kind is ScheduleKind.MONTHLY:
            last = calendar.monthrange(day.year, day.month)[1]
            return day.day == min(self.day_of_month or 1, last)
        return self.kind is ScheduleKind.DAILY


def next_run(schedule: Schedule, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first instant (UTC) after ``after`` at which the schedule runs. None for a manual one.

    A local time that a day skips runs once, at the next valid instant. A local time that a day has twice runs
    at the first one.
    """
    if schedule.at is None:
        return None
    day = after.astimezone(zone).date() - timedelta(days=1)
    for _ in range(_SEARCHED_DAYS):
        if schedule.includes(day):
            instant = first_instant(datetime.combine(day, schedule.at), zone)
            if instant > after:
                return instant
        day += timedelta(days=1)
    return None


def parse(fields: JsonObject) -> Schedule:
    """Read ``{"kind", "at", "days", "day_of_month"}``. Fields of other kinds must be absent or null.

    Raises ValidationFailed naming each wrong field as ``schedule.…``.
    """
    try:
        kind = ScheduleKind(fields.get("kind", ""))
    except ValueError:
        raise ValidationFailed([_error("kind", f"must be one of {', '.join(ScheduleKind)}")]) from None
    wanted = {
        ScheduleKind.DAILY: {"at"},
        ScheduleKind.WEEKLY: {"at", "days"},
        ScheduleKind.MONTHLY: {"at", "day_of_month"},
        ScheduleKind.MANUAL: set[str](),
    }[kind]
    errors = [
        _error(name, f"does not belong to a {kind} schedule")
        for name, value in fields.items()
        if name != "kind" and name not in wanted and value not in (None, [], ())
    ]
    at = _at(fields.get("at"), errors) if "at" in wanted else None
    days = _days(fields.get("days"), errors) if "days" in wanted else ()
    day_of_month = _day_of_month(fields.get("day_of_month"), errors) if "day_of_month" in wanted else None
    if errors:
        raise ValidationFailed(errors)
    return Schedule(kind, at, days, day_of_month)


def _at(value: object, errors: list[FieldError]) -> time | None:
    match = _AT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        errors.append(_error("at", "must be a local time HH:MM from 00:00 to 23:59"))
        return None
    return time(int(match[1]), int(match[2]))


def _days(value: object, errors: list[FieldError]) -> tuple[str, ...]:
    names = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    days = {name.casefold() for name in names if isinstance(name, str)}
    if not days or len(days) != len(names) or not days.issubset(WEEKDAYS):
        errors.append(_error("days", f"must name days, each once, of {', '.join(WEEKDAYS)}"))
    return tuple(day for day in WEEKDAYS if day in days)


def _day_of_month(value: object, errors: list[FieldError]) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 31:
        errors.append(_error("day_of_month", "must be a day from 1 to 31"))
        return None
    return value


def _error(name: str, message: str) -> FieldError:
    return FieldError(f"schedule.{name}", message)
