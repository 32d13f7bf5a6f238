"""Queues runs and verifications of configurations once, with their audit rows (domain.md 2.11, 2.15)."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.audit.chain import AuditRow
from shared.domain.json_object import JsonObject
from shared.errors import Conflict
from shared.services.audit.recording import AuditFact, AuditWriter


class WorkRow(Protocol):
    """A row of a table of work."""

    @property
    def id(self) -> Any:
        """Its id, a UUID."""
        ...


class OpenWork[W](Protocol):
    """A table of work in which a configuration has at most one open row of a kind."""

    async def add_all(self, rows: Sequence[W]) -> dict[UUID, W]:
        """Insert them. Returns by id those that no open row prevented."""
        ...

    async def open_like(self, rows: Sequence[W]) -> list[W]:
        """The open rows that prevented these."""
        ...


@dataclass(frozen=True, slots=True)
class Draft[W: WorkRow]:
    """Work that is not queued yet, with its audit row."""

    work: W
    audit: AuditRow


def drafted(configuration: ArchiveConfiguration, now: datetime) -> dict[str, object]:
    """What every row of work stores about its configuration and its correlation id."""
    return {
        "tenant_id": configuration.tenant_id,
        "owner_id": configuration.owner_id,
        "configuration_id": configuration.id,
        "correlation_id": telemetry.correlation_id.get() or telemetry.new_correlation_id(),
        "created_at": now,
    }


async def draft[W: WorkRow](
    audit: AuditWriter, kind: str, work: W, configuration: ArchiveConfiguration, changes: JsonObject
) -> Draft[W]:
    """Work for the current caller. ``kind`` is its resource type."""
    fact = AuditFact(f"{kind}.requested", kind, str(work.id), "success", changes, configuration.owner_id)
    return Draft(work, await audit.row(fact))


async def queue[W: WorkRow](
    session: AsyncSession,
    audit: AuditWriter,
    table: OpenWork[W],
    drafts: Collection[Draft[W]],
    place: Callable[[W], Hashable],
) -> list[tuple[W, bool]]:
    """Queue the drafts in the caller's transaction, or find the open work in their places.

    In the order of the drafts, which have different places. False if the work existed already. Raises
    Conflict if the open work ended at this moment.
    """
    if not drafts:
        return []
    queued = await table.add_all([each.work for each in drafts])
    await audit.add(session, [each.audit for each in drafts if each.work.id in queued])
    refused = [each.work for each in drafts if each.work.id not in queued]
    found = {place(each): each for each in await table.open_like(refused)} if refused else {}
    started: list[tuple[W, bool]] = []
    for each in drafts:
        work = queued.get(each.work.id) or found.get(place(each.work))
        if work is None:
            raise Conflict("the work in progress ended just now; ask again", retry_after=1)
        started.append((work, each.work.id in queued))
    return started
