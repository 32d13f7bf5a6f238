"""Copies that exist twice in the archive calendar, written by anyone (domain.md 2.19).

Two copies are doubled if both count, and both have one source mailbox, one source id and one original date.
For a recorded copy of any configuration, the record says this, because the copy may have passed to another
source. For other copies, ``ArchiveSource`` says it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.verifying.verification_findings import (
    FindingRow,
    VerificationFindingRepository,
)
from shared.domain.copies.calendar_copy import Copy
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.verifying.verification import FindingKind, FindingReason
from shared.services.verifying.context import VerificationContext
from shared.services.verifying.findings import about_copies, about_record, owning_start


@dataclass(frozen=True, slots=True)
class Writers:
    """The mailboxes of the configurations that wrote the copies of a page, including deleted ones."""

    context: VerificationContext
    mailboxes: Mapping[UUID, UUID]

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        context: VerificationContext,
        copies: Sequence[Copy],
        recorded: Iterable[RecordedCopy],
    ) -> "Writers":
        """Look the writers of the copies up."""
        named = {writer for copy in copies if (writer := _writer(copy)) is not None}
        named |= {row.configuration_id for row in recorded}
        found = await ArchiveConfigurationRepository(session).source_mailboxes(context.tenant_id, named)
        return cls(context, found)

    def is_anothers(self, copy: Copy) -> bool:
        """Whether another configuration of the tenant wrote it. Then it is not unknown."""
        writer = _writer(copy)
        return writer != self.context.configuration_id and writer in self.mailboxes

    def origins(self, copy: Copy, row: RecordedCopy | None) -> list[str]:
        """The keys that the copy shares with each copy of the same event. Empty if it takes no time.

        ``row`` is its record, of any configuration. Keys use the original date and the start, because a
        single event that moved between two first archivings has two original dates.
        """
        writer = row.configuration_id if row is not None else _writer(copy)
        source = row.source_id if row is not None else copy.source.get("source")
        original = row.original_start if row is not None else _instant(copy.source.get("originalStart"))
        if not copy.takes_time or not isinstance(source, str) or not source:
            return []
        mailbox = self.mailboxes.get(writer) if writer is not None else None
        event = f"{mailbox or self.context.source_mailbox}|{source}"
        found = [f"{event}|at {copy.start.isoformat()}"]
        if original is not None:
            found.append(f"{event}|of {original.astimezone(UTC).date().isoformat()}")
        return found


async def doubled(
    session: AsyncSession, context: VerificationContext, groups: Sequence[Sequence[Copy]]
) -> list[FindingRow]:
    """The findings about copies that share their origin. Each group is read again first."""
    keys = sorted({copy.archive_key for group in groups for copy in group if copy.archive_key})
    recorded = await VerificationFindingRepository(session).recorded_by_archive_keys(
        context.tenant_id, context.configuration_id, keys
    )
    copies = [copy for group in groups for copy in group]
    writers = await Writers.of(session, context, copies, recorded.values())
    found = []
    for group in (_same(writers, each, recorded) for each in groups):
        rows = [row for copy in group if (row := recorded.get(copy.archive_key)) is not None]
        if len(group) > 1 and not any(row.busy for row in rows):
            found.append(_finding(context, group, rows))
    return found


def _same(writers: Writers, group: Sequence[Copy], recorded: Mapping[str, RecordedCopy]) -> list[Copy]:
    """Those of the group that still share an origin with another copy."""
    origins = [set(writers.origins(copy, recorded.get(copy.archive_key))) for copy in group]
    return [
        copy
        for place, copy in enumerate(group)
        if any(origins[place] & others for number, others in enumerate(origins) if number != place)
    ]


def _finding(context: VerificationContext, group: Sequence[Copy], rows: Sequence[RecordedCopy]) -> FindingRow:
    ids = [copy.id for copy in group]
    own = next((row for row in rows if row.configuration_id == context.configuration_id), None)
    if own is not None:
        return about_record(own, FindingKind.DOUBLED, FindingReason.SEVERAL_COPIES, copies=ids)
    starts_at = min(owning_start(copy, context) for copy in group)
    return about_copies(min(ids), FindingKind.DOUBLED, FindingReason.SEVERAL_COPIES, starts_at, copies=ids)


def _writer(copy: Copy) -> UUID | None:
    try:
        return UUID(str(copy.source.get("configuration")))
    except ValueError:
        return None


def _instant(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return None
