"""Category reports of the archive: validation, statistics, suggestions (domain.md 3.3 to 3.6)."""

from datetime import date, datetime
from typing import Annotated, Literal, LiteralString, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.category import BillingType, CategoryState, IssueKind, Special
from shared.domain.categories.suggestions import Relation
from shared.domain.times.periods import PeriodKind
from shared.schemas.base import Day, Input, Instant, Line, Resource
from shared.schemas.categories import CategoryName, IssueResource
from shared.schemas.paging import PageQuery

#: The largest number of events that one request categorises.
MOST_CHOICES = 100


_WHOSE = "Whose; the caller's own if not given."


class RangeFields(Input):
    """Two ways to select events: by instants, or by local days in each configuration's own zone.

    Events belong to their start, an all-day event to its local date (domain.md 2.2).
    """

    window_start: Instant | None = Field(default=None, examples=["2026-01-01T00:00:00Z"])
    window_end: Instant | None = Field(default=None, examples=["2026-02-01T00:00:00Z"])
    first_day: Day | None = Field(
        default=None, description="Instead of window_start and window_end: the first local day."
    )
    last_day: Day | None = Field(default=None, description="The last local day, included.")
    configuration_id: UUID | None = None

    def check_range(self) -> None:
        """Raise a validation error naming the field, unless exactly one of the two ways is used."""
        if self.first_day is None and self.last_day is None:
            first: date | None = self.window_start
            last: date | None = self.window_end
            names = ("window_start", "window_end")
        else:
            first, last, names = self.first_day, self.last_day, ("first_day", "last_day")
            if self.window_start is not None or self.window_end is not None:
                raise _blamed("first_day", "range_twice", "name instants or days, not both")
        for value, name in ((first, names[0]), (last, names[1])):
            if value is None:
                raise _blamed(name, "missing", "is required")
        if first is None or last is None or last < first or (last == first and names[0] == "window_start"):
            raise _blamed(names[1], "range_order", f"must be after {names[0]}")


def _blamed(field: str, code: LiteralString, message: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{message}", {"field": field, "message": message})


class EventRange(RangeFields):
    """A range of events."""

    @model_validator(mode="after")
    def _one_range(self) -> Self:
        self.check_range()
        return self


class ReportQuery(EventRange):
    """Whose events of which range."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)


class ValidationQuery(ReportQuery, PageQuery):
    """Parameters of the report."""

    category_status: Literal["personal", "invalid", "ambiguous", "without_hours"] | None = Field(
        default=None,
        description="Only events of this state. without_hours: a valid category, but no hours.",
    )


class StatisticsQuery(ReportQuery):
    """Parameters of the statistics."""

    customer: Line | None = Field(default=None, description="Only events of this customer.")
    group_by: Annotated[PeriodKind, Field(strict=False)] | None = Field(
        default=None, description="Also tell each day, ISO week or month of the range, in periods."
    )
    time_zone: Annotated[Line, Field(max_length=64)] | None = Field(
        default=None,
        description="IANA or Windows zone of the days. If not given, that of the configuration; of several, "
        "that of the default one.",
        examples=["Europe/Vienna"],
    )
    format: Literal["json", "csv"] | None = Field(
        default=None, description="The same as Accept: application/json or text/csv, and stronger."
    )


class SuggestionQuery(RangeFields, PageQuery):
    """Parameters: a range, or one appointment.

    From ``archive``: archived events. From ``calendar``: events of a configuration's source calendar that its
    archive does not have, at most 62 days.
    """

    source: Literal["archive", "calendar"] = "archive"

    appointment_id: UUID | None = Field(default=None, description="Only this one; then no range is named.")
    user_id: UUID | None = Field(default=None, description=_WHOSE)

    @model_validator(mode="after")
    def _one_range(self) -> Self:
        if self.appointment_id is None:
            self.check_range()
        return self


class CategoryFinding(Resource):
    """An event without one clear category, or with a valid one and no hours.

    Another person's private event shows only its times (6.3).
    """

    appointment_id: UUID
    configuration_id: UUID
    subject: str
    start: datetime
    end: datetime
    is_all_day: bool
    categories: list[str]
    category_status: CategoryState | None = Field(
        description="What its categories say. Null for what is private to another person."
    )
    counts: bool | None = Field(
        description="Whether it counts as time. Null for what is private to another person."
    )
    reason_code: WhyNot | None = Field(
        description="Why it counts as no time: all_day or free; null if it counts."
    )
    issues: list[IssueResource]


class IssueTotal(Resource):
    """The number of findings of one kind. An event may have several."""

    kind: IssueKind
    count: int


class ValidationTotals(Resource):
    """Events of the range that took place and are archived, by category state.

    - ``private`` are another person's, of which nothing is shown.
    - ``without_hours`` have a valid category and count no time, because they are all-day or free.
    - ``not_taken_place`` were cancelled or declined and need no category.
    """

    events: int
    valid: int
    personal: int
    invalid: int
    ambiguous: int
    private: int
    without_hours: int
    not_taken_place: int
    issues: list[IssueTotal]


class ValidationReport(Resource):
    """One page of findings, and the totals of the whole range.

    Ambiguous events come first, then all others by start.
    """

    items: list[CategoryFinding]
    next: str | None
    totals: ValidationTotals


class TallyResource(Resource):
    """The number of events that count as time, and their hours, two decimals."""

    count: int
    hours: float = Field(description="Gross: the hours of all events added up.")
    net_hours: float = Field(description="Net: a minute that several of these events cover counts once.")


class CustomerLine(TallyResource):
    """The events of one customer and billing type."""

    customer: str
    billing_type: BillingType
    special: Special | None


class StatisticsTotals(Resource):
    """Events and their hours. ``ambiguous``, ``lines``, ``personal`` and ``invalid`` add up to ``total``.

    The net hours of all customers can exceed the total's, if events of two customers overlap.
    """

    ambiguous: TallyResource = Field(
        description="Events with more than one valid category. They are in no line until someone decides."
    )
    lines: list[CustomerLine]
    personal: TallyResource
    invalid: TallyResource
    special: TallyResource = Field(description="Admin and break time; part of the lines.")
    without_category: TallyResource = Field(description="Personal and invalid together.")
    private: TallyResource = Field(
        description="Another person's private events. Their categories are theirs alone, so they are in no "
        "other number."
    )
    source_deleted: TallyResource = Field(
        description="Events that are gone from the source calendar; part of the total."
    )
    total: TallyResource


class StatisticsPeriod(StatisticsTotals):
    """One day, ISO week or month of the range. Events belong to the period in which they start.

    A minute that several events cover belongs to the first one. So the net hours of all periods add up to
    those of the range. A period at an edge contains only its part of the range.
    """

    name: str = Field(examples=["2026-03-02", "2026-W10", "2026-03"])
    first_day: date
    last_day: date


class NotCounted(Resource):
    """How many events do not count, for one reason."""

    reason_code: WhyNot
    count: int


class StatisticsResource(StatisticsTotals):
    """Events that count as time, and their hours, over all archives of a person or in one of them.

    An event counts fully in the range in which it starts. An event in several archives counts once. With
    ``customer``, the total is that customer's. ``ambiguous`` are then events that name this customer among
    others, and they are in no other number.
    """

    user_id: UUID | None
    time_zone: str = Field(description="The zone of days, weeks and months.")
    not_counted: list[NotCounted] = Field(description="Events that count as no time, by reason.")
    without_hours: int = Field(description="Those of them that are all-day or free.")
    not_taken_place: int = Field(description="Those of them that were cancelled or declined.")
    periods: list[StatisticsPeriod] | None = Field(description="Null where no group_by was asked for.")


class EvidenceResource(Resource):
    """This many past events that share ``match`` had the category."""

    relation: Relation
    match: str
    count: int
    last_used: datetime


class SuggestionResource(Resource):
    """A category for an event; by a rule of its owner, by their history, or by both."""

    category: str
    evidence: list[EvidenceResource]
    rule_id: UUID | None
    automatic: bool = Field(description="Whether applying the rules gives it without asking.")


class SuggestedEvent(Resource):
    """An event without one valid category, with candidates, best first.

    The first candidates of an ambiguous event are its own categories. An event that is not archived has no
    appointment, and ``event_id`` names it in its calendar.
    """

    appointment_id: UUID | None
    event_id: str | None
    configuration_id: UUID
    subject: str
    start: datetime
    end: datetime
    is_all_day: bool
    series_id: str | None = Field(description="What a rule for the series has to match.")
    categories: list[str]
    category_status: CategoryState | None
    issues: list[IssueResource]
    suggestions: list[SuggestionResource]


class SuggestedEvents(Resource):
    """One page of events: ambiguous ones first, then all others by start."""

    items: list[SuggestedEvent]
    next: str | None


class Choice(Input):
    """The owner's word: this event gets this category.

    An archived event is named by its appointment, another one by its configuration and its id in Outlook.
    """

    appointment_id: UUID | None = None
    event_id: Line | None = None
    configuration_id: UUID | None = Field(default=None, description="In whose source calendar the event is.")
    category: CategoryName

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.appointment_id is None) == (self.event_id is None):
            raise _blamed("appointment_id", "named_once", "name the appointment or the event, not both")
        if (self.event_id is None) != (self.configuration_id is None):
            raise _blamed(
                "configuration_id", "missing", "an event_id needs its configuration_id, and only that"
            )
        return self


class SuggestionsApply(Input):
    """What to apply: chosen categories, and in a range the owner's ``auto_apply`` rules."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)
    choices: Annotated[list[Choice], Field(max_length=MOST_CHOICES)] = Field(default_factory=list)
    rules: EventRange | None = Field(default=None, description="Apply the rules to the events of this range.")
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Where the rules continue: ``next`` of the answer before."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.choices and self.rules is None:
            raise PydanticCustomError("nothing_to_apply", "name a choice, or a range for the rules")
        if len({(each.appointment_id, each.event_id) for each in self.choices}) < len(self.choices):
            raise _blamed("choices", "chosen_twice", "names an event twice")
        return self


type ApplyOutcome = Literal[
    "applied", "unchanged", "has_category", "gone", "not_found", "changed_meanwhile", "failed"
]


class AppliedCategory(Resource):
    """The result for one event.

    - ``applied``: the event in the calendar has the category now; the next run archives it.
    - ``unchanged``: it had the category already.
    - ``has_category``: its owner gave it another category in between, which stays.
    - ``gone``, ``not_found``: the calendar, or the archive, has no such event that the caller may see.
    - ``changed_meanwhile``: somebody changed the event at the same moment.
    - ``failed``: ``reason_code`` is Graph's.
    """

    appointment_id: UUID | None
    event_id: str | None
    category: str
    rule_id: UUID | None
    outcome: ApplyOutcome
    reason_code: str


class AppliedCategories(Resource):
    """The result for each event. ``next`` is set while the rules' range continues: send it as ``cursor``."""

    items: list[AppliedCategory]
    next: str | None
