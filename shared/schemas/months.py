"""The month of a person: hours, open points, overlaps, modifications and every event (domain.md 2.20)."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.category import BillingType, CategoryState, Special
from shared.domain.months.attention import AttentionKind
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.planning.modifications import ModificationKind
from shared.schemas.base import Input, Line, Resource
from shared.schemas.category_reports import TallyResource
from shared.schemas.event_values import Importance, ShowAs

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
#: Monday first, as in ``date.weekday``.
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class MonthQuery(Input):
    """Whose month, and the length of a working day."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = Field(default=None, description="Only what this archive holds.")
    time_zone: Annotated[Line, Field(max_length=64)] | None = Field(
        default=None,
        description="IANA or Windows zone of the days. If not given, that of the configuration; of several, "
        "that of the default one.",
        examples=["Europe/Vienna"],
    )
    workday_hours: float = Field(
        default=8.0, ge=0, le=24, description="Hours of a working day; what is missing of them is told."
    )
    workdays: Annotated[
        str, Field(pattern="^(mon|tue|wed|thu|fri|sat|sun)(,(mon|tue|wed|thu|fri|sat|sun))*$", max_length=27)
    ] = Field(default="mon,tue,wed,thu,fri", description="The working days of the week.")
    format: Literal["json", "html", "csv"] | None = Field(
        default=None,
        description="The same as Accept: application/json, text/html or text/csv, and stronger.",
    )


class MonthFigures(Resource):
    """Hours of what counts. All gross hours except ``private`` add up to ``total``."""

    total: TallyResource
    billable: TallyResource
    non_billable: TallyResource
    without_category: TallyResource = Field(description="No category, or none that is valid.")
    ambiguous: TallyResource = Field(description="More than one valid category.")
    private: TallyResource = Field(description="Another person's private events; in no other number.")


class MonthWeek(MonthFigures):
    """The days of an ISO week that are in the month, both ends included."""

    name: str = Field(examples=["2026-W10"])
    first_day: date
    last_day: date


class MonthDay(MonthFigures):
    """One local day."""

    day: date
    workday: bool
    absent: bool = Field(description="An all-day event shows its owner out of office.")
    missing_hours: float = Field(description="Working hours of a day that is over, covered by nothing.")


class MonthCustomer(Resource):
    """The hours of one customer, and its net hours in the previous month."""

    customer: str
    special: Special | None
    billable: TallyResource
    non_billable: TallyResource
    total: TallyResource
    net_hours_before: float


class MonthBefore(MonthFigures):
    """The previous month, for comparison."""

    month: str = Field(examples=["2026-02"])


class MonthAttention(Resource):
    """Something that needs its owner. The list is sorted by hours at stake, most first."""

    kind: AttentionKind = Field(description="What sort of thing needs the person.")
    name: str = Field(description="What it is about: a subject, a category, the events of an overlap.")
    reason: str = Field(description="What is wrong, in words.")
    remedy: str = Field(description="What to do, in words.")
    hours: float = Field(description="The hours at stake.")
    count: int = Field(description="How many events it is about.")
    first_start: datetime
    last_start: datetime
    suggestion: str | None = Field(description="The category that was likely meant.")
    appointment_ids: list[UUID]
    overlap_id: UUID | None
    action_item_id: UUID | None
    verification_id: UUID | None = Field(
        description="Id of the verification that found it; null if it is no finding."
    )
    finding_id: UUID | None = Field(description="Id of the finding that it is about; null if it is none.")


class MonthOverlapMember(Resource):
    """An event of an overlap. Another person's private one shows only its times."""

    source_key: str
    appointment_id: UUID | None
    subject: str
    start: datetime
    end: datetime
    categories: list[str]
    show_as: ShowAs | None
    importance: Importance | None
    verdict: Verdict | None
    kept: bool | None
    counts: bool


class MonthProposal(Resource):
    """What the automatic rules would do. ``kept`` and ``dropped`` are keys of its members."""

    kept: list[str]
    dropped: list[str]
    reason: str


class MonthOverlapResource(Resource):
    """Events whose times intersect. ``proposal`` is null if no rule decides."""

    id: UUID
    configuration_id: UUID
    status: OverlapStatus
    start: datetime
    end: datetime
    note: str = Field(description="What became of it, in words.")
    hours_twice: float = Field(description="Hours that count more than once.")
    hours_waiting: float = Field(description="Hours that count nothing until somebody decides.")
    members: list[MonthOverlapMember]
    proposal: MonthProposal | None


class MonthModification(Resource):
    """A small event beside a meeting that changed its times."""

    kind: ModificationKind
    appointment_id: UUID | None
    subject: str = Field(description="The meeting's.")
    start: datetime
    end: datetime
    source_start: datetime
    source_end: datetime
    text: str = Field(description="What it changed, in words.")


class UnappliedModification(Resource):
    """A small event that changes no meeting, and why."""

    kind: ModificationKind
    appointment_id: UUID | None
    subject: str
    start: datetime
    end: datetime
    reason: str


class MonthEventResource(Resource):
    """An event that starts in the month. Another person's private one shows only its times and "Private"."""

    appointment_id: UUID | None
    configuration_id: UUID
    subject: str
    start: datetime
    end: datetime
    day: date = Field(description="The local day it belongs to.")
    is_all_day: bool
    categories: list[str]
    category_status: CategoryState | None
    customer: str | None
    billing_type: BillingType | None
    hours: float = Field(description="What it counts, gross.")
    net_hours: float = Field(
        description="What it counts, net: a minute that several events cover is the one's that starts first. "
        "All events add up to the net hours of `total`, private ones of another person to those of `private`."
    )
    counts: bool
    reason_code: WhyNot | None
    source_deleted: bool
    unresolved: bool
    overlaps: bool = Field(description="Whether it counts at the same time as another event of the month.")


class MonthNotCounted(Resource):
    """How many events do not count, for one reason."""

    reason_code: WhyNot
    count: int
    reason: str = Field(description="The reason in words.")


class MonthResource(MonthFigures):
    """A person's month, from the archive. Only what counts as time is added up."""

    user_id: UUID | None
    display_name: str
    month: str = Field(examples=["2026-03"])
    first_day: date
    last_day: date
    time_zone: str
    weeks: list[MonthWeek]
    days: list[MonthDay]
    customers: list[MonthCustomer] = Field(description="The most net hours first.")
    before: MonthBefore
    attention: list[MonthAttention]
    overlaps: list[MonthOverlapResource]
    modifications: list[MonthModification]
    unapplied_modifications: list[UnappliedModification]
    missing_hours: float = Field(description="Of all working days that are over.")
    workday_hours: float
    not_counted: list[MonthNotCounted] = Field(description="Events that count as no time, by reason.")
    events: list[MonthEventResource] = Field(description="By start.")
