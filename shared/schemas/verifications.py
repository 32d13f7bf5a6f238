"""Verifications: source, record and archive calendar compared (domain.md 2.15)."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.domain.identity.disclosure import PRIVATE
from shared.domain.verifying.verification import FindingReason
from shared.schemas.base import Resource, columns_of
from shared.schemas.paging import PageQuery
from shared.schemas.window import WindowWish

if TYPE_CHECKING:
    from shared.database.models.verifications import Verification, VerificationFinding

#: Fields that are not read unchanged from a finding's row.
_BESIDE = ("fields", "copy_ids", "appointment_id", "subject")

type FindingKindName = Literal["missing", "doubled", "edited", "unknown", "source_changed"]


class VerificationStart(WindowWish):
    """The half-open window ``[window_start, window_end)``. Without it, the last archived time."""


class FindingCounts(Resource):
    """The number of differences of each kind."""

    missing: int = 0
    doubled: int = 0
    edited: int = 0
    unknown: int = 0
    source_changed: int = 0


class VerificationBalance(Resource):
    """Why the totals differ, by reason.

    ``copies`` are ``records``, less ``records_without_copy``, plus ``copies_without_record``. The same is
    true for ``source_events``. For another person's calendar, reasons that depend on events' words are one
    number, ``set_aside`` (domain.md 6.3). ``unread`` could not be read in the ``source`` or the ``archive``.
    """

    records_without_copy: dict[str, int] = Field(
        default_factory=dict,
        examples=[{"consumed": 1, "merged": 2}],
        description="As the record says: merged, consumed, left_out, flagged, removed_by_owner, "
        "source_deleted. By what became of the write: failed, locked, conflict, cancelled, not_written. "
        "Else: being_written, missing, unread, or copy_elsewhere (its owner moved it in time).",
    )
    copies_without_record: dict[str, int] = Field(
        default_factory=dict,
        examples=[{"unknown": 1}],
        description="unknown, another_configuration, second_copies, recorded_elsewhere (at another time).",
    )
    records_without_source: dict[str, int] = Field(
        default_factory=dict, description="source_deleted, not_in_calendar, unread."
    )
    sources_without_record: dict[str, int] = Field(
        default_factory=dict, description="not_archived, recorded_elsewhere (at another time)."
    )
    unread: dict[str, int] = Field(default_factory=dict, examples=[{"source": 1, "archive": 0}])

    @classmethod
    def of(cls, explained: Mapping[str, dict[str, int]], *, own: bool) -> Self:
        """From the stored form. ``own``: the reader is the person whose events they are."""
        values = {part: dict(counts) for part, counts in explained.items()}
        if not own:
            counts = values.get("records_without_copy", {})
            aside = sum(counts.pop(name, 0) for name in _BY_WORDS)
            if aside:
                counts["set_aside"] = aside
        return cls(**values)


_BY_WORDS = ("merged", "consumed", "left_out", "flagged")


class VerificationResource(Resource):
    """One verification. ``found`` is set once it is over, ``reason`` if it could not continue."""

    id: UUID
    configuration_id: UUID
    user_id: UUID
    window_start: datetime
    window_end: datetime
    status: Literal["queued", "running", "completed", "failed"]
    progress: int = Field(description="Percent; it never goes down.", ge=0, le=100)
    source_events: int = Field(description="Source events compared so far.")
    records: int = Field(description="Records compared so far.")
    copies: int = Field(description="Events of the archive calendar compared so far.")
    explained: VerificationBalance | None = Field(description="Why these three numbers differ.")
    found: FindingCounts | None
    reason: str | None
    requested_by: str
    correlation_id: str
    graph_requests: int
    round_trips: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, verification: "Verification", *, own: bool) -> Self:
        """The resource of a row. ``own``: the reader is the person whose events were compared."""
        columns = columns_of(verification, cls, "found", "explained")
        explained = verification.explained
        counts = verification.counts
        return cls(
            **columns,
            explained=None if explained is None else VerificationBalance.of(explained, own=own),
            found=None if counts is None else FindingCounts(**counts),
        )


class FindingListQuery(PageQuery):
    """Selects findings."""

    kind: FindingKindName | None = None


class FindingResource(Resource):
    """One difference, without contents of the source or the copy.

    A finding about another person's private event shows only when it starts (6.3).
    """

    id: UUID
    verification_id: UUID
    kind: FindingKindName | None
    reason_code: FindingReason | None
    appointment_id: UUID | None
    subject: str | None = Field(
        description="Subject of the event; “Private” for another person's private event, null if unknown."
    )
    source_key: str | None
    copy_id: str | None
    start: datetime
    fields: list[str] = Field(description="What an edited copy says differently.", examples=[["subject"]])
    copy_ids: list[str] = Field(description="All copies of a doubled one.")
    status: Literal["open", "putting_back", "put_back", "adopted"]
    run_id: UUID | None = Field(description="The run that puts it back.")
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None

    @classmethod
    def of(
        cls, finding: "VerificationFinding", *, shown: bool, about: tuple[UUID, str] | None = None
    ) -> Self:
        """The resource of a row. Not ``shown`` if its event is another person's private one.

        ``about`` are the appointment and subject of the finding, if recorded.
        """
        detail: dict[str, Any] = finding.detail
        columns = columns_of(
            finding, cls, *_BESIDE, reason_code="reason", start="starts_at", created_at="found_at"
        )
        if not shown:
            columns |= dict.fromkeys(("kind", "reason_code", "source_key", "copy_id"))
            return cls(**columns, fields=[], copy_ids=[], appointment_id=None, subject=PRIVATE)
        appointment_id, subject = about or (None, None)
        return cls(
            **columns,
            fields=detail.get("fields", []),
            copy_ids=detail.get("copies", []),
            appointment_id=appointment_id,
            subject=subject,
        )
