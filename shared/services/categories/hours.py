"""Hours by customer, and by day, week and month (domain.md 2.18, 3.5)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.database.engine import Database
from shared.database.repositories.categories.category_facts import CategoryFactsRepository, EventGroup, View
from shared.domain.appointments.counting import NOT_TAKEN_PLACE, WITHOUT_HOURS, WhyNot
from shared.domain.categories.category import CategoryStatus, classify, customer_key
from shared.domain.categories.statistics import (
    CategoryStatistics,
    CountedEvent,
    Tally,
    category_statistics,
    statistics_by_period,
    tally,
    tally_by_period,
)
from shared.domain.identity.caller import Caller
from shared.domain.times.periods import PeriodKind, first_day_of, local_day, periods_between
from shared.domain.times.zones import find_zone
from shared.errors import FieldError, ValidationFailed
from shared.schemas.category_reports import (
    CustomerLine,
    NotCounted,
    StatisticsPeriod,
    StatisticsQuery,
    StatisticsResource,
    StatisticsTotals,
    TallyResource,
)
from shared.services.categories.scope import UTC_ZONE, Scope, read_scope
from shared.settings import Settings

_INSTANT: Final = timedelta(microseconds=1)
_NOTHING: Final = Tally()


@dataclass(frozen=True, slots=True)
class _Counted:
    """What counts in a range, by categories. ``doubtful`` events are in no total."""

    groups: Sequence[tuple[CategoryStatus, tuple[CountedEvent, ...]]]
    doubtful: Sequence[CountedEvent]
    private: Sequence[CountedEvent]


class CategoryHours:
    """Adds up what counts. ``shared/domain/appointments/counting.py`` decides what counts."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def statistics(self, caller: Caller, query: StatisticsQuery) -> StatisticsResource:
        """Counts and hours of the range. With ``group_by``, also of each period.

        Raises NotFound and ValidationFailed as ``read_scope`` does, and ValidationFailed naming
        ``time_zone``.
        """
        zone = zone_of(query.time_zone)
        async with self._database.session() as session:
            scope = await read_scope(
                session, caller, query, query.user_id, self._settings.max_window_days, zone
            )
            groups = [] if scope is None else await CategoryFactsRepository(session).groups(scope.view)
        shown = [group for group in groups if not group.hidden]
        counted = _counted(groups, query.customer)
        reasons = _reasons(shown, query.customer)
        found = category_statistics(counted.groups)
        return StatisticsResource(
            **_totals(found, tally(counted.doubtful), tally(counted.private), customer=query.customer),
            user_id=None if scope is None else scope.owner.id,
            time_zone=(zone or UTC_ZONE).key if scope is None else scope.zone.key,
            not_counted=[
                NotCounted(reason_code=each, count=reasons[each]) for each in WhyNot if reasons[each]
            ],
            without_hours=sum(reasons[each] for each in WITHOUT_HOURS),
            not_taken_place=sum(reasons[each] for each in NOT_TAKEN_PLACE),
            periods=None
            if query.group_by is None
            else _periods(query.group_by, scope, counted, query.customer),
        )


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone in a query, or None. Raises ValidationFailed naming ``time_zone``."""
    if name is None:
        return None
    found = find_zone(name)
    if found is None:
        raise ValidationFailed([FieldError("time_zone", "is not a known time zone", "time_zone_unknown")])
    return found


def _counted(groups: Iterable[EventGroup], customer: str | None) -> _Counted:
    key = None if customer is None else customer_key(customer)
    found: list[tuple[CategoryStatus, tuple[CountedEvent, ...]]] = []
    doubtful: list[CountedEvent] = []
    private: list[CountedEvent] = []
    for group in groups:
        if group.hidden:
            private += group.counted
            continue
        status = classify(group.categories)
        if key is None or (status.category is not None and status.category.key == key):
            found.append((status, group.counted))
        elif any(category.key == key for category in status.valid):
            doubtful += group.counted
    return _Counted(found, doubtful, private)


def _reasons(groups: Iterable[EventGroup], customer: str | None) -> Counter[WhyNot]:
    key = None if customer is None else customer_key(customer)
    reasons: Counter[WhyNot] = Counter()
    for group in groups:
        named = key is None or key in {category.key for category in classify(group.categories).valid}
        if group.why_not is not None and named:
            reasons[group.why_not] += group.events
    return reasons


def _periods(
    kind: PeriodKind, scope: Scope | None, counted: _Counted, customer: str | None
) -> list[StatisticsPeriod]:
    if scope is None or not scope.view.ranges:
        return []

    def period_of(instant: datetime) -> date:
        return first_day_of(kind, local_day(instant, scope.zone))

    found = statistics_by_period(counted.groups, period_of)
    doubtful = tally_by_period(counted.doubtful, period_of)
    private = tally_by_period(counted.private, period_of)
    first, last = _days(scope.view, scope.zone)
    return [
        StatisticsPeriod(
            **_totals(
                found.get(each.first_day, CategoryStatistics()),
                doubtful.get(each.first_day, _NOTHING),
                private.get(each.first_day, _NOTHING),
                customer=customer,
            ),
            name=each.name,
            first_day=each.first_day,
            last_day=each.last_day,
        )
        for each in periods_between(kind, first, last)
    ]


def _days(view: View, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last local day that the ranges touch."""
    first = min(each.start for each in view.ranges)
    last = max(each.end for each in view.ranges) - _INSTANT
    return local_day(first, zone), local_day(last, zone)


def _totals(
    found: CategoryStatistics, doubtful: Tally, private: Tally, *, customer: str | None
) -> dict[str, Any]:
    ambiguous = found.ambiguous if customer is None else doubtful
    totals = StatisticsTotals(
        ambiguous=tally_resource(ambiguous),
        lines=[
            CustomerLine(
                customer=line.customer,
                billing_type=line.billing_type,
                special=line.special,
                **tally_resource(line.tally).model_dump(),
            )
            for line in found.lines
        ],
        personal=tally_resource(found.personal),
        invalid=tally_resource(found.invalid),
        special=tally_resource(found.special),
        without_category=tally_resource(found.uncategorised),
        private=tally_resource(private),
        source_deleted=tally_resource(found.source_deleted),
        total=tally_resource(found.total),
    )
    return dict(totals)


def tally_resource(found: Tally) -> TallyResource:
    return TallyResource(count=found.count, hours=float(found.hours), net_hours=float(found.net_hours))
