"""What others archived from a person's mailbox, deleted when the person is erased (domain.md 15.3, 6.5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.base import Repository
from shared.database.repositories.people.person_data import Person
from shared.domain.calendars.local_calendar import LOCAL_PREFIX
from shared.domain.runs.archive_run import RunState

# Tables in an order that respects references. Groups that were merged into others come first.
_OF_CONFIGURATIONS: Final = (
    "verification_findings",
    "archive_operations",
    "appointments",
    "overlap_members",
    "action_item_events",
    "action_items",
    "archived_events",
)
_DELETE = {
    table: text(f"""
        DELETE FROM {table} WHERE ctid IN (
            SELECT ctid FROM {table} WHERE configuration_id = ANY(CAST(:ids AS uuid[])) LIMIT :limit)
    """)  # noqa: S608
    for table in _OF_CONFIGURATIONS
}
_DELETE["overlap_groups"] = text("""
    DELETE FROM overlap_groups g WHERE g.id IN (
        SELECT o.id FROM overlap_groups o
         WHERE o.configuration_id = ANY(CAST(:ids AS uuid[]))
           AND NOT EXISTS (SELECT 1 FROM overlap_groups other WHERE other.merged_into = o.id) LIMIT :limit)
""")
_DELETE["local_events"] = text("""
    DELETE FROM local_events WHERE id IN (
        SELECT e.id FROM local_events e JOIN local_calendars k ON k.id = e.calendar_id
         WHERE e.origin_mailbox_id = :person AND k.mailbox_id <> :person LIMIT :limit)
""")


class ArchivesOfOthers(Repository):
    """Other people's configurations that read the person's calendars, including deleted ones."""

    async def configurations(self, person: Person) -> Sequence[ArchiveConfiguration]:
        """Those configurations, in the order they were added."""
        read = func.coalesce(ArchiveConfiguration.source_person_id, ArchiveConfiguration.source_mailbox_id)
        return await self._all(
            select(ArchiveConfiguration)
            .where(
                ArchiveConfiguration.tenant_id == person.tenant_id,
                ArchiveConfiguration.owner_id != person.id,
                read == person.object_id,
            )
            .order_by(ArchiveConfiguration.created_at, ArchiveConfiguration.id)
        )

    async def close(self, person: Person, now: datetime) -> Sequence[UUID]:
        """Close them permanently. Returns which ones."""
        ids = [each.id for each in await self.configurations(person)]
        await self._session.execute(
            update(ArchiveConfiguration)
            .where(ArchiveConfiguration.id.in_(ids), ArchiveConfiguration.source_erased_at.is_(None))
            .values(
                source_erased_at=now,
                open_until=func.least(func.coalesce(ArchiveConfiguration.open_until, now), now),
                details_agreed_at=None,
            )
        )
        return ids

    async def any_running(self, person: Person) -> bool:
        """Whether one of their runs is in progress."""
        ids = [each.id for each in await self.configurations(person)]
        statement = select(ArchiveRun.id).where(
            ArchiveRun.configuration_id.in_(ids),
            ArchiveRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def delete_some(self, person: Person, limit: int) -> tuple[str, int] | None:
        """Delete at most ``limit`` rows of one table. Returns name and number, None if nothing is left."""
        ids = [each.id for each in await self.configurations(person)]
        for table, statement in _DELETE.items():
            values: dict[str, Any] = {"limit": limit, "ids": ids}
            if table == "local_events":
                values = {"limit": limit, "person": person.object_id}
            deleted = int(getattr(await self._session.execute(statement, values), "rowcount", 0))
            if deleted:
                return table, deleted
        return None

    async def some_copies(self, person: Person, limit: int) -> list[ArchivedEvent]:
        """Mapped events in them that still name a copy at Graph."""
        ids = [each.id for each in await self.configurations(person)]
        return await self._all(
            select(ArchivedEvent)
            .where(
                ArchivedEvent.configuration_id.in_(ids),
                ArchivedEvent.copy_id.is_not(None),
                ArchivedEvent.copy_id.not_like(f"{LOCAL_PREFIX}%"),
            )
            .order_by(ArchivedEvent.id)
            .limit(limit)
        )

    async def forget_copies(self, event_ids: Sequence[UUID]) -> None:
        """Record that the copies of these events are gone."""
        await self._session.execute(
            update(ArchivedEvent).where(ArchivedEvent.id.in_(event_ids)).values(copy_id=None, copy_etag=None)
        )

    async def count(self, person: Person) -> int:
        """How many of the person's events others have archived."""
        ids = [each.id for each in await self.configurations(person)]
        statement = select(func.count()).where(ArchivedEvent.configuration_id.in_(ids))
        return int((await self._session.execute(statement)).scalar_one())
