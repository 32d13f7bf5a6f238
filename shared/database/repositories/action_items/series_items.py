"""Action items of changed series, and their rows (domain.md 2.17).

``series`` of an item stores the series, its shape, and the range of the windows that were compared since.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.action_items.plan_items import ItemEvent
from shared.database.repositories.base import ConfigurationScopedRepository, json_text
from shared.domain.action_items.items import ActionItemStatus, Answer, Question, Side, about, kind_of
from shared.domain.planning.series_reset import Difference, KnownReset, Occurrence, Span, Standing

_SCOPE = "i.owner_id = :owner AND i.configuration_id = :configuration"
_STORED = text(f"""
    SELECT i.id, i.status, i.answer, i.due_at IS NOT NULL AS due, i.series,
           (SELECT jsonb_agg(jsonb_build_object('side', m.side, 'key', m.source_key,
                                                'start', m.start_at, 'end', m.end_at))
              FROM action_item_events m WHERE m.item_id = i.id) AS events
      FROM action_items i
     WHERE {_SCOPE} AND i.question = '{Question.SERIES_CHANGED}' AND i.status <> 'closed'
     ORDER BY i.opened_at, i.id
""")  # noqa: S608
# One item for each series. Two plans that find the change at the same time open it once.
_OPEN = text(f"""
    INSERT INTO action_items AS i
        (id, tenant_id, owner_id, configuration_id, kind, question, status, about, start_at, end_at, series,
         opened_at, expires_at, remind_at, log, created_at, updated_at)
    SELECT :id, :tenant, :owner, :configuration, '{kind_of(Question.SERIES_CHANGED)}',
           '{Question.SERIES_CHANGED}', 'open', :about, :start_at, :end_at, CAST(:series AS jsonb), :now,
           :expires_at, :remind_at, CAST(:log AS jsonb), :now, :now
    ON CONFLICT (configuration_id, about) WHERE status = 'open' DO NOTHING
    RETURNING i.id
""")
_SHOW = text(f"""
    UPDATE action_items i SET about = :about, series = CAST(:series AS jsonb), start_at = :start_at,
           end_at = :end_at, version = i.version + 1, log = i.log || CAST(:log AS jsonb), updated_at = :now
     WHERE i.id = :id AND {_SCOPE}
""")  # noqa: S608
_ASK_AGAIN = text(f"""
    UPDATE action_items i SET status = 'open', proposal = i.answer, answer = NULL, answered_at = NULL,
           answered_by = NULL, due_at = NULL, carried_out_at = NULL, expires_at = :expires_at,
           remind_at = :remind_at, reminders_sent = 0
     WHERE i.id = :id AND {_SCOPE} AND i.status <> 'open'
""")  # noqa: S608
_SEE_MORE = text(f"""
    UPDATE action_items i SET series = CAST(:series AS jsonb), start_at = :start_at, end_at = :end_at,
           updated_at = :now
     WHERE i.id = :id AND {_SCOPE}
""")  # noqa: S608
_FORGET_EVENTS = text("""
    DELETE FROM action_item_events m USING action_items i
     WHERE m.item_id = i.id AND i.id = :id AND i.owner_id = :owner AND i.configuration_id = :configuration
       AND NOT m.side || ' ' || m.source_key = ANY(CAST(:kept AS text[]))
""")
# If the archived side was superseded since, its key changed, but its row is the same.
_ADD_EVENTS = text("""
    INSERT INTO action_item_events AS m
        (item_id, source_key, side, configuration_id, archived_event_id, source_id, revision, start_at,
         end_at, record)
    SELECT :id, v.source_key, v.side, :configuration, v.archived_event_id, v.source_id, v.revision,
           v.start_at, v.end_at, v.record
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, side text, archived_event_id uuid, source_id text, revision text,
                start_at timestamptz, end_at timestamptz, record jsonb)
    ON CONFLICT (item_id, source_key, side) DO UPDATE
       SET revision = EXCLUDED.revision, start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at,
           record = EXCLUDED.record, archived_event_id = EXCLUDED.archived_event_id
""")
# A series and its predecessors before splits: their keys are among the former keys of its rows (2.16 b).
_ROWS = text("""
    WITH wanted AS (SELECT unnest(CAST(:series AS text[])) AS series),
         members AS (
            SELECT series, series AS member FROM wanted
             UNION
            SELECT w.series, split_part(f.key, ':', 2)
              FROM wanted w
              JOIN archived_events e ON e.configuration_id = :configuration AND e.owner_id = :owner
                                    AND e.series_id = w.series
             CROSS JOIN LATERAL unnest(e.former_keys) AS f(key)
             WHERE f.key LIKE 'o:%')
    SELECT m.series, m.series = m.member AS own, e.id, e.source_key, e.source_id, e.revision, e.start_at,
           a.end_at, e.state = 'source_deleted' AS gone
      FROM members m
      JOIN archived_events e ON e.configuration_id = :configuration AND e.owner_id = :owner
                            AND e.series_id = m.member
      JOIN appointments a ON a.archived_event_id = e.id
     WHERE e.start_at >= :start AND e.start_at < :end AND e.copy_id IS NOT NULL
       AND e.superseding_since IS NULL AND e.state IN ('present', 'source_deleted')
       AND position('@' IN e.source_key) = 0
     ORDER BY e.start_at, e.source_key
""")


class SeriesRow(NamedTuple):
    """A copy of a series, or of its predecessor (``own`` False). ``gone``: its source is gone.

    ``start`` decides its window. ``end`` is that of the copy. Both are UTC.
    """

    series: str
    own: bool
    id: UUID
    key: str
    source_id: str
    revision: str
    start: datetime
    end: datetime
    gone: bool


@dataclass(frozen=True, slots=True)
class StoredReset:
    """The item of a series. ``due``: its answer must be carried out."""

    item_id: UUID
    series_id: str
    reset: KnownReset
    due: bool


@dataclass(frozen=True, slots=True)
class ShownReset:
    """The new content of an item: its series and the differences.

    ``events`` are the sides of differences that this plan knows. The others are stored already.
    """

    item_id: UUID
    series_id: str
    shape: str
    seen: Span
    differences: tuple[Difference, ...]
    events: tuple[ItemEvent, ...]

    @property
    def about(self) -> str:
        """An id of the change, equal in every archive of the series (domain.md 2.18)."""
        return about(Question.SERIES_CHANGED, [self.series_id], [self.shape])

    @property
    def sides(self) -> list[tuple[Side, Occurrence]]:
        """Every meeting that the item shows."""
        return [
            (side, occurrence)
            for each in self.differences
            for side, occurrence in ((Side.ARCHIVED, each.archived), (Side.NEW, each.now))
            if occurrence is not None
        ]


class SeriesItemRepository(ConfigurationScopedRepository):
    """The items of changed series of one configuration of one owner."""

    async def stored(self) -> list[StoredReset]:
        """Items that are open or decided, one for each series."""
        rows = await self._session.execute(_STORED, self._scope)
        return [_stored(row) for row in rows if row.series is not None]

    async def rows(
        self, series: Collection[str], start: datetime, end: datetime
    ) -> dict[str, list[SeriesRow]]:
        """The copies that start in ``[start, end)``, by series, without superseded ones."""
        if not series:
            return {}
        result = await self._session.execute(
            _ROWS, self._scope | {"series": sorted(series), "start": start, "end": end}
        )
        found: dict[str, list[SeriesRow]] = defaultdict(list)
        for row in result:
            found[row.series].append(SeriesRow(*row))
        return found

    async def open(
        self, tenant_id: UUID, shown: ShownReset, now: datetime, expires_at: datetime, remind_at: datetime
    ) -> bool:
        """Open the item. False if another plan asks already."""
        log = [{"at": now.isoformat(), "by": "plan", "status": str(ActionItemStatus.OPEN)}]
        parameters = self._parameters(shown, now, log) | {
            "tenant": tenant_id,
            "expires_at": expires_at,
            "remind_at": remind_at,
        }
        opened = (await self._session.execute(_OPEN, parameters)).one_or_none() is not None
        if opened:
            await self._set_events(shown)
        return opened

    async def show(self, shown: ShownReset, now: datetime, reason: str) -> None:
        """Store new content of the item as a new version."""
        log = [{"at": now.isoformat(), "by": "plan", "reason": reason}]
        await self._session.execute(_SHOW, self._parameters(shown, now, log))
        await self._set_events(shown)

    async def ask_again(
        self, shown: ShownReset, now: datetime, expires_at: datetime, remind_at: datetime
    ) -> None:
        """Ask a decided item again. The decision stays as a proposal."""
        parameters = self._scope | {"id": shown.item_id, "expires_at": expires_at, "remind_at": remind_at}
        await self._session.execute(_ASK_AGAIN, parameters)
        await self.show(shown, now, "the series changed again: reopened")

    async def see_more(self, shown: ShownReset, now: datetime) -> None:
        """Record that more of the calendar was compared. Nobody is asked."""
        await self._session.execute(_SEE_MORE, self._parameters(shown, now, []))
        await self._set_events(shown)

    async def _set_events(self, shown: ShownReset) -> None:
        rows = [event.to_row() for event in shown.events]
        kept = [f"{side} {occurrence.key}" for side, occurrence in shown.sides]
        scope = self._scope | {"id": shown.item_id}
        await self._session.execute(_FORGET_EVENTS, scope | {"kept": kept})
        await self._session.execute(_ADD_EVENTS, scope | {"rows": json_text(rows)})

    def _parameters(self, shown: ShownReset, now: datetime, log: list[dict[str, str]]) -> dict[str, Any]:
        series = {
            "id": shown.series_id,
            "shape": shown.shape,
            "seen": [shown.seen.start.isoformat(), shown.seen.end.isoformat()],
        }
        meetings = [occurrence for _, occurrence in shown.sides]
        return self._scope | {
            "id": shown.item_id,
            "about": shown.about,
            "start_at": min(each.start for each in meetings),
            "end_at": max(max(each.start, each.end) for each in meetings),
            "series": json_text(series),
            "log": json_text(log),
            "now": now,
        }


def _stored(row: Any) -> StoredReset:
    sides = {(Side(each["side"]), each["key"]): _occurrence(each) for each in row.events or ()}
    keys = sorted({key for _, key in sides})
    first, last = (datetime.fromisoformat(each) for each in row.series["seen"])
    differences = (Difference(sides.get((Side.ARCHIVED, key)), sides.get((Side.NEW, key))) for key in keys)
    return StoredReset(
        item_id=row.id,
        series_id=row.series["id"],
        reset=KnownReset(
            _standing(row.status, row.answer), row.series["shape"], Span(first, last), _ordered(differences)
        ),
        due=row.due,
    )


def _standing(status: str, answer: str | None) -> Standing:
    if status == ActionItemStatus.OPEN:
        return Standing.OPEN
    return Standing.TAKEN if answer == Answer.TAKE_SERIES else Standing.KEPT


def _occurrence(event: Mapping[str, Any]) -> Occurrence:
    start, end = datetime.fromisoformat(event["start"]), datetime.fromisoformat(event["end"])
    return Occurrence(event["key"], start, end)


def _ordered(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(differences, key=lambda each: (each.start, each.key)))
