"""The ``notifications`` table (domain.md 10.1). Every read names the addressee."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import ColumnElement, and_, func, or_, select, text, update

from shared.database.models.notifications import Notification
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.notifications.notification import Audience, Notice, NotificationClass, Recipient

# An equal notification changes nothing. Another state, or other things, make it unread again.
_TELL = text("""
    INSERT INTO notifications AS n
        (id, tenant_id, owner_id, audience, class, transaction_id, title, text, state, percent, count,
         resource_type, resource_id, created_at, updated_at)
    SELECT v.id, v.tenant_id, v.owner_id, v.audience, v.class, v.transaction_id, v.title, v.text, v.state,
           v.percent, v.count, v.resource_type, v.resource_id, :now, :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, tenant_id uuid, owner_id uuid, audience text, class text, transaction_id text,
                title text, text text, state text, percent int, count int, resource_type text,
                resource_id uuid)
     ORDER BY v.owner_id, v.transaction_id
    ON CONFLICT (owner_id, transaction_id) DO UPDATE
       SET class = EXCLUDED.class, title = EXCLUDED.title, text = EXCLUDED.text, state = EXCLUDED.state,
           percent = EXCLUDED.percent, count = EXCLUDED.count, resource_type = EXCLUDED.resource_type,
           resource_id = EXCLUDED.resource_id, version = n.version + 1, updated_at = EXCLUDED.updated_at,
           read_at = CASE WHEN (n.state, n.count) = (EXCLUDED.state, EXCLUDED.count) THEN n.read_at END
     WHERE (n.class, n.title, n.text, n.state, n.percent, n.count)
           IS DISTINCT FROM (EXCLUDED.class, EXCLUDED.title, EXCLUDED.text, EXCLUDED.state,
                             EXCLUDED.percent, EXCLUDED.count)
""")


@dataclass(frozen=True, slots=True)
class Addressee:
    """The reader: a user by our id. With ``admins_of``, also what is for the Admins of that tenant."""

    owner_id: UUID
    admins_of: UUID | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """True for the rows that are addressed to this reader."""
        own = and_(Notification.owner_id == self.owner_id, Notification.audience == Audience.OWNER)
        if self.admins_of is None:
            return own
        return or_(
            own, and_(Notification.tenant_id == self.admins_of, Notification.audience == Audience.ADMINS)
        )


class NotificationRepository(Repository):
    """The ``notifications`` table."""

    async def tell(self, told: Sequence[tuple[Recipient, Notice]], now: datetime) -> None:
        """Store all of them in one statement. An earlier one with the same transaction id is updated."""
        if told:
            rows = [_row(recipient, notice) for recipient, notice in told]
            await self._session.execute(_TELL, {"rows": orjson.dumps(rows, default=str).decode(), "now": now})

    async def told_count(self, owner_id: UUID, transaction_id: str) -> int:
        """How many things were reported so far. It locks the row until the transaction ends."""
        statement = (
            select(Notification.count)
            .where(Notification.owner_id == owner_id, Notification.transaction_id == transaction_id)
            .with_for_update()
        )
        return (await self._session.execute(statement)).scalar_one_or_none() or 0

    async def list(
        self,
        addressee: Addressee,
        after: Keyset | None,
        limit: int,
        unread: bool | None = None,
        of_class: NotificationClass | None = None,
    ) -> list[Notification]:
        """The reader's notifications, newest first."""
        statement = select(Notification).where(addressee.condition)
        if unread is not None:
            statement = statement.where(Notification.read_at.is_(None) == unread)
        if of_class is not None:
            statement = statement.where(Notification.class_ == of_class)
        key = (Notification.created_at, Notification.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))

    async def unread(self, addressee: Addressee) -> int:
        """How many of them are unread."""
        statement = select(func.count()).where(addressee.condition, Notification.read_at.is_(None))
        return int((await self._session.execute(statement)).scalar_one())

    async def get(
        self, addressee: Addressee, notification_id: UUID, *, lock: bool = False
    ) -> Notification | None:
        """The notification, if the addressee may read it. ``lock`` holds it until the transaction ends."""
        statement = select(Notification).where(addressee.condition, Notification.id == notification_id)
        return await self._one(statement.with_for_update() if lock else statement)

    async def mark_read(self, addressee: Addressee, until: datetime, now: datetime) -> Sequence[UUID]:
        """Mark notifications up to an instant as read. Returns which."""
        result = await self._session.execute(
            update(Notification)
            .where(addressee.condition, Notification.read_at.is_(None), Notification.updated_at <= until)
            .values(read_at=now, updated_at=now, version=Notification.version + 1)
            .returning(Notification.id)
            .execution_options(synchronize_session=False)
        )
        return result.scalars().all()


def _row(recipient: Recipient, notice: Notice) -> dict[str, Any]:
    row = asdict(notice)
    row["class"] = row.pop("notification_class")
    return {"id": uuid4(), **asdict(recipient), **row}
