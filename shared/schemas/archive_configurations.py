"""Archive configurations: which calendar is archived where, in which zone and when (domain.md 1, 2)."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Changes, Day, Input, Line, Resource, absent, columns_of
from shared.schemas.paging import PageQuery

if TYPE_CHECKING:
    from shared.database.models.configurations import ArchiveConfiguration, Job

type LocalTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["02:00"])]
type PurposeName = Literal["general", "timesheet"]
type OverlapPolicyName = Literal["keep_all", "flag", "auto"]
type WeekDay = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class DailySchedule(Input):
    """Every day at a local time."""

    kind: Literal["daily"]
    at: LocalTime


class WeeklySchedule(Input):
    """On days of the week at a local time."""

    kind: Literal["weekly"]
    at: LocalTime
    days: Annotated[list[WeekDay], Field(min_length=1, max_length=7)]


class MonthlySchedule(Input):
    """On a day of the month. 29 to 31 mean the last day of a shorter month (domain.md 8.1)."""

    kind: Literal["monthly"]
    at: LocalTime
    day_of_month: Annotated[int, Field(ge=1, le=31)]


class ManualSchedule(Input):
    """Never runs automatically."""

    kind: Literal["manual"]


type Schedule = Annotated[
    DailySchedule | WeeklySchedule | MonthlySchedule | ManualSchedule, Field(discriminator="kind")
]


class ArchiveConfigurationCreate(Input):
    """A configuration to add. ``source`` and ``archive`` are calendar references (domain.md 1)."""

    user_id: UUID = Field(description="Whose configuration it is.")
    name: Line
    source: Annotated[Line, Field(examples=["msgraph://ada@example.com/calendar"])]
    archive: Annotated[Line, Field(examples=["msgraph://ada@example.com/calendars/Archive"])]
    time_zone: Annotated[Line, Field(max_length=64)] | None = Field(
        default=None,
        description="IANA or Windows zone name; the tenant's default if null.",
        examples=["Europe/Berlin"],
    )
    purpose: PurposeName = Field(
        default="general",
        description="A timesheet takes only billable, non-billable and travel time (domain.md 2.7).",
    )
    overlap_policy: OverlapPolicyName | None = Field(
        default=None,
        description="keep_all archives all of a group of overlapping events; flag none until its owner "
        "decided; auto applies the rules and flags what remains. If null: auto for a timesheet, keep_all "
        "otherwise.",
    )
    all_day_counts: bool = Field(default=False, description="Whether busy all-day events can overlap others.")
    privacy_automation: bool = Field(
        default=False, description="Mark the copies of personal events and of travel as private."
    )
    out_of_office: bool = Field(default=False, description="Show the copies as out of office.")
    archive_from: Day | None = Field(
        default=None, description="First local date archived; the first day of the previous month if null."
    )
    lookback_days: Annotated[int, Field(ge=0, le=60)] | None = None
    create_archive_calendar: bool = Field(
        default=False, description="Create the archive calendar if the mailbox has none of that name."
    )
    is_default: bool = False
    schedule: Schedule | None = Field(default=None, description="Every night, at the tenant's time, if null.")


class ArchiveConfigurationUpdate(Changes):
    """The changes of a configuration. For other calendars, add another configuration."""

    name: Line = Field(default_factory=absent)
    time_zone: Annotated[Line, Field(max_length=64, description="IANA or Windows zone name.")] = Field(
        default_factory=absent
    )
    archive_from: Day = Field(
        default_factory=absent, description="First local date archived; only before archiving has begun."
    )
    lookback_days: Annotated[int, Field(ge=0, le=60)] = Field(default_factory=absent)
    overlap_policy: OverlapPolicyName = Field(
        default_factory=absent, description="What is archived already stays archived."
    )
    all_day_counts: bool = Field(default_factory=absent)
    privacy_automation: bool = Field(default_factory=absent)
    out_of_office: bool = Field(default_factory=absent)
    schedule: Schedule = Field(default_factory=absent)


class ArchiveConfigurationListQuery(PageQuery):
    """Parameters of the list. The default is the caller's own; for Admins and Auditors, the tenant's."""

    user_id: UUID | None = None


class ArchiveConfigurationResource(Resource):
    """A configuration with its schedule."""

    id: UUID
    user_id: UUID
    name: str
    source: str
    source_calendar_id: str
    archive: str
    archive_calendar_id: str
    archive_gone_since: datetime | None = Field(
        description="Since when the archive calendar is known not to exist any more. While it is set, POST "
        "archive-configurations/{id}/rebuild creates it and every copy again from our record."
    )
    archive_in_use: bool = Field(
        description="True while an older configuration archives the same source into the same calendar. This "
        "one is paused and can neither run nor be activated until that one is deleted."
    )
    time_zone: str
    purpose: PurposeName
    overlap_policy: OverlapPolicyName
    all_day_counts: bool
    privacy_automation: bool
    out_of_office: bool
    is_default: bool
    active: bool
    archive_from: date
    archived_until: datetime | None
    lookback_days: int
    schedule: Schedule
    next_run_at: datetime | None = Field(description="null if no run starts automatically.")
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, configuration: "ArchiveConfiguration", job: "Job") -> Self:
        """The resource of a configuration and its job."""
        columns = columns_of(
            configuration,
            cls,
            *("schedule", "next_run_at"),
            source="source_reference",
            archive="archive_reference",
        )
        columns["schedule"] = job.schedule
        return cls(**columns, next_run_at=None if job.paused else job.next_run_at)
