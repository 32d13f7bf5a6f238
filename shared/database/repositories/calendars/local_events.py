"""Events of the calendars kept in our own database (domain.md 1)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.repositories.base import Keyset, Repository, json_text, page
from shared.domain.calendars.local_calendar import LOCAL_PREFIX
from shared.domain.events.event_content import CONTENT_COLUMNS, ContentChanges

_ARCHIVE_COLUMNS = ("archive_key", "archive_revision", "archive_source")
_CREATED = ("id", "transaction_id", *_ARCHIVE_COLUMNS, *CONTENT_COLUMNS)
_CREATE = text(f"""
    INSERT INTO local_events (owner_id, calendar_id, created_at, updated_at, version, {", ".join(_CREATED)})
    SELECT CAST(:owner AS uuid), CAST(:calendar AS uuid), CAST(:now AS timestamptz),
           CAST(:now AS timestamptz), 1, {", ".join(f"r.{column}" for column in _CREATED)}
      FROM jsonb_populate_recordset(NULL::local_events, CAST(:rows AS jsonb)) AS r
    ON CONFLICT (calendar_id, transaction_id) DO NOTHING
    RETURNING id
""")  # noqa: S608
_UPDATED = (*_ARCHIVE_COLUMNS, *CONTENT_COLUMNS)
_UPDATE = text(f"""
    UPDATE local_events AS e
       SET {", ".join(f"{column} = COALESCE(r.{column}, e.{column})" for column in _UPDATED)},
           version = e.version + 1, updated_at = CAST(:now AS timestamptz)
      FROM jsonb_populate_recordset(NULL::local_events, CAST(:rows AS jsonb)) AS r, local_calendars AS c
     WHERE e.id = r.id AND c.id = e.calendar_id AND c.tenant_id = :tenant AND c.mailbox_id = :mailbox
       AND (r.version IS NULL OR r.version = e.version)
    RETURNING e.id, e.version
""")  # noqa: S608


class LocalEventRepository(Repository):
    """The ``local_events`` table: of one calendar that the caller may access, or of one mailbox."""

    async def add(self, event: LocalEvent) -> LocalEvent:
        """Insert an event. Raises Conflict if its calendar is gone."""
        await self._insert(event)
        return event

    async def get(self, calendar_id: UUID, event_id: UUID, *, lock: bool = False) -> LocalEvent | None:
        """An event of the calendar. ``lock`` holds it until the transaction ends."""
        statement = select(LocalEvent).where(
            LocalEvent.calendar_id == calendar_id, LocalEvent.id == event_id, _open()
        )
        return await self._one(statement, lock=lock)

    async def window(
        self, calendar_id: UUID, start: datetime, end: datetime, after: Keyset | None, limit: int
    ) -> list[LocalEvent]:
        """Events that intersect ``[start, end)``, by start. ``after`` is (start_at, id).

        An event that ends when the range starts does not. An event of zero length does if it is inside.
        """
        intersects = or_(
            LocalEvent.end_at > start,
            and_(LocalEvent.start_at == LocalEvent.end_at, LocalEvent.start_at >= start),
        )
        statement = select(LocalEvent).where(
            LocalEvent.calendar_id == calendar_id, LocalEvent.start_at < end, intersects, _open()
        )
        return await self._all(page(statement, (LocalEvent.start_at, LocalEvent.id), after, limit))

    async def delete(self, event: LocalEvent) -> None:
        """Delete an event."""
        await self._session.execute(
            delete(LocalEvent).where(LocalEvent.id == event.id, LocalEvent.calendar_id == event.calendar_id)
        )

    async def of_mailbox(
        self,
        tenant_id: UUID,
        mailbox_id: UUID,
        event_ids: Sequence[UUID],
        calendar_id: UUID | None = None,
    ) -> list[LocalEvent]:
        """Events of any local calendar of the mailbox, or of one of them, by id."""
        if not event_ids:
            return []
        return await self._found(tenant_id, mailbox_id, calendar_id, LocalEvent.id.in_(list(event_ids)))

    async def by_archive_key(
        self, tenant_id: UUID, mailbox_id: UUID, calendar_id: UUID, archive_key: str
    ) -> list[LocalEvent]:
        """The copies in a calendar with an archive key, oldest first."""
        return await self._found(tenant_id, mailbox_id, calendar_id, LocalEvent.archive_key == archive_key)

    async def create_many(
        self, calendar: LocalCalendar, rows: Sequence[ContentChanges], now: datetime
    ) -> set[UUID]:
        """Insert rows in one statement, except those whose transaction id the calendar knows.

        Returns the ids of the inserted rows. A row has ``id`` and the ``CONTENT_COLUMNS``, as JSON.
        """
        if not rows:
            return set()
        inserted = await self._session.execute(
            _CREATE,
            {"owner": calendar.owner_id, "calendar": calendar.id, "now": now, "rows": json_text(rows)},
        )
        return {row.id for row in inserted}

    async def by_transaction(self, calendar_id: UUID, transactions: Sequence[str]) -> dict[str, UUID]:
        """The event that each transaction id created in the calendar, if it still exists."""
        if not transactions:
            return {}
        found = await self._session.execute(
            select(LocalEvent.transaction_id, LocalEvent.id).where(
                LocalEvent.calendar_id == calendar_id, LocalEvent.transaction_id.in_(list(transactions))
            )
        )
        return {str(row.transaction_id): row.id for row in found}

    async def update_many(
        self, tenant_id: UUID, mailbox_id: UUID, rows: Sequence[ContentChanges], now: datetime
    ) -> dict[UUID, int]:
        """Change events of the mailbox in one statement. Returns the new version of each changed one.

        A row has ``id`` and the changes, as JSON. A row with a ``version`` is changed only if it has that
        version.
        """
        if not rows:
            return {}
        updated = await self._session.execute(
            _UPDATE, {"tenant": tenant_id, "mailbox": mailbox_id, "now": now, "rows": json_text(rows)}
        )
        return {row.id: row.version for row in updated}

    async def _found(
        self, tenant_id: UUID, mailbox_id: UUID, calendar_id: UUID | None, *what: ColumnElement[bool]
    ) -> list[LocalEvent]:
        statement = (
            select(LocalEvent)
            .join(LocalCalendar, LocalCalendar.id == LocalEvent.calendar_id)
            .where(LocalCalendar.tenant_id == tenant_id, LocalCalendar.mailbox_id == mailbox_id, *what)
            .order_by(LocalEvent.created_at, LocalEvent.id)
        )
        if calendar_id is not None:
            statement = statement.where(LocalEvent.calendar_id == calendar_id)
        return await self._all(statement)


def _open() -> ColumnElement[bool]:
    """Exclude copies of another person's events without a valid approval (domain.md 6.5)."""
    closed = select(ArchiveConfiguration.id).where(
        ArchiveConfiguration.archive_calendar_id == func.concat(LOCAL_PREFIX, LocalEvent.calendar_id),
        ArchiveConfiguration.open_until <= func.now(),
        func.coalesce(ArchiveConfiguration.source_person_id, ArchiveConfiguration.source_mailbox_id)
        == LocalEvent.origin_mailbox_id,
    )
    return or_(LocalEvent.archive_key.is_(None), ~closed.exists())
