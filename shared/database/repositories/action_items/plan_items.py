"""Keeps action items in step with plans: questions and answers (domain.md 2.16, 2.17)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.base import ConfigurationScopedRepository, json_text
from shared.domain.action_items.items import ActionItemStatus, Answer, CloseReason, Question, Side, kind_of
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.runs.archived_event import ArchivedEventState

_SCOPE = "i.owner_id = :owner AND i.configuration_id = :configuration"
# Open items, and answered items that are not carried out yet.
_LIVE = "(i.status = 'open' OR i.due_at IS NOT NULL)"

_LIVE_ITEMS = text(f"""
    SELECT i.id, i.question, i.about, i.status, i.answer, i.version,
           (SELECT jsonb_agg(jsonb_build_object(
                       'side', m.side, 'key', COALESCE(e.source_key, m.source_key),
                       'row_id', m.archived_event_id, 'source_id', m.source_id, 'revision', m.revision,
                       'state', e.state, 'start', COALESCE(e.start_at, m.start_at))
                   ORDER BY m.start_at, m.source_key)
              FROM action_item_events m LEFT JOIN archived_events e ON e.id = m.archived_event_id
             WHERE m.item_id = i.id) AS events
      FROM action_items i
     WHERE {_SCOPE} AND {_LIVE} AND i.question = ANY(CAST(:questions AS text[]))
       AND i.start_at < :end AND i.end_at >= :start
     ORDER BY i.opened_at, i.id
""")  # noqa: S608
_OPEN = text("""
    INSERT INTO action_items AS i
        (id, tenant_id, owner_id, configuration_id, kind, question, status, about, start_at, end_at,
         opened_at, expires_at, remind_at, proposal, log, created_at, updated_at)
    SELECT v.id, :tenant, :owner, :configuration, v.kind, v.question, 'open', v.about, v.start_at, v.end_at,
           :now, v.expires_at, :remind, v.proposal, v.log, :now, :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, kind text, question text, about text, start_at timestamptz, end_at timestamptz,
                expires_at timestamptz, proposal text, log jsonb)
     ORDER BY v.about
    ON CONFLICT (configuration_id, about) WHERE status = 'open' DO NOTHING
    RETURNING i.id
""")
_ADD_EVENTS = text("""
    INSERT INTO action_item_events AS m
        (item_id, source_key, side, configuration_id, archived_event_id, source_id, revision, start_at,
         end_at, record)
    SELECT v.item_id, v.source_key, v.side, :configuration, v.archived_event_id, v.source_id, v.revision,
           v.start_at, v.end_at, v.record
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(item_id uuid, source_key text, side text, archived_event_id uuid, source_id text,
                revision text, start_at timestamptz, end_at timestamptz, record jsonb)
     WHERE v.item_id = ANY(CAST(:items AS uuid[]))
    ON CONFLICT (item_id, source_key, side) DO UPDATE
       SET revision = EXCLUDED.revision, start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at,
           record = EXCLUDED.record
""")
_TOUCH = text(f"""
    UPDATE action_items i SET version = i.version + 1, updated_at = :now, log = i.log || v.log,
           start_at = v.start_at, end_at = v.end_at
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, log jsonb, start_at timestamptz, end_at timestamptz)
     WHERE i.id = v.id AND {_SCOPE}
""")  # noqa: S608
_REOPEN = text(f"""
    UPDATE action_items i SET status = 'open', proposal = i.answer, answer = NULL, answered_at = NULL,
           answered_by = NULL, due_at = NULL, remind_at = :remind, reminders_sent = 0,
           log = i.log || CAST(:log AS jsonb), version = i.version + 1, updated_at = :now
     WHERE i.id = ANY(CAST(:ids AS uuid[])) AND {_SCOPE} AND i.status = 'answered'
       AND i.due_at IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM action_items o WHERE o.configuration_id = i.configuration_id
                          AND o.about = i.about AND o.status = 'open')
    RETURNING i.id
""")  # noqa: S608
_CLOSE = text(f"""
    UPDATE action_items i SET status = 'closed', closed_reason = :reason, due_at = NULL, remind_at = NULL,
           expires_at = NULL, log = i.log || CAST(:log AS jsonb), version = i.version + 1, updated_at = :now
     WHERE i.id = ANY(CAST(:ids AS uuid[])) AND {_SCOPE} AND {_LIVE}
    RETURNING i.id
""")  # noqa: S608
_CARRIED_OUT = text(f"""
    UPDATE action_items i SET due_at = NULL, carried_out_at = :now, updated_at = :now,
           version = i.version + 1
     WHERE i.id = ANY(CAST(:ids AS uuid[])) AND {_SCOPE} AND i.due_at IS NOT NULL
    RETURNING i.id
""")  # noqa: S608
# Written, or permanently not: locked, edited or removed by the owner, or decided otherwise by the plan.
_SETTLED = """(e.state NOT IN ('creating', 'flagged') AND (e.copy_id IS NOT NULL OR e.state <> 'present')
               AND e.pending_since IS NULL
               OR EXISTS (SELECT 1 FROM archive_operations o
                           WHERE o.run_id = :run AND o.archived_event_id = e.id
                             AND o.state IN ('locked', 'conflict')))"""
_NEW_SETTLED = f"""NOT EXISTS (
    SELECT 1 FROM action_item_events m
     WHERE m.item_id = i.id AND m.side = 'new'
       AND NOT EXISTS (SELECT 1 FROM archived_events e WHERE e.configuration_id = m.configuration_id
                          AND e.source_key = m.source_key AND {_SETTLED}))"""  # noqa: S608
_OLD_SUPERSEDED = """NOT EXISTS (
    SELECT 1 FROM action_item_events m JOIN archived_events e ON e.id = m.archived_event_id
     WHERE m.item_id = i.id AND e.state NOT IN ('superseded', 'removed_by_owner')
       AND NOT EXISTS (SELECT 1 FROM archive_operations o
                        WHERE o.run_id = :run AND o.archived_event_id = e.id
                          AND o.state IN ('locked', 'conflict')))"""
# The run began after the answer and wrote everything, and its window contained every meeting at its old and
# new time. A meeting on both sides is judged by its copy.
_SERIES_TAKEN = """EXISTS (
    SELECT 1 FROM archive_runs r
     WHERE r.id = :run AND r.planned_at IS NOT NULL AND r.plan->>'refused' IS NULL
       AND COALESCE(r.started_at, r.created_at) >= i.answered_at
       AND NOT EXISTS (SELECT 1 FROM archive_operations o
                        WHERE o.run_id = r.id AND o.state NOT IN ('done', 'locked', 'conflict'))
       AND NOT EXISTS (
           SELECT 1 FROM action_item_events m
             LEFT JOIN archived_events e
               ON e.configuration_id = m.configuration_id
              AND CASE m.side WHEN 'archived' THEN e.id = m.archived_event_id
                  ELSE e.source_key = m.source_key END
            WHERE m.item_id = i.id
              AND (m.side = 'archived' OR NOT EXISTS (
                  SELECT 1 FROM action_item_events a
                   WHERE a.item_id = i.id AND a.side = 'archived' AND a.source_key = m.source_key))
              AND NOT (m.start_at >= r.window_start AND m.start_at < r.window_end)
              AND NOT COALESCE(e.start_at >= r.window_start AND e.start_at < r.window_end, false)))"""
_WRITTEN = text(f"""
    SELECT i.id FROM action_items i
     WHERE {_SCOPE} AND i.due_at IS NOT NULL AND i.start_at < :end AND i.end_at >= :start
       AND CASE i.answer WHEN 'was_postponed' THEN {_OLD_SUPERSEDED}
                WHEN 'new_one_only' THEN {_NEW_SETTLED} AND {_OLD_SUPERSEDED}
                WHEN 'one_meeting' THEN {_NEW_SETTLED}
                WHEN 'two_meetings' THEN {_NEW_SETTLED}
                WHEN 'take_series' THEN {_SERIES_TAKEN} ELSE false END
""")  # noqa: S608
_LATER = text(f"""
    UPDATE action_items i SET due_at = :later
     WHERE {_SCOPE} AND i.due_at < :later AND i.start_at < :end AND i.end_at >= :start
       AND i.answered_at <= :began
""")  # noqa: S608
_ANSWERED_BEFORE = text("""
    SELECT DISTINCT ON (i.about) i.about, i.answer, i.answered_by FROM action_items i
     WHERE i.owner_id = :owner AND i.configuration_id <> :configuration AND i.status = 'answered'
       AND i.about = ANY(CAST(:abouts AS text[])) AND i.answer IS NOT NULL
     ORDER BY i.about, i.answered_at DESC, i.id
""")


@dataclass(frozen=True, slots=True)
class ItemEvent:
    """A meeting of an item. ``key`` is its row's present key. ``start`` decides its window.

    ``row_id`` is the map row of the side ``archived``. ``state`` is what is stored about it. ``revision`` is
    the revision that was shown.
    """

    side: Side
    key: str
    source_id: str
    revision: str
    start: datetime
    end: datetime
    row_id: UUID | None = None
    record: AppointmentRecord | None = None
    state: ArchivedEventState | None = None

    def to_row(self) -> dict[str, object]:
        """Its row of ``action_item_events``, for ``json_text``."""
        return {
            "source_key": self.key,
            "side": str(self.side),
            "archived_event_id": None if self.row_id is None else str(self.row_id),
            "source_id": self.source_id,
            "revision": self.revision,
            "start_at": self.start.isoformat(),
            "end_at": self.end.isoformat(),
            "record": self.record,
        }


@dataclass(frozen=True, slots=True)
class AskedItem:
    """A question that a plan asks."""

    question: Question
    about: str
    events: tuple[ItemEvent, ...]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item that is open, or answered and not carried out yet."""

    id: UUID
    question: Question
    about: str
    status: ActionItemStatus
    answer: Answer | None
    version: int
    archived: tuple[ItemEvent, ...]
    new: tuple[ItemEvent, ...]

    @property
    def is_open(self) -> bool:
        """Whether it waits for its answer."""
        return self.status is ActionItemStatus.OPEN


class PlanItemRepository(ConfigurationScopedRepository):
    """The action items of one configuration of one owner."""

    async def live(self, start: datetime, end: datetime, questions: Collection[Question]) -> list[StoredItem]:
        """Items of these questions that touch ``[start, end)`` and are open or not carried out yet."""
        named = sorted(map(str, questions))
        parameters = self._scope | {"start": start, "end": end, "questions": named}
        return [_stored(row) for row in await self._session.execute(_LIVE_ITEMS, parameters)]

    async def open(
        self,
        tenant_id: UUID,
        items: Sequence[tuple[UUID, AskedItem, datetime | None]],
        now: datetime,
        remind_at: datetime,
    ) -> set[UUID]:
        """Open items under these ids, each with its expiry. Returns the ids that were new."""
        if not items:
            return set()
        log = [{"at": now.isoformat(), "by": "plan", "status": "open"}]
        rows = [
            {
                "id": str(item_id),
                "kind": str(kind_of(asked.question)),
                "question": str(asked.question),
                "about": asked.about,
                "expires_at": None if expires is None else expires.isoformat(),
                "log": log,
                **_span(asked.events),
            }
            for item_id, asked, expires in items
        ]
        result = await self._session.execute(
            _OPEN,
            self._scope | {"tenant": tenant_id, "rows": json_text(rows), "now": now, "remind": remind_at},
        )
        opened = set(result.scalars())
        await self._add_events({item_id: asked.events for item_id, asked, _ in items if item_id in opened})
        return opened

    async def refresh(self, items: Mapping[UUID, AskedItem], now: datetime) -> None:
        """Store the changed content of open items as a new version (domain.md 2.16)."""
        if not items:
            return
        log = [{"at": now.isoformat(), "by": "plan", "reason": "its events changed"}]
        rows = [{"id": str(key), "log": log, **_span(asked.events)} for key, asked in items.items()]
        await self._session.execute(_TOUCH, self._scope | {"rows": json_text(rows), "now": now})
        await self._add_events({key: asked.events for key, asked in items.items()})

    async def reopen(self, ids: Collection[UUID], now: datetime, remind_at: datetime) -> set[UUID]:
        """Ask answered items again that were not carried out. The answer stays as a proposal."""
        log = [{"at": now.isoformat(), "by": "plan", "reason": "its events changed: reopened"}]
        return await self._changed(_REOPEN, ids, now=now, remind=remind_at, log=json_text(log))

    async def close(self, ids: Collection[UUID], reason: CloseReason, now: datetime) -> set[UUID]:
        """Close items without a question. Returns the ids of those that were not over already."""
        log = [{"at": now.isoformat(), "by": "plan", "status": "closed", "reason": str(reason)}]
        return await self._changed(_CLOSE, ids, now=now, reason=str(reason), log=json_text(log))

    async def carried_out(self, ids: Collection[UUID], now: datetime) -> set[UUID]:
        """Record that the answers were carried out."""
        return await self._changed(_CARRIED_OUT, ids, now=now)

    async def written(self, run_id: UUID, start: datetime, end: datetime) -> set[UUID]:
        """Items that touch ``[start, end)`` whose answers are in the archive calendar after the run.

        An answer also counts as done if a locked period or an edit of the owner prevents it.
        """
        parameters = self._scope | {"run": run_id, "start": start, "end": end}
        return set((await self._session.execute(_WRITTEN, parameters)).scalars())

    async def put_off(self, start: datetime, end: datetime, began: datetime, later: datetime) -> None:
        """Leave due items to the nightly runs, and from ``later`` on to the timer.

        Only answers from before the run ``began``. Later ones wait for the next run.
        """
        parameters = self._scope | {"start": start, "end": end, "began": began, "later": later}
        await self._session.execute(_LATER, parameters)

    async def answered_alike(self, abouts: Collection[str]) -> dict[str, tuple[Answer, str]]:
        """The owner's answer to the same question in another archive, and who answered (domain.md 2.18)."""
        if not abouts:
            return {}
        rows = await self._session.execute(_ANSWERED_BEFORE, self._scope | {"abouts": sorted(abouts)})
        return {row.about: (Answer(row.answer), row.answered_by) for row in rows}

    async def _changed(self, statement: Any, ids: Collection[UUID], **parameters: Any) -> set[UUID]:
        if not ids:
            return set()
        result = await self._session.execute(statement, self._scope | {"ids": list(ids)} | parameters)
        return set(result.scalars())

    async def _add_events(self, items: Mapping[UUID, Sequence[ItemEvent]]) -> None:
        rows = [
            {"item_id": str(item_id), **event.to_row()}
            for item_id, events in items.items()
            for event in events
        ]
        if rows:
            parameters = {"rows": json_text(rows), "items": list(items)}
            await self._session.execute(_ADD_EVENTS, self._scope | parameters)


def _span(events: Sequence[ItemEvent]) -> dict[str, str]:
    return {
        "start_at": min(event.start for event in events).isoformat(),
        "end_at": max(max(event.start, event.end) for event in events).isoformat(),
    }


def _stored(row: Any) -> StoredItem:
    events = [
        ItemEvent(
            side=Side(each["side"]),
            key=each["key"],
            source_id=each["source_id"],
            revision=each["revision"],
            start=datetime.fromisoformat(each["start"]),
            end=datetime.fromisoformat(each["start"]),
            row_id=None if each["row_id"] is None else UUID(each["row_id"]),
            state=None if each["state"] is None else ArchivedEventState(each["state"]),
        )
        for each in row.events or ()
    ]
    return StoredItem(
        id=row.id,
        question=Question(row.question),
        about=row.about,
        status=ActionItemStatus(row.status),
        answer=None if row.answer is None else Answer(row.answer),
        version=row.version,
        archived=tuple(event for event in events if event.side is Side.ARCHIVED),
        new=tuple(event for event in events if event.side is Side.NEW),
    )
