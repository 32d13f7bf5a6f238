"""Open findings of verifications, as entries that need their owner (domain.md 2.15, 2.20)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.verifying.open_findings import OpenFinding, OpenFindingRepository
from shared.domain.months.attention import NO_SUBJECT, Attention, AttentionKind
from shared.domain.verifying.verification import FindingReason

_PUT_BACK: Final = "Put it back, or leave it out."
_ADOPT: Final = "Take it over into the record, or archive the window again."
_ARCHIVE: Final = "Archive the window again."
_WORDS: Final = {
    FindingReason.COPY_GONE: ("its copy is not in the archive calendar any more", _PUT_BACK),
    FindingReason.NOT_WRITTEN: ("its copy was never written", _ARCHIVE),
    FindingReason.NOT_ARCHIVED: ("it is in the calendar, and was not archived", _ARCHIVE),
    FindingReason.SEVERAL_COPIES: (
        "it has more than one copy in the archive calendar",
        "Delete all copies but one.",
    ),
    FindingReason.CONTENT_DIFFERS: ("its copy says something else than the record", _ADOPT),
    FindingReason.COPY_REPLACED: ("its copy was replaced by another event", _ADOPT),
    FindingReason.FOREIGN: (
        "it is in the archive calendar, and was not archived there",
        "Move it to another calendar, or leave it.",
    ),
    FindingReason.KEY_NOT_IN_RECORD: (
        "it is in the archive calendar as a copy that the record does not know",
        "Delete it, or leave it.",
    ),
    FindingReason.REVISION_DIFFERS: ("its event changed after it was archived", _ARCHIVE),
    FindingReason.SOURCE_GONE: ("its event is gone from the calendar", "Nothing: its copy stays and counts."),
}


async def open_findings(
    session: AsyncSession,
    owner_id: UUID,
    configuration_ids: Sequence[UUID],
    span: tuple[datetime, datetime] | None,
    *,
    viewer: UUID | None,
    limit: int,
) -> list[Attention]:
    """Open findings of the last verification of each time. Hidden events are left out (6.3)."""
    rows = await OpenFindingRepository(session).open_of(
        owner_id, configuration_ids, span, viewer=viewer, limit=limit
    )
    return [_attention(row) for row in rows]


def _attention(row: OpenFinding) -> Attention:
    reason, action = _WORDS[FindingReason(row.reason)]
    time = timedelta()
    if row.start_at is not None and row.end_at is not None and not row.is_all_day:
        time = row.end_at - row.start_at
    return Attention(
        AttentionKind.FINDING,
        row.subject or NO_SUBJECT,
        reason,
        action,
        time,
        1,
        row.start_at or row.starts_at,
        row.start_at or row.starts_at,
        appointments=() if row.appointment_id is None else (row.appointment_id,),
        about=row.id,
        found_by=row.verification_id,
    )
