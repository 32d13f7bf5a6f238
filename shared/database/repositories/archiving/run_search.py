"""Searches the archive runs of a tenant."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import not_, or_, select

from shared.database.models.runs import ArchiveRun
from shared.database.repositories.base import Keyset, Repository, page
from shared.database.repositories.identity.disclosure import open_to_readers
from shared.domain.runs.archive_run import RunState

_TROUBLE = (RunState.FAILED, RunState.COMPLETED_WITH_ERRORS)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Selects runs of a tenant. None selects any. ``reader`` is the user who asks, if they are one.

    ``troubled`` runs failed or left something undone. The end of the time is exclusive.
    """

    reader: UUID | None
    owner_id: UUID | None = None
    configuration_id: UUID | None = None
    state: RunState | None = None
    troubled: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class RunSearchRepository(Repository):
    """Reads the ``archive_runs`` table across configurations."""

    async def page(
        self, tenant_id: UUID, wanted: RunFilter, after: Keyset | None, limit: int
    ) -> list[ArchiveRun]:
        """Runs of the tenant, newest first.

        For ``reader``, who owns them, runs without a valid approval are left out (domain.md 6.5).
        """
        statement = select(ArchiveRun).where(
            ArchiveRun.tenant_id == tenant_id,
            or_(
                ArchiveRun.owner_id.is_distinct_from(wanted.reader),
                open_to_readers(ArchiveRun.configuration_id),
            ),
        )
        if wanted.owner_id is not None:
            statement = statement.where(ArchiveRun.owner_id == wanted.owner_id)
        if wanted.configuration_id is not None:
            statement = statement.where(ArchiveRun.configuration_id == wanted.configuration_id)
        if wanted.state is not None:
            statement = statement.where(ArchiveRun.state == wanted.state)
        if wanted.troubled is not None:
            troubled = ArchiveRun.state.in_(_TROUBLE)
            statement = statement.where(troubled if wanted.troubled else not_(troubled))
        if wanted.created_from is not None:
            statement = statement.where(ArchiveRun.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            statement = statement.where(ArchiveRun.created_at < wanted.created_before)
        key = (ArchiveRun.created_at, ArchiveRun.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))
