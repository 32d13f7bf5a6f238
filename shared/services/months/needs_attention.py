"""Everything that needs a person, in one list by hours at stake (domain.md 2.20)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.months.month_facts import MonthFactsRepository
from shared.domain.identity.caller import Caller
from shared.domain.months.attention import Attention, AttentionKind, unapplied_modifications
from shared.domain.months.overlaps import distinct
from shared.schemas.attention import AttentionListQuery, AttentionResource
from shared.schemas.category_reports import EventRange
from shared.schemas.paging import Place, Slice
from shared.services.categories.scope import Scope, read_scope
from shared.services.months.attention import attention
from shared.services.months.resources import attention_fields
from shared.settings import Settings

#: The largest number of questions, and of findings, in a list: the earliest ones in the calendar.
_MOST_ASKED: Final = 500
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What is open stays open, however old it is.
_ALWAYS: Final = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
_NAMES: Final = UUID("8d0cf3a4-6a0b-4f4b-9a52-0f3d5f1f7a10")
_MOST_SECONDS: Final = 2**31 - 1


class NeedsAttentionService:
    """Reads the list. Nothing is stored: it always shows the present archive."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def page(self, caller: Caller, query: AttentionListQuery) -> Slice[AttentionResource, Place]:
        """A page of what needs a person, most hours at stake first.

        Others see nothing of the person's private events (domain.md 6.3). Raises ValidationFailed naming
        ``cursor`` or the end of a range that is too long, and as ``read_scope`` does.
        """
        after = Place.of(query.cursor)
        async with self._database.session() as session:
            scope = await read_scope(
                session, caller, self._range(query), query.user_id, self._settings.max_window_days
            )
            found = [] if scope is None else await self._attention(session, scope, query)
        placed = sorted(
            (
                (_place(each, name), each)
                for each in found
                if query.kind is None or each.kind is query.kind
                for name in (_id(each),)
            ),
            key=lambda entry: (entry[0].number, entry[0].id),
        )
        behind = [
            entry
            for entry in placed
            if after is None or (entry[0].number, entry[0].id) > (after.number, after.id)
        ]
        page = Slice.cut(behind[: query.limit + 1], query.limit, lambda entry: entry[0])
        return Slice([_resource(each, place.id) for place, each in page.rows], page.next)

    async def _attention(
        self, session: AsyncSession, scope: Scope, query: AttentionListQuery
    ) -> list[Attention]:
        facts = MonthFactsRepository(session)
        events = await facts.events(scope.view)
        if query.first_day is None:
            start, end = _ALWAYS
            ranges = tuple(replace(each, start=start, end=end) for each in scope.view.ranges)
            scope = replace(scope, view=replace(scope.view, ranges=ranges))
        overlaps = distinct(await facts.overlaps(scope.view, query.configuration_id, events))
        return await attention(
            session,
            scope,
            query.configuration_id,
            events,
            overlaps,
            unapplied_modifications(events),
            most=_MOST_ASKED,
        )

    def _range(self, query: AttentionListQuery) -> EventRange:
        today: date = self._clock.now().date()
        # By then, today is over in every zone.
        last = query.last_day or today + _DAY
        first = query.first_day or last - (self._settings.max_window_days - 1) * _DAY
        return EventRange(first_day=first, last_day=last, configuration_id=query.configuration_id)


def _place(each: Attention, name: UUID) -> Place:
    """Its position: most hours first, then the earliest."""
    seconds = min(int(each.time.total_seconds()), _MOST_SECONDS)
    minutes = max(0, (each.first - _EPOCH) // timedelta(minutes=1))
    return Place((_MOST_SECONDS - seconds) << 32 | min(minutes, 2**32 - 1), name)


def _id(each: Attention) -> UUID:
    about = each.about or ",".join(sorted(str(key) for key in each.appointments)) or each.name
    return uuid5(_NAMES, f"{each.kind}:{about}")


def _resource(each: Attention, name: UUID) -> AttentionResource:
    return AttentionResource(id=name, urls=_urls(each), **attention_fields(each))


def _urls(each: Attention) -> list[str]:
    match each.kind:
        case AttentionKind.OVERLAP:
            return [f"/api/v1/overlaps/{each.about}"]
        case AttentionKind.QUESTION:
            return [f"/api/v1/action-items/{each.about}"]
        case AttentionKind.FINDING:
            return [f"/api/v1/verifications/{each.found_by}/findings"]
    return [f"/api/v1/appointments/{key}" for key in each.appointments]
