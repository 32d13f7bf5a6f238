"""Action items about archived meetings as people see and answer them (domain.md 2.16, 2.17)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
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
    """Where a page of items ended: rank of the kind, when it was opened, id."""

    rank: int
    opened_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which of an owner's items; None is any. ``viewer`` is the object id of the person who asks.

    ``opened`` are the people whose private events an emergency access opens to the viewer. ``begins_in``
    is a range, its end excluded.
    """

    viewer: UUID | None
    status: ActionItemStatus | None = None
    kind: ActionItemKind | None = None
    configuration_id: UUID | None = None
    opened: frozenset[UUID] = frozenset()
    begins_in: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class ItemContent:
    """A meeting of an item with what is recorded of it; ``event`` is None if nothing is known any more."""

    side: str
    source_key: str
    start_at: datetime
    end_at: datetime
    origin_mailbox_id: UUID | None
    appointment_id: UUID | None
    event: dict[str, Any] | None


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
        """The owner's item; with ``lock`` nobody else changes it meanwhile."""
        statement = select(ActionItem).where(ActionItem.owner_id == owner_id, ActionItem.id == item_id)
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._one(statement)

    async def get_in_tenant(self, tenant_id: UUID, item_id: UUID) -> ActionItem | None:
        """The item of anyone in the tenant, for those who may know of everybody's."""
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
        """The item of one owner, or with None of anyone in the tenant, if the viewer may know of it."""
        statement = select(ActionItem).where(
            ActionItem.tenant_id == tenant_id, ActionItem.id == item_id, _known_to(viewer, opened)
        )
        if owner_id is not None:
            statement = statement.where(ActionItem.owner_id == owner_id)
        return await self._one(statement)

    async def list(
        self, owner_id: UUID, wanted: ItemFilter, after: ItemPlace | None, limit: int
    ) -> list[ActionItem]:
        """The owner's items by kind, then in the order they were opened, behind ``after``.

        Of those with another's private event than the viewer's, two kinds are not among them, since that
        they are asked tells of its words (domain.md 6.3): those of a timesheet, and those whose meetings do
        not share an instant, since then their subjects are the same (2.16 d).
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
        """The meetings of the owner's item, the archived ones first, by start."""
        result = await self._session.execute(_CONTENTS, {"item": item_id, "owner": owner_id})
        return [ItemContent(**row) for row in result.mappings()]

    async def span(self, owner_id: UUID, item_id: UUID) -> tuple[datetime, datetime] | None:
        """First and last instant by which the windows of its events are decided.

        An event that went on to another time is not among them: that day is archived when it comes.
        """
        row = (await self._session.execute(_SPAN, {"item": item_id, "owner": owner_id})).one()
        return None if row.first is None else (row.first, row.last)

    async def lock_open_alike(self, owner_id: UUID, about: str) -> Sequence[ActionItem]:
        """The owner's open items that ask this, in whatever archive, held until the transaction ends."""
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
        """Write an answer down; the caller holds the item. One that changes the archive is due to a run."""
        item.status, item.answer = status, answer
        item.answered_at, item.answered_by, item.updated_at = now, by, now
        item.due_at, item.carried_out_at = (now, None) if answer.changes_archive else (None, now)
        item.expires_at = item.remind_at = None
        entry = {"at": now.isoformat(), "by": by, "status": str(status), "answer": str(answer)}
        item.log = [*item.log, entry]
        item.version += 1
        await self._session.flush()

    async def claim_expired_unscoped(self, now: datetime, limit: int) -> Sequence[ActionItem]:
        """Lock open items of every tenant whose time is over, but for those another one holds."""
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
        """Look after the item again later."""
        await self._session.execute(update(ActionItem).where(ActionItem.id == item_id).values(due_at=now))

    async def claim_reminders_unscoped(self, now: datetime, limit: int) -> Sequence[WaitingItem]:
        """Lock open items of every tenant that are to remind, but for those another one holds."""
        result = await self._session.execute(_CLAIM_REMINDERS, {"now": now, "limit": limit})
        return [WaitingItem(**row) for row in result.mappings()]

    async def set_reminded(self, reminded: Mapping[UUID, tuple[int, datetime | None]]) -> None:
        """How many reminders the claimed items have sent by now, and when the next one is due."""
        rows = [{"id": key, "sent": sent, "next": following} for key, (sent, following) in reminded.items()]
        await self._session.execute(_REMINDED, {"rows": orjson.dumps(rows, default=str).decode()})

    async def let_expire(self, owner_id: UUID, questions: Collection[str], now: datetime) -> int:
        """Let the owner's open items that have a default answer expire now; how many those are."""
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
