"""A month in the form of the API."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.database.models.users import User
from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.statistics import CountedEvent, tally
from shared.domain.months.attention import Attention, AttentionKind, Unapplied
from shared.domain.months.month import (
    Customer,
    Day,
    Figures,
    Month,
    MonthEvent,
    Week,
    WorkingTime,
    billing_of,
    month_of,
    state_of,
)
from shared.domain.months.overlaps import MonthOverlap, MonthOverlapMember
from shared.domain.months.texts import WHY_NOT_WORDS, modification_text, overlap_note
from shared.domain.overlaps.groups import Interval, overlap_groups
from shared.domain.times.periods import PeriodKind, period
from shared.schemas import months
from shared.schemas.months import MonthQuery, MonthResource
from shared.services.categories.hours import tally_resource
from shared.services.categories.scope import UTC_ZONE

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MonthParts:
    """The parts of a month. ``reasons`` say why events count no time."""

    owner: User | None
    zone: ZoneInfo
    month: Month
    events: Sequence[MonthEvent]
    overlaps: Sequence[MonthOverlap]
    unapplied: Sequence[Unapplied]
    attention: Sequence[Attention]
    reasons: "Counter[WhyNot]"
    workday_hours: float


def empty_month(first_day: date, zone: ZoneInfo | None, query: MonthQuery) -> MonthResource:
    """The month of a caller who has no events."""
    own = zone or UTC_ZONE
    nothing = month_of(first_day, (), (), own, WorkingTime(frozenset(), timedelta(), first_day, first_day))
    return month_resource(MonthParts(None, own, nothing, (), (), (), (), Counter(), query.workday_hours))


def month_resource(parts: MonthParts) -> MonthResource:
    """The month in the form of the API."""
    month = parts.month
    before = period(PeriodKind.MONTH, (month.first_day - timedelta(days=1)).replace(day=1))
    shared_time, own_time = _overlapping(parts.events), _own_time(parts.events)
    return MonthResource(
        **_figures(month.figures),
        user_id=parts.owner.id if parts.owner is not None else None,
        display_name=parts.owner.display_name if parts.owner is not None else "",
        month=f"{month.first_day:%Y-%m}",
        first_day=month.first_day,
        last_day=month.last_day,
        time_zone=parts.zone.key,
        weeks=[_week(each) for each in month.weeks],
        days=[_day(each) for each in month.days],
        customers=[_customer(each) for each in month.customers],
        before=months.MonthBefore(**_figures(month.before), month=before.name),
        attention=[months.MonthAttention(**attention_fields(each)) for each in parts.attention],
        overlaps=[_overlap(each) for each in parts.overlaps],
        modifications=[each for event in parts.events for each in _modifications(event, parts.zone)],
        unapplied_modifications=[_unapplied(each) for each in parts.unapplied],
        missing_hours=_hours(month.missing),
        workday_hours=parts.workday_hours,
        not_counted=[
            months.MonthNotCounted(reason_code=each, count=parts.reasons[each], reason=WHY_NOT_WORDS[each])
            for each in WhyNot
            if parts.reasons[each]
        ],
        events=[
            _event(each, parts.zone, shared_time, own_time) for each in parts.events if each.id is not None
        ],
    )


def _hours(time: timedelta) -> float:
    return float(tally([CountedEvent(_EPOCH, _EPOCH + time)]).hours)


def _figures(found: Figures) -> dict[str, Any]:
    return {
        name: tally_resource(getattr(found, name))
        for name in ("total", "billable", "non_billable", "without_category", "ambiguous", "private")
    }


def _week(week: Week) -> months.MonthWeek:
    return months.MonthWeek(
        **_figures(week.figures), name=week.name, first_day=week.first_day, last_day=week.last_day
    )


def _day(day: Day) -> months.MonthDay:
    return months.MonthDay(
        **_figures(day.figures),
        day=day.day,
        workday=day.workday,
        absent=day.absent,
        missing_hours=_hours(day.missing),
    )


def _customer(customer: Customer) -> months.MonthCustomer:
    return months.MonthCustomer(
        customer=customer.customer,
        special=customer.special,
        billable=tally_resource(customer.billable),
        non_billable=tally_resource(customer.non_billable),
        total=tally_resource(customer.total),
        net_hours_before=float(customer.before.net_hours),
    )


def attention_fields(each: Attention) -> dict[str, Any]:
    """The fields of an entry in the month and in the complete list."""
    return {
        "kind": each.kind,
        "name": each.name,
        "reason": each.reason,
        "remedy": each.action,
        "hours": _hours(each.time),
        "count": each.count,
        "first_start": each.first,
        "last_start": each.last,
        "suggestion": each.suggestion,
        "appointment_ids": list(each.appointments),
        "overlap_id": each.about if each.kind is AttentionKind.OVERLAP else None,
        "action_item_id": each.about if each.kind is AttentionKind.QUESTION else None,
        "verification_id": each.found_by,
        "finding_id": each.about if each.kind is AttentionKind.FINDING else None,
    }


def _overlap(overlap: MonthOverlap) -> months.MonthOverlapResource:
    proposal = overlap.proposal()
    return months.MonthOverlapResource(
        id=overlap.id,
        configuration_id=overlap.configuration_id,
        status=overlap.status,
        start=overlap.start,
        end=overlap.end,
        note=overlap_note(overlap),
        hours_twice=_hours(overlap.twice),
        hours_waiting=_hours(overlap.waiting),
        members=[_member(each) for each in overlap.members],
        proposal=None
        if proposal is None
        else months.MonthProposal(
            kept=list(proposal.keep), dropped=list(proposal.drop), reason=proposal.reason
        ),
    )


def _member(member: MonthOverlapMember) -> months.MonthOverlapMember:
    return months.MonthOverlapMember(
        source_key=member.key,
        appointment_id=member.appointment_id,
        subject=member.subject,
        start=member.start,
        end=member.end,
        categories=list(member.categories),
        show_as=None if member.hidden else member.show_as,
        importance=None if member.hidden else member.importance,
        verdict=None if member.hidden else member.verdict,
        kept=None if member.hidden else member.kept,
        counts=member.counts,
    )


def _modifications(event: MonthEvent, zone: ZoneInfo) -> list[months.MonthModification]:
    return [
        months.MonthModification(
            kind=each.kind,
            appointment_id=event.id,
            subject=event.subject,
            start=event.start,
            end=event.end,
            source_start=event.source_start or event.start,
            source_end=event.source_end or event.end,
            text=modification_text(each, event.start, event.end, zone),
        )
        for each in event.modifications
    ]


def _unapplied(each: Unapplied) -> months.UnappliedModification:
    return months.UnappliedModification(
        kind=each.kind,
        appointment_id=each.event.id,
        subject=each.event.subject,
        start=each.event.start,
        end=each.event.end,
        reason=each.reason,
    )


def _event(
    event: MonthEvent,
    zone: ZoneInfo,
    shared_time: frozenset[UUID],
    own_time: Mapping[UUID | None, timedelta],
) -> months.MonthEventResource:
    category = None if event.hidden else event.status.category
    return months.MonthEventResource(
        appointment_id=event.id,
        configuration_id=event.configuration_id,
        subject=event.subject,
        start=event.start,
        end=event.end,
        day=event.day(zone),
        is_all_day=event.is_all_day,
        categories=list(event.categories),
        category_status=state_of(event),
        customer=category.customer if category is not None else None,
        billing_type=billing_of(event),
        hours=_hours(event.end - event.start) if event.counts else 0.0,
        net_hours=_hours(own_time.get(event.id, timedelta())),
        counts=event.counts,
        reason_code=None if event.hidden else event.why_not,
        source_deleted=event.source_deleted,
        unresolved=event.unresolved,
        overlaps=event.id in shared_time,
    )


def _own_time(events: Sequence[MonthEvent]) -> dict[UUID | None, timedelta]:
    """How long each event is the first that covers its minutes; others' private events separately.

    Their sums are what ``tally`` calls net.
    """
    covered_until: dict[bool, datetime] = {}
    own: dict[UUID | None, timedelta] = {}
    for event in sorted(events, key=lambda each: each.start):
        if event.counts:
            until = covered_until.get(event.hidden, event.start)
            own[event.id] = max(event.end - max(event.start, until), timedelta())
            covered_until[event.hidden] = max(event.end, until)
    return own


def _overlapping(events: Sequence[MonthEvent]) -> frozenset[UUID]:
    """Those that count at the same time as another one."""
    intervals = [
        Interval(str(event.id), event.start, event.end)
        for event in events
        if event.counts and event.id is not None and event.end > event.start
    ]
    return frozenset(UUID(each.key) for group in overlap_groups(intervals) for each in group)
