"""Action items about archived meetings, for reading and answering (domain.md 2.16, 2.17)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, not_, or_, select, text, tuple_, update
from sqlalchemy.orm import aliased

from shared.database.models.action_items import ActionItem, ActionItemEvent
from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.decisions import DecisionRepository
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


class ActionItemRepository(DecisionRepository[ActionItem]):
    """The ``action_items`` table with the events of its items."""

    model = ActionItem
    undecided = ActionItemStatus.OPEN
    due_column = "due_at"

    @staticmethod
    def known_to(viewer: UUID | None, opened: Collection[UUID] = ()) -> ColumnElement[bool]:
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

    async def list(
        self, owner_id: UUID, wanted: ItemFilter, after: ItemPlace | None, limit: int
    ) -> list[ActionItem]:
        """The owner's items by kind, then in the order of opening, after ``after``.

        Two kinds of items with another person's private event are left out, because their existence reveals
        its words (domain.md 6.3). These are items of a timesheet, and items whose meetings share no instant,
        because then their subjects are equal (2.16 d).
        """
        known = self.known_to(wanted.viewer, wanted.opened)
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

    async def span(self, owner_id: UUID, row_id: UUID) -> tuple[datetime, datetime] | None:
        """The first and last instant that decide the windows of its events.

        An event that moved to another time is left out, because that day is archived later.
        """
        row = (await self._session.execute(_SPAN, {"item": row_id, "owner": owner_id})).one()
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
            .order_by(ActionItem.id),
            lock=True,
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
