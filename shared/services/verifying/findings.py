"""The rows of findings (domain.md 2.15)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

from shared.database.repositories.verifying.verification_findings import FindingDetail, FindingRow
from shared.domain.copies.calendar_copy import Copy
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.runs.window import local_day_start
from shared.domain.verifying.verification import FindingKind, FindingReason
from shared.services.verifying.context import VerificationContext


def about_record(
    row: RecordedCopy,
    kind: FindingKind,
    reason: FindingReason,
    *,
    copy_id: str | None = None,
    **detail: Unpack[FindingDetail],
) -> FindingRow:
    """A finding about an archived event."""
    return {
        "kind": str(kind),
        "reason": str(reason),
        "subject": str(row.id),
        "archived_event_id": str(row.id),
        "source_key": row.source_key,
        "copy_id": copy_id or row.copy_id,
        "starts_at": row.start_at.isoformat(),
        "detail": detail,
    }


def edited(row: RecordedCopy, copy: Copy, reason: FindingReason, fields: Sequence[str]) -> FindingRow:
    """A copy that differs from what we wrote: which fields, and a hash of their values."""
    return about_record(
        row,
        FindingKind.EDITED,
        reason,
        copy_id=copy.id,
        fields=list(fields),
        content=copy.content_hash,
    )


def about_copies(
    subject: str,
    kind: FindingKind,
    reason: FindingReason,
    starts_at: datetime,
    **detail: Unpack[FindingDetail],
) -> FindingRow:
    """A finding about copies that no row of this configuration has. ``subject`` is the id of one of them."""
    return {
        "kind": str(kind),
        "reason": str(reason),
        "subject": subject,
        "archived_event_id": None,
        "source_key": None,
        "copy_id": subject,
        "starts_at": starts_at.isoformat(),
        "detail": detail,
    }


def unknown(copy: Copy, start: datetime) -> FindingRow:
    """An event of the archive calendar that is no copy."""
    reason = FindingReason.KEY_NOT_IN_RECORD if copy.archive_key else FindingReason.FOREIGN
    return about_copies(copy.id, FindingKind.UNKNOWN, reason, start)


def not_archived(key: str, start: datetime) -> FindingRow:
    """A source event of archived time without a record."""
    return {
        "kind": str(FindingKind.MISSING),
        "reason": str(FindingReason.NOT_ARCHIVED),
        "subject": key,
        "archived_event_id": None,
        "source_key": key,
        "copy_id": None,
        "starts_at": start.isoformat(),
        "detail": {},
    }


def owning_start(copy: Copy, context: VerificationContext) -> datetime:
    """The instant that decides the range of a copy, UTC. For an all-day copy, that of its local day."""
    return local_day_start(copy.start.date(), context.zone) if copy.is_all_day else copy.start
