"""The month of a person, from the archive (domain.md 2.20)."""

from collections import Counter
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.months.month_facts import MonthFactsRepository
from shared.domain.identity.caller import Caller
from shared.domain.months.attention import unapplied_modifications
from shared.domain.months.month import WorkingTime, month_of
from shared.domain.months.overlaps import distinct
from shared.domain.times.periods import local_day
from shared.errors import FieldError, ValidationFailed
from shared.schemas.category_reports import EventRange
from shared.schemas.months import WEEKDAYS, MonthQuery, MonthResource
from shared.services.categories.hours import zone_of
from shared.services.categories.scope import Scope, read_scope, scope_of
from shared.services.months.attention import attention
from shared.services.months.resources import MonthParts, empty_month, month_resource
from shared.settings import Settings

_DAY: Final = timedelta(days=1)
# The previous month is read too, and dates begin with 1900.
_FIRST_YEAR, _LAST_YEAR = 1901, 2199


class MonthService:
    """Reads months. Nothing is stored: a month always shows the present archive."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def month(self, caller: Caller, name: str, query: MonthQuery) -> MonthResource:
        """The month of that name, ``yyyy-mm``.

        Only the times of another person's private events are shown (domain.md 6.3). Raises ValidationFailed
        naming ``month`` or ``time_zone``, and as ``read_scope`` does.
        """
        first_day = first_day_of_month(name)
        zone = zone_of(query.time_zone)
        async with self._database.session() as session:
            scope = await read_scope(
                session,
                caller,
                _range(first_day, query.configuration_id),
                query.user_id,
                self._settings.max_window_days,
                zone,
            )
            if scope is None:
                return empty_month(first_day, zone, query)
            before = await scope_of(
                session,
                caller,
                scope.owner,
                _range((first_day - _DAY).replace(day=1), query.configuration_id),
                zone,
            )
            parts = await self._parts(session, first_day, scope, before, query)
        return month_resource(parts)

    async def _parts(
        self, session: AsyncSession, first_day: date, scope: Scope, before: Scope, query: MonthQuery
    ) -> MonthParts:
        facts = MonthFactsRepository(session)
        events = await facts.events(scope.view)
        earlier = await facts.events(before.view)
        overlaps = distinct(await facts.overlaps(scope.view, query.configuration_id, events))
        unapplied = unapplied_modifications(events)
        needed = await attention(session, scope, query.configuration_id, events, overlaps, unapplied)
        working = await self._working(session, scope, query)
        return MonthParts(
            owner=scope.owner,
            zone=scope.zone,
            month=month_of(first_day, events, earlier, scope.zone, working),
            events=events,
            overlaps=overlaps,
            unapplied=unapplied,
            attention=needed,
            reasons=Counter(
                event.why_not for event in events if event.why_not is not None and not event.hidden
            ),
            workday_hours=query.workday_hours,
        )

    async def _working(self, session: AsyncSession, scope: Scope, query: MonthQuery) -> WorkingTime:
        days = frozenset(WEEKDAYS.index(each) for each in WEEKDAYS if each in query.workdays.split(","))
        today = local_day(self._clock.now(), scope.zone)
        planned = await ArchiveRunRepository(session).extents_unscoped(
            [each.configuration_id for each in scope.view.ranges]
        )
        first = min((local_day(begins, scope.zone) for begins, _ in planned.values()), default=today)
        until = max((local_day(ends, scope.zone) for _, ends in planned.values()), default=today)
        return WorkingTime(days, timedelta(hours=query.workday_hours), first, min(until, today))


def first_day_of_month(name: str) -> date:
    """The first day of a month written ``yyyy-mm``. Raises ValidationFailed naming ``month``."""
    year, _, month = name.partition("-")
    written = name.isascii() and len(year) == 4 and len(month) == 2 and year.isdigit() and month.isdigit()
    if not written or not 1 <= int(month) <= 12:
        message = "must be a month like 2026-03"
        raise ValidationFailed([FieldError("month", message, "month_invalid")])
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
        message = f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}"
        raise ValidationFailed([FieldError("month", message, "out_of_range")])
    return date(int(year), int(month), 1)


def _range(first_day: date, configuration_id: UUID | None) -> EventRange:
    following = (first_day + 31 * _DAY).replace(day=1)
    return EventRange(first_day=first_day, last_day=following - _DAY, configuration_id=configuration_id)
