"""Action items about archived meetings, for reading and answering (domain.md 2.16, 2.17)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, case, func, literal, not_, or_, select, text, tuple_, update
from sqlalchemy.orm import aliased

from shared.database.models.action_items import ActionItem, ActionItemEvent
from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.base import Repository
from shared.database.repositories.identity.disclosure import open_to_readers
from shared.domain.action_items.items import ActionItemKind, ActionItemStatus, Answer, Question
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.identity.disclosure import NORMAL
from shared.domain.planning.purpose import Purpose

_RANK = case({str(kind): kind.rank for kind in ActionItemKind}, value=ActionItem.kind)
_SPAN = text("""
    SELECT min(COALESCE(e.start_at, m.start_at)) AS first, max(COALESCE(e.start_at, m.start_at)) AS last
      FROM action_items i JOIN action_item_events m ON m.item_id = i.id
      LEFT JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.owner_id = i.owner_id
       AND CASE m.side WHEN 'archived' THEN e.id = m.archived_event_id ELSE e.source_key = m.source_key END
     WHERE i.id = :item AND i.owner_id = :owner AND (i.question <> 'moved_on' OR m.side = 'archived')
""")
_CONTENTS = text("""
    SELECT m.side, m.source_key, m.start_at, m.end_at, m.origin_mailbox_id, a.id AS appointment_id,
           COALESCE(to_jsonb(a), m.record) AS event
      FROM action_items i JOIN action_item_events m ON m.item_id = i.id
      LEFT JOIN appointments a ON m.side = 'archived' AND a.archived_event_id = m.archived_event_id
                              AND a.owner_id = :owner
     WHERE i.id = :item AND i.owner_id = :owner
     ORDER BY m.side, m.start_at, m.end_at, m.source_key
""")
_CLAIM_REMINDERS = text("""
    SELECT i.id, i.tenant_id, i.owner_id, i.configuration_id, i.remind_at, i.reminders_sent, i.expires_at,
           c.time_zone
      FROM action_items i JOIN archive_configurations c ON c.id = i.configuration_id
     WHERE i.status = 'open' AND i.remind_at <= :now
     ORDER BY i.remind_at, i.id
     LIMIT :limit
       FOR UPDATE OF i SKIP LOCKED
""")
_REMINDED = text("""
    UPDATE action_items i SET reminders_sent = v.sent, remind_at = v.next
      FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, sent smallint, next timestamptz)
     WHERE i.id = v.id
""")


class ItemPlace(NamedTuple):
    """The end of a page of items: rank of the kind, time of opening, id."""

    rank: int
    opened_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Selects an owner's items. None selects any. ``viewer`` is the object id of the person who asks.

    ``opened`` are people whose private events an emergency access opens to the viewer. ``begins_in`` is a
    range with an exclusive end.
    """

    viewer: UUID | None
    status: ActionItemStatus | None = None
    kind: ActionItemKind | None = None
    configuration_id: UUID | None = None
    opened: frozenset[UUID] = frozenset()
    begins_in: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class ItemContent:
    """A meeting of an item with its record. ``event`` is None if nothing is known any more."""

    side: str
    source_key: str
    start_at: datetime
    end_at: datetime
    origin_mailbox_id: UUID | None
    appointment_id: UUID | None
    event: AppointmentRecord | None


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An open item whose next reminder is due, and the zone of its archive."""

    id: UUID
    tenant_id: UUID
    owner_id: UUID
    configuration_id: UUID
    remind_at: datetime
    reminders_sent: int
    expires_at: datetime | None
    time_zone: str


class ActionItemRepository(Repository):
    """The ``action_items`` table with the events of its items."""

    async def get(self, owner_id: UUID, item_id: UUID, *, lock: bool = False) -> ActionItem | None:
        """The owner's item. ``lock`` holds it until the transaction ends."""
        statement = select(ActionItem).where(ActionItem.owner_id == owner_id, ActionItem.id == item_id)
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._one(statement)

    async def get_in_tenant(self, tenant_id: UUID, item_id: UUID) -> ActionItem | None:
        """An item of anyone in the tenant, for callers who may see everyone's."""
        return await self._one(
            select(ActionItem).where(ActionItem.tenant_id == tenant_id, ActionItem.id == item_id)
        )

    async def find(
        self,
        tenant_id: UUID,
        item_id: UUID,
        *,
        owner_id: UUID | None,
        viewer: UUID | None,
        opened: Collection[UUID] = (),
    ) -> ActionItem | None:
        """The item of one owner (None: anyone in the tenant), if it is visible to the viewer."""
        statement = select(ActionItem).where(
            ActionItem.tenant_id == tenant_id, ActionItem.id == item_id, _known_to(viewer, opened)
        )
        if owner_id is not None:
            statement = statement.where(ActionItem.owner_id == owner_id)
        return await self._one(statement)

    async def list(
        self, owner_id: UUID, wanted: ItemFilter, after: ItemPlace | None, limit: int
    ) -> list[ActionItem]:
        """The owner's items by kind, then in the order of opening, after ``after``.

        Two kinds of items with another person's private event are left out, because their existence reveals
        its words (domain.md 6.3). These are items of a timesheet, and items whose meetings share no instant,
        because then their subjects are equal (2.16 d).
        """
        known = _known_to(wanted.viewer, wanted.opened)
        statement = select(ActionItem).where(ActionItem.owner_id == owner_id, known)
        if wanted.configuration_id is not None:
            statement = statement.where(ActionItem.configuration_id == wanted.configuration_id)
        if wanted.status is not None:
            statement = statement.where(ActionItem.status == wanted.status)
        if wanted.kind is not None:
            statement = statement.where(ActionItem.kind == wanted.kind)
        if wanted.begins_in is not None:
            start, end = wanted.begins_in
            statement = statement.where(ActionItem.start_at >= start, ActionItem.start_at < end)
        if after is not None:
            place = tuple_(_RANK, ActionItem.opened_at, ActionItem.id)
            statement = statement.where(place > tuple_(*(literal(each) for each in after)))
        return await self._all(statement.order_by(_RANK, ActionItem.opened_at, ActionItem.id).limit(limit))

    async def contents(self, owner_id: UUID, item_id: UUID) -> Sequence[ItemContent]:
        """The meetings of the owner's item, archived ones first, by start."""
        result = await self._session.execute(_CONTENTS, {"item": item_id, "owner": owner_id})
        return [
            ItemContent(**row | {"event": row["event"] and AppointmentRecord.from_json(row["event"])})
            for row in map(dict, result.mappings())
        ]

    async def span(self, owner_id: UUID, item_id: UUID) -> tuple[datetime, datetime] | None:
        """The first and last instant that decide the windows of its events.

        An event that moved to another time is left out, because that day is archived later.
        """
        row = (await self._session.execute(_SPAN, {"item": item_id, "owner": owner_id})).one()
        return None if row.first is None else (row.first, row.last)

    async def lock_open_alike(self, owner_id: UUID, about: str) -> Sequence[ActionItem]:
        """The owner's open items with this question in every archive, locked until the transaction ends."""
        return await self._all(
            select(ActionItem)
            .where(
                ActionItem.owner_id == owner_id,
                ActionItem.about == about,
                ActionItem.status == ActionItemStatus.OPEN,
            )
            .order_by(ActionItem.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    async def answer(
        self, item: ActionItem, answer: Answer, status: ActionItemStatus, by: str, now: datetime
    ) -> None:
        """Store an answer. The caller has locked the item. If it changes the archive, a run becomes due."""
        item.status, item.answer = status, answer
        item.answered_at, item.answered_by, item.updated_at = now, by, now
        item.due_at, item.carried_out_at = (now, None) if answer.changes_archive else (None, now)
        item.expires_at = item.remind_at = None
        entry = {"at": now.isoformat(), "by": by, "status": str(status), "answer": str(answer)}
        item.log = [*item.log, entry]
        item.version += 1
        await self._session.flush()

    async def claim_expired_unscoped(self, now: datetime, limit: int) -> Sequence[ActionItem]:
        """Lock expired open items of every tenant, except those that others hold."""
        return await self._all(
            select(ActionItem)
            .where(ActionItem.status == ActionItemStatus.OPEN, ActionItem.expires_at <= now)
            .order_by(ActionItem.expires_at, ActionItem.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )

    async def claim_due_unscoped(self, before: datetime, limit: int) -> Sequence[ActionItem]:
        """Lock items of every tenant whose answer is due since ``before`` and not carried out yet."""
        return await self._all(
            select(ActionItem)
            .where(ActionItem.due_at <= before)
            .order_by(ActionItem.due_at, ActionItem.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )

    async def keep_due(self, item_id: UUID, now: datetime) -> None:
        """Check the item again later."""
        await self._session.execute(update(ActionItem).where(ActionItem.id == item_id).values(due_at=now))

    async def claim_reminders_unscoped(self, now: datetime, limit: int) -> Sequence[WaitingItem]:
        """Lock open items of every tenant with a due reminder, except those that others hold."""
        result = await self._session.execute(_CLAIM_REMINDERS, {"now": now, "limit": limit})
        return [WaitingItem(**row) for row in result.mappings()]

    async def set_reminded(self, reminded: Mapping[UUID, tuple[int, datetime | None]]) -> None:
        """Store how many reminders the claimed items have sent, and when the next one is due."""
        rows = [{"id": key, "sent": sent, "next": following} for key, (sent, following) in reminded.items()]
        await self._session.execute(_REMINDED, {"rows": orjson.dumps(rows, default=str).decode()})

    async def let_expire(self, owner_id: UUID, questions: Collection[str], now: datetime) -> int:
        """Expire the owner's open items that have a default answer. Returns how many."""
        expired = await self._session.execute(
            update(ActionItem)
            .where(
                ActionItem.owner_id == owner_id,
                ActionItem.status == ActionItemStatus.OPEN,
                ActionItem.question.in_(list(questions)),
            )
            .values(expires_at=func.least(func.coalesce(ActionItem.expires_at, now), now))
            .returning(ActionItem.id)
        )
        return len(expired.all())


def _known_to(viewer: UUID | None, opened: Collection[UUID]) -> ColumnElement[bool]:
    appointment = aliased(Appointment)
    hidden = (
        select(ActionItemEvent.item_id)
        .outerjoin(
            appointment,
            and_(
                ActionItemEvent.side == "archived",
                appointment.archived_event_id == ActionItemEvent.archived_event_id,
            ),
        )
        .where(
            ActionItemEvent.item_id == ActionItem.id,
            ActionItemEvent.origin_mailbox_id.is_distinct_from(viewer),
            func.coalesce(ActionItemEvent.origin_mailbox_id.not_in(sorted(opened)), True),
            func.coalesce(appointment.sensitivity, ActionItemEvent.record["sensitivity"].astext, "")
            != NORMAL,
        )
        .exists()
    )
    timesheets = select(ArchiveConfiguration.id).where(ArchiveConfiguration.purpose == Purpose.TIMESHEET)
    old, new = aliased(ActionItemEvent), aliased(ActionItemEvent)
    shares_time = (
        select(old.item_id)
        .join(new, and_(new.item_id == old.item_id, new.side == "new"))
        .where(
            old.item_id == ActionItem.id,
            old.side == "archived",
            old.start_at < new.end_at,
            new.start_at < old.end_at,
        )
        .exists()
    )
    telling = and_(ActionItem.question == Question.LIKELY_SAME, not_(shares_time))
    return and_(
        open_to_readers(ActionItem.configuration_id),
        or_(and_(ActionItem.configuration_id.not_in(timesheets), not_(telling)), not_(hidden)),
    )
