"""The month of a person, out of the archive (domain.md 2.20)."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.database.repositories.category_facts import CategoryFactsRepository
from shared.database.repositories.month_facts import MonthFactsRepository
from shared.domain.caller import Caller
from shared.domain.categories import CategoryState
from shared.domain.category_suggestions import Relation
from shared.domain.month import MonthEvent, WorkingTime, month_of
from shared.domain.month_attention import (
    Attention,
    LikelyCategory,
    attention_of,
    unapplied_modifications,
)
from shared.domain.month_overlaps import distinct
from shared.domain.periods import local_day
from shared.errors import FieldError, ValidationFailed
from shared.schemas.category_reports import EventRange, SuggestedEvent
from shared.schemas.months import WEEKDAYS, MonthQuery, MonthResource
from shared.services.categories.hours import zone_of
from shared.services.categories.scope import Scope, read_scope, scope_of
from shared.services.categories.suggestions import suggested
from shared.services.months.questions import open_questions
from shared.services.months.resources import MonthParts, empty_month, month_resource
from shared.settings import Settings

_DAY: Final = timedelta(days=1)
# The month before is read, too, and dates begin with 1900.
_FIRST_YEAR, _LAST_YEAR = 1901, 2199
_WORDS: Final = {
    Relation.SERIES: "of the same series",
    Relation.SUBJECT: "of the same name",
    Relation.DOMAIN: "with the same company",
    Relation.LOCATION: "at the same place",
}


class MonthService:
    """Reads months. Nothing is stored: a month is always what the archive holds now."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def month(self, caller: Caller, name: str, query: MonthQuery) -> MonthResource:
        """The month of that name, ``yyyy-mm``.

        Another person's private events are times alone (domain.md 6.3). Raises ValidationFailed naming
        ``month`` or ``time_zone``, and as ``read_scope`` does.
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
                _range(_month_before(first_day), query.configuration_id),
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
        attention = attention_of(
            events,
            overlaps,
            unapplied,
            await _likely(session, scope.owner, events, scope.view.viewer),
            await self._questions(session, scope, query.configuration_id),
        )
        working = await self._working(session, scope, query)
        return MonthParts(
            owner=scope.owner,
            zone=scope.zone,
            month=month_of(first_day, events, earlier, scope.zone, working),
            events=events,
            overlaps=overlaps,
            unapplied=unapplied,
            attention=attention,
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

    async def _questions(
        self, session: AsyncSession, scope: Scope, configuration_id: UUID | None
    ) -> list[Attention]:
        if not scope.view.ranges:
            return []
        start = min(each.start for each in scope.view.ranges)
        end = max(each.end for each in scope.view.ranges)
        return await open_questions(
            session, scope.owner.id, start, end, configuration_id, viewer=scope.view.viewer
        )


def first_day_of_month(name: str) -> date:
    """The first day of a month written ``yyyy-mm``; raises ValidationFailed naming ``month``."""
    year, _, month = name.partition("-")
    written = name.isascii() and len(year) == 4 and len(month) == 2 and year.isdigit() and month.isdigit()
    if not written or not 1 <= int(month) <= 12:
        message = "must be a month like 2026-03"
        raise ValidationFailed([FieldError("month", message, "month_format")])
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
        message = f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}"
        raise ValidationFailed([FieldError("month", message, "month_range")])
    return date(int(year), int(month), 1)


def _month_before(first_day: date) -> date:
    return (first_day - _DAY).replace(day=1)


def _range(first_day: date, configuration_id: UUID | None) -> EventRange:
    following = (first_day + 31 * _DAY).replace(day=1)
    return EventRange(first_day=first_day, last_day=following - _DAY, configuration_id=configuration_id)


async def _likely(
    session: AsyncSession, owner: User, events: Sequence[MonthEvent], viewer: UUID | None
) -> dict[UUID, LikelyCategory]:
    """The best suggestion for each event that counts without one valid category."""
    wanted = [
        event.id
        for event in events
        if event.id is not None
        and event.counts
        and not event.hidden
        and event.status.state in (CategoryState.PERSONAL, CategoryState.INVALID)
    ]
    if not wanted:
        return {}
    rows = await CategoryFactsRepository(session).get(owner.id, wanted, viewer=viewer)
    return {
        each.appointment_id: found
        for each in await suggested(session, owner, rows, viewer=viewer)
        if each.appointment_id is not None and (found := _best(each)) is not None
    }


def _best(event: SuggestedEvent) -> LikelyCategory | None:
    if not event.suggestions:
        return None
    best = event.suggestions[0]
    if not best.evidence:
        return LikelyCategory(best.category, "a rule of yours says so")
    evidence = best.evidence[0]
    meetings = "meeting" if evidence.count == 1 else "meetings"
    has = "has" if evidence.count == 1 else "have"
    return LikelyCategory(best.category, f"{evidence.count} {meetings} {_WORDS[evidence.relation]} {has} it")
