"""Archive runs: one execution for one configuration and one window (domain.md 1, 2.11, 2.13)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.domain.identity.disclosure import cost_tells
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.runs.run_progress import RunStep
from shared.domain.runs.unread import ListedUnread
from shared.schemas.base import Instant, Resource
from shared.schemas.paging import PageQuery, Place
from shared.schemas.run_reports import RunReport
from shared.schemas.window import WindowWish

if TYPE_CHECKING:
    from shared.database.models.runs import ArchiveRun
    from shared.database.repositories.archiving.listed_operations import WriteProblem

_RUN_COLUMNS = (
    *("id", "configuration_id", "kind", "mode", "window_start", "window_end", "cancel_requested"),
    *("requested_by", "correlation_id", "report", "graph_requests", "round_trips", "created_at"),
    *("started_at", "finished_at", "step", "progress"),
)
_PROBLEM_FIELDS = ("source_key", "action", "subject", "start", "appointment_id")


class ArchiveRunStart(WindowWish):
    """The half-open window ``[window_start, window_end)``. Without it, the next nightly window."""

    mode: Literal["normal", "replace"] = Field(
        default="normal",
        description="replace rewrites every copy of the window from its source, edited ones too; it needs "
        "the window (domain.md 2.10).",
    )


class RunProblem(Resource):
    """A write that did not happen, or whose effect is not known yet, and why (domain.md 2.12).

    Without ``operation_id``, it is an event that could not be read, so nothing was planned for it.
    """

    operation_id: UUID | None
    source_key: str
    subject: str | None = Field(
        description="Subject of the event; “Private” for another person's private event, null if unknown."
    )
    start: datetime | None = Field(description="When the event starts, UTC; null if unknown.")
    appointment_id: UUID | None
    action: OperationAction | Literal["read"]
    status: OperationState
    reason_code: str | None
    reason: str | None


class ArchiveRunSummary(Resource):
    """A run in a list. ``report`` has the outcomes of its events once it is finished.

    In another person's run, private events are one number of the report, ``private``, and in no other (6.3).
    """

    id: UUID
    configuration_id: UUID
    user_id: UUID
    kind: RunKind
    mode: RunMode
    window_start: datetime
    window_end: datetime
    status: RunState
    cancel_requested: bool
    step: RunStep | None = Field(description="What it is doing.", examples=["applying"])
    progress: int = Field(description="Percent; it never goes down.", ge=0, le=100)
    requested_by: str
    correlation_id: str
    report: RunReport | None
    reason_code: str | None = Field(
        description="Why it could not continue, if something can be done: archive_calendar_gone, "
        "mailbox_not_permitted, calendar_has_two_roles, user_deactivated, calendar_not_found, "
        "calendar_refused. After archive_calendar_gone, POST archive-configurations/{id}/rebuild creates "
        "calendar and copies again. The last two: Microsoft Graph refuses to read it, and the report's "
        "reason has Graph's code.",
        examples=["archive_calendar_gone"],
    )
    reason: str | None = Field(description="Why it could not continue, in words; null if nothing stopped it.")
    graph_requests: int | None = Field(
        description="Null for others than the person read where private events may have a part in it (6.3)."
    )
    round_trips: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def summary_of(cls, run: "ArchiveRun", *, own: bool) -> "ArchiveRunSummary":
        """The run without the parts that need further queries. ``own``: the reader is the person read."""
        return ArchiveRunSummary(**_columns(run, own=own))


class ArchiveRunResource(ArchiveRunSummary):
    """A run with its progress, and what it could not write."""

    writes_total: int
    writes_done: int
    problems: list[RunProblem]

    @classmethod
    def of(
        cls,
        run: "ArchiveRun",
        *,
        own: bool,
        writes_total: int = 0,
        writes_done: int = 0,
        problems: "Iterable[WriteProblem]" = (),
    ) -> Self:
        """The resource of a row. ``problems`` are rows of its operations, unreadable events first."""
        return cls(
            **_columns(run, own=own),
            writes_total=writes_total,
            writes_done=writes_done,
            problems=[_unreadable(event) for event in (run.plan or {}).get("unreadable_events", ())]
            + [
                RunProblem(
                    operation_id=row.id,
                    status=OperationState(row.state),
                    reason_code=row.error_code,
                    reason=row.error_detail,
                    **{key: getattr(row, key) for key in _PROBLEM_FIELDS},
                )
                for row in problems
            ],
        )


def _unreadable(event: ListedUnread) -> RunProblem:
    when = f"starts at {event['start']}" if event["start"] else "is in this window"
    if event["source_id"] is None:
        until = f" until {event['end']}" if event.get("end") else ""
        detail = f"What {when}{until} could not be read; which event it is, is not known."
    else:
        detail = f"The event that {when} could not be read, or not be understood."
    return RunProblem(
        operation_id=None,
        subject=None,
        start=datetime.fromisoformat(event["start"]) if event["start"] else None,
        appointment_id=None,
        source_key=f"?:{event['source_id'] or ''}",
        action="read",
        status=OperationState.FAILED,
        reason_code=event["code"],
        reason=detail,
    )


class ConfigurationRunsQuery(PageQuery):
    """Which runs of a configuration: of one status, of a time."""

    status: Annotated[RunState, Field(strict=False)] | None = Field(
        default=None, description="Only those of this status."
    )
    troubled: bool | None = Field(
        default=None,
        description="true: only runs that failed, or left something undone. false: only the others.",
    )
    created_from: Instant | None = Field(
        default=None,
        description="Only those asked for at this instant or later.",
        examples=["2026-03-01T20:00:00Z"],
    )
    created_before: Instant | None = Field(
        default=None,
        description="Only those asked for before this instant.",
        examples=["2026-03-02T06:00:00Z"],
    )


class ArchiveRunListQuery(ConfigurationRunsQuery):
    """Which runs: also of one person or of one configuration."""

    user_id: UUID | None = Field(
        default=None,
        description="Whose; if not given, the caller's own, or everybody's for Admins, Auditors.",
    )
    configuration_id: UUID | None = Field(default=None, description="Only those of this configuration.")


class ArchiveOperationListQuery(PageQuery):
    """Selects writes of a run."""

    status: Literal["planned", "sent", "done", "failed", "cancelled", "conflict", "locked"] | None = None

    @property
    def after_place(self) -> Place | None:
        """Where the page starts. Raises ValidationFailed naming ``cursor``."""
        return Place.of(self.cursor)


class ArchiveOperationResource(Resource):
    """One write to the archive calendar and its result, without contents."""

    id: UUID
    position: int
    source_key: str
    subject: str | None = Field(
        description="Subject of the event; “Private” for another person's private event, null if unknown."
    )
    start: datetime | None = Field(description="When the event starts, UTC; null if unknown.")
    appointment_id: UUID | None
    action: OperationAction
    status: OperationState
    reason_code: str | None
    reason: str | None
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: "Mapping[Any, Any]") -> Self:
        """The resource of an operation's row."""
        named = {"status": "state", "reason_code": "error_code", "reason": "error_detail"}
        return cls(**{name: row[named.get(name, name)] for name in cls.model_fields})


def _columns(run: "ArchiveRun", *, own: bool) -> dict[str, Any]:
    columns = {name: getattr(run, name) for name in _RUN_COLUMNS}
    if run.report is not None:
        columns["report"] = RunReport.of(run.report, own=own)
    under_way = run.report is None and run.started_at is not None
    if not own and (under_way or (run.report is not None and cost_tells(run.report))):
        columns |= {"graph_requests": None, "round_trips": None}
    return columns | {"user_id": run.owner_id, "status": run.state} | _why(run)


def _why(run: "ArchiveRun") -> dict[str, Any]:
    return {"reason_code": (run.plan or {}).get("code"), "reason": (run.report or {}).get("reason")}
