"""When timers fire: NCRONTAB expressions with six fields and TimeSpan intervals.

Source: Functions docs, "Timer trigger for Azure Functions", sections "NCRONTAB expressions" and "TimeSpan".
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from infra.local.functions_host.config import resolve_settings

# Schedules that fire more often are never monitored (Functions docs, "Timer trigger", `useMonitor`).
MONITOR_FROM = timedelta(minutes=1)
_TIME_SPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<first>\d+):(?P<second>\d+)(?::(?P<third>\d+)(?:\.\d+)?)?")


@dataclass(frozen=True, slots=True)
class Schedule:
    """`after(moment)` is the first instant strictly after a UTC instant at which the timer fires."""

    text: str
    after: Callable[[datetime], datetime]
    is_constant: bool

    @property
    def is_frequent(self) -> bool:
        """True if it fires more than once in some minute."""
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        moments = [moment := self.after(moment) for _ in range(3)]
        return any(later - earlier < MONITOR_FROM for earlier, later in pairwise(moments))


def parse(declared: str) -> Schedule:
    """The schedule of a timer trigger, `%SETTING%` resolved from the environment.

    Cron fields are read in the zone `WEBSITE_TIME_ZONE`, else in UTC. Raises ValueError with the reason.
    """
    try:
        text = resolve_settings(declared).strip()
    except KeyError as missing:
        raise ValueError(f"{missing} does not resolve to a value.") from None
    period = _parse_time_span(text)
    if period is not None:
        return Schedule(text, lambda moment: moment + period, is_constant=True)
    return Schedule(text, _cron(text), is_constant=False)


def _parse_time_span(text: str) -> timedelta | None:
    """A TimeSpan as .NET reads it: a first number of 24 or more in h:m:s means days."""
    match = _TIME_SPAN.fullmatch(text)
    if match is None:
        return None
    first, second, third = int(match["first"]), int(match["second"]), int(match["third"] or 0)
    if match["days"] is None and first >= 24:
        period = timedelta(days=first, hours=second, minutes=third)
    else:
        period = timedelta(days=int(match["days"] or 0), hours=first, minutes=second, seconds=third)
    if period <= timedelta(0):
        raise ValueError(f"The schedule expression '{text}' must be longer than zero.")
    return period


def _cron(text: str) -> Callable[[datetime], datetime]:
    fields = text.split()
    zone = _zone()
    expression = " ".join(fields if len(fields) == 6 else ["0", *fields])
    if len(fields) not in {5, 6} or not croniter.is_valid(expression, second_at_beginning=True):
        raise ValueError(f"The schedule expression '{text}' was not recognized as a valid cron expression.")

    def after(moment: datetime) -> datetime:
        start = moment.astimezone(zone)
        found: datetime = croniter(expression, start, second_at_beginning=True, day_or=False).get_next(
            datetime
        )
        return found.astimezone(UTC)

    return after


def _zone() -> ZoneInfo:
    name = os.environ.get("WEBSITE_TIME_ZONE") or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"WEBSITE_TIME_ZONE names the zone '{name}', which is not known.") from None
