"""What one record, its source and its copies mean together (domain.md 2.15)."""

from collections.abc import Sequence
from datetime import datetime

from shared.database.repositories.verifying.verification_findings import FindingRow, ItemRow
from shared.domain.copies.calendar_copy import Copy, differing_fields
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.events.revision import modified_revision
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.verifying.verification import FindingKind, FindingReason
from shared.services.verifying.findings import about_record, edited

_WITH_COPY = (
    ArchivedEventState.PRESENT,
    ArchivedEventState.SOURCE_DELETED,
    ArchivedEventState.REMOVED_BY_OWNER,
)


def item(key: str, copy: Copy, start: datetime, *, owned: bool) -> ItemRow:
    """A copy in the form in which it is stored until the range is compared."""
    return {
        "key": key,
        "reference": copy.id,
        "revision": copy.revision,
        "starts_at": start.isoformat(),
        "owned": owned,
    }


def needs_copy(row: RecordedCopy) -> bool:
    """Whether a copy must exist in the archive calendar."""
    return not row.busy and row.state in (*_WITH_COPY, ArchivedEventState.CREATING)


def judged(row: RecordedCopy, own: Copy | None, others: Sequence[Copy]) -> list[FindingRow]:
    """The findings about a record, its own copy and further ones with the same key."""
    found: list[FindingRow] = []
    if len(others) + (own is not None) > 1:
        copies = [copy.id for copy in ([own] if own is not None else []) + list(others)]
        found.append(about_record(row, FindingKind.DOUBLED, FindingReason.SEVERAL_COPIES, copies=copies))
    if own is not None:
        fields = differing_fields(own, row.record) if row.record is not None else []
        if fields:
            found.append(edited(row, own, FindingReason.CONTENT_DIFFERS, fields))
    elif others:
        fields = differing_fields(others[0], row.record) if row.record is not None else []
        found.append(edited(row, others[0], FindingReason.COPY_REPLACED, fields))
    elif row.state in _WITH_COPY and not _never_archived(row):
        found.append(about_record(row, FindingKind.MISSING, FindingReason.COPY_GONE))
    elif row.state is ArchivedEventState.CREATING:
        found.append(about_record(row, FindingKind.MISSING, FindingReason.NOT_WRITTEN))
    return found


def _never_archived(row: RecordedCopy) -> bool:
    """Whether its source vanished before it had a copy, or its copy went to a duplicate (2.9)."""
    return row.state is ArchivedEventState.SOURCE_DELETED and row.copy_id is None and row.record is None


def expected(row: RecordedCopy, own: str | None) -> str | None:
    """The revision that the map should have if the source's own is ``own`` (domain.md 2.4)."""
    if own is None or not row.modifications:
        return own
    return modified_revision(own, [(each.key, each.start, each.end) for each in row.modifications])
