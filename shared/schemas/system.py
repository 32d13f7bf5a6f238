"""Settings of a tenant and the health of the whole system, for its Admins."""

from datetime import datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.base import Changes, Line, Resource
from shared.settings import MOST_CATEGORY_RULES

type FirstSignInPolicy = Literal["off", "invitation", "automatic"]
type ComponentStatus = Literal["healthy", "degraded", "failing", "not_configured"]

_MOST_WORDS = 100


def _iana(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise PydanticCustomError("time_zone_unknown", "is no IANA time zone") from None
    return value


type ZoneName = Annotated[Line, Field(max_length=64), AfterValidator(_iana)]
type TravelWord = Annotated[Line, Field(max_length=50)]

_LOOKBACK = "Days that each night re-plans, of a new archive configuration."
_NIGHTLY = "Local time at which a new archive configuration runs every night."
_ZONE = "IANA zone of a new archive configuration that names none."
_WORDS = "Whole words that make an event a journey, in subject or category."
_EXPIRY = "Days after which an overlap that nobody resolved is archived as it is."
_CONFIGURATIONS = "The most archive configurations of one person. Those above a lowered limit stay."
_CALENDARS = "The most local calendars of one person. Those above a lowered limit stay."
_EVENTS = "The most local events that one person may enter; archived copies do not count."
_RULES = "The most category rules of one person. Those above a lowered limit stay."
_EXPORTS = "The most exports of one person's data within 24 hours; failed ones do not count."
_SIGN_IN = "What becomes of a person of the tenant who signs in and is no user yet."


class SystemSettingsUpdate(Changes):
    """Settings to change. null restores the installation's default."""

    default_lookback_days: Annotated[int, Field(ge=0, le=60)] | None = Field(
        default=None, description=_LOOKBACK
    )
    nightly_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = Field(
        default=None, description=_NIGHTLY, examples=["02:00"]
    )
    default_time_zone: ZoneName | None = Field(default=None, description=_ZONE, examples=["Europe/Berlin"])
    travel_words: Annotated[tuple[TravelWord, ...], Field(max_length=_MOST_WORDS, strict=False)] | None = (
        Field(default=None, description=_WORDS, examples=[["travel", "flight"]])
    )
    overlap_expiry_days: Annotated[int, Field(ge=1, le=365)] | None = Field(default=None, description=_EXPIRY)
    first_sign_in: FirstSignInPolicy | None = Field(default=None, description=_SIGN_IN)
    max_archive_configurations: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None, description=_CONFIGURATIONS
    )
    max_local_calendars: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None, description=_CALENDARS
    )
    max_local_events: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description=_EVENTS
    )
    max_category_rules: Annotated[int, Field(ge=1, le=MOST_CATEGORY_RULES)] | None = Field(
        default=None, description=_RULES
    )
    max_exports_per_day: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description=_EXPORTS
    )

    @model_validator(mode="after")
    def _words_once(self) -> Self:
        words = [word.casefold() for word in self.travel_words or ()]
        if len(words) != len(set(words)):
            raise PydanticCustomError("repeated", "names a word twice", {"field": "travel_words"})
        return self


class SystemSettingsResource(Resource):
    """The tenant's settings in force."""

    default_lookback_days: int = Field(description=_LOOKBACK)
    nightly_at: str = Field(description=_NIGHTLY)
    default_time_zone: str = Field(description=_ZONE)
    travel_words: tuple[str, ...] = Field(description=_WORDS)
    overlap_expiry_days: int = Field(description=_EXPIRY)
    first_sign_in: FirstSignInPolicy = Field(description=_SIGN_IN)
    max_archive_configurations: int = Field(description=_CONFIGURATIONS)
    max_local_calendars: int = Field(description=_CALENDARS)
    max_local_events: int = Field(description=_EVENTS)
    max_category_rules: int = Field(description=_RULES)
    max_exports_per_day: int = Field(description=_EXPORTS)
    chosen: tuple[str, ...] = Field(description="The fields that the tenant set itself.")
    version: int
    updated_by: str | None
    updated_at: datetime | None


class Component(Resource):
    """One thing that the system needs. Nothing in it is secret."""

    name: Literal[
        "database",
        "graph",
        "token_service",
        "storage",
        "durable",
        "durable_backlog",
        "job_lateness",
        "mail",
        "archive_runs",
    ]
    status: ComponentStatus
    milliseconds: float = Field(description="How long the answer took.")
    reason: str | None = Field(description="Why it is not healthy.")
    measures: dict[str, float] = Field(description="Counts, and ages in seconds.")
    last_success_at: datetime | None = Field(description="Of this instance, UTC.")
    last_error: str | None = Field(description="Class of the newest failure of this instance.")
    last_error_at: datetime | None


class SystemHealth(Resource):
    """The health of the whole system. Counts are those of the caller's tenant."""

    status: Literal["healthy", "degraded", "failing"]
    checked_at: datetime
    version: str
    commit: str | None
    schema_revision: str | None
    schema_expected: str
    components: tuple[Component, ...]


class DoctorCheck(Resource):
    """One thing that the installation needs, and what to do if it is wrong."""

    name: Literal[
        "graph_consent",
        "mailbox_scope",
        "clock",
        "database_role",
        "database_schema",
        "storage",
        "durable",
        "webhook",
    ]
    status: Literal["ok", "wrong", "unknown", "not_configured"]
    detail: str = Field(description="What was found; nothing secret.")
    remedy: str | None = Field(description="What an administrator does; null where nothing is wrong.")


class DoctorReport(Resource):
    """Whether the installation is set up correctly."""

    ok: bool = Field(description="Whether nothing is wrong or unknown.")
    checked_at: datetime
    checks: tuple[DoctorCheck, ...]
