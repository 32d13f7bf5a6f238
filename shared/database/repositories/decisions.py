"""What overlaps and action items have in common: they wait for a decision, and then for a run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, literal, select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from shared.database.models.action_items import ActionItem
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.overlaps import OverlapGroup
from shared.database.repositories.base import Repository


@dataclass(frozen=True, slots=True)
class Waiting:
    """An undecided row whose next reminder is due, and the zone of its archive."""

    id: UUID
    tenant_id: UUID
    owner_id: UUID
    configuration_id: UUID
    remind_at: datetime
    reminders_sent: int
    expires_at: datetime | None
    time_zone: str


class DecisionRepository[Row: ActionItem | OverlapGroup](Repository):
    """Rows of one table that wait for their owner's decision.

    ``model`` is the table, and ``undecided`` the status of rows that wait. ``due_column`` says since
    when a decision waits for its run.
    """

    model: type[Row]
    undecided: str
    due_column: str

    async def get(self, owner_id: UUID, row_id: UUID, *, lock: bool = False) -> Row | None:
        """The owner's row. ``lock`` holds it until the transaction ends."""
        statement = select(self.model).where(self.model.owner_id == owner_id, self.model.id == row_id)
        return await self._one(statement, lock=lock)

    async def find(
        self,
        tenant_id: UUID,
        row_id: UUID,
        *,
        owner_id: UUID | None,
        viewer: UUID | None,
        opened: Collection[UUID] = (),
    ) -> Row | None:
        """The row of one owner (None: anyone in the tenant), if it is visible to the viewer.

        ``viewer`` is the object id of the person who asks. ``opened`` are mailboxes that they may see into.
        """
        scope = [] if owner_id is None else [self.model.owner_id == owner_id]
        known = self.known_to(viewer, opened)
        return await self._one(
            select(self.model).where(
                self.model.tenant_id == tenant_id, self.model.id == row_id, known, *scope
            )
        )

    @staticmethod
    def known_to(viewer: UUID | None, opened: Collection[UUID] = ()) -> ColumnElement[bool]:
        """The rows whose existence the viewer may know (domain.md 6.3)."""
        raise NotImplementedError

    async def get_in_tenant(self, tenant_id: UUID, row_id: UUID) -> Row | None:
        """A row of anyone in the tenant, for callers who may see everyone's."""
        return await self._one(
            select(self.model).where(self.model.tenant_id == tenant_id, self.model.id == row_id)
        )

    async def span(self, owner_id: UUID, row_id: UUID) -> tuple[datetime, datetime] | None:
        """The first and last instant that decide the windows of its events. None if no run owned any."""
        raise NotImplementedError

    async def claim_expired_unscoped(self, now: datetime, limit: int) -> Sequence[Row]:
        """Lock expired undecided rows of every tenant, except those that others hold (domain.md 5.8)."""
        return await self._claim("expires_at", now, limit, self._is_undecided)

    async def claim_due_unscoped(self, before: datetime, limit: int) -> Sequence[Row]:
        """Lock rows of every tenant whose decision is due since ``before`` and not carried out yet."""
        return await self._claim(self.due_column, before, limit)

    async def keep_due(self, row_id: UUID, now: datetime) -> None:
        """Check the row again later."""
        await self._session.execute(
            update(self.model).where(self.model.id == row_id).values({self.due_column: now})
        )

    async def claim_reminders_unscoped(self, now: datetime, limit: int) -> Sequence[Waiting]:
        """Lock undecided rows of every tenant with a due reminder, except those that others hold (5.8)."""
        row = self.model
        result = await self._session.execute(
            select(
                row.id,
                row.tenant_id,
                row.owner_id,
                row.configuration_id,
                row.remind_at,
                row.reminders_sent,
                row.expires_at,
                ArchiveConfiguration.time_zone,
            )
            .join(ArchiveConfiguration, ArchiveConfiguration.id == row.configuration_id)
            .where(self._is_undecided, row.remind_at <= now)
            .order_by(row.remind_at, row.id)
            .limit(limit)
            .with_for_update(of=row, skip_locked=True)
        )
        return [Waiting(**each) for each in result.mappings()]

    async def set_reminded(self, reminded: Mapping[UUID, tuple[int, datetime | None]]) -> None:
        """Store how many reminders the claimed rows have sent, and when the next one is due."""
        rows = [{"id": key, "sent": sent, "next": following} for key, (sent, following) in reminded.items()]
        statement = text(f"""
            UPDATE {self.model.__tablename__} AS r SET reminders_sent = v.sent, remind_at = v.next
              FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, sent smallint, next timestamptz)
             WHERE r.id = v.id
        """)  # noqa: S608
        await self._session.execute(statement, {"rows": orjson.dumps(rows, default=str).decode()})

    @property
    def _is_undecided(self) -> ColumnElement[bool]:
        # Written out, because the indexes are those of undecided rows.
        return self.model.status == literal(self.undecided, literal_execute=True)

    async def _claim(
        self, name: str, until: datetime, limit: int, *conditions: ColumnElement[bool]
    ) -> Sequence[Row]:
        column: InstrumentedAttribute[datetime | None] = getattr(self.model, name)
        return await self._all(
            select(self.model)
            .where(*conditions, column <= until)
            .order_by(column, self.model.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
