"""The map from source keys to archived copies (design.md, Tables). Every read names the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from shared.database.repositories.base import OF_CONFIGURATION, ConfigurationScopedRepository, json_text
from shared.domain.events.source_event import generation_key
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState

MAP_COLUMNS = (
    "id, source_key, archive_key, source_id, ical_uid, original_start, state, copy_id, copy_etag, "
    "generation, revision, start_at, merged_into, pending_since, left_out, modifications, "
    "conflict_revision, series_id, kept_categories, superseding_since, lost_at"
)
MAP_SCOPE = "owner_id = :owner AND configuration_id = :configuration"
_LIVING = "state IN ('creating', 'present', 'merged', 'consumed', 'flagged')"
_PLANNED = "state NOT IN ('removed_by_owner', 'source_deleted', 'superseded')"

# One index lookup for each key. OFFSET 0 excludes the owner's index, with which the planner would read
# everything of the owner.
_BY_KEYS = text(f"""
    SELECT {MAP_COLUMNS} FROM unnest(CAST(:keys AS text[])) AS wanted(key)
      JOIN LATERAL (SELECT * FROM archived_events e WHERE e.{OF_CONFIGURATION}
                       AND e.source_key = wanted.key OFFSET 0) AS found ON owner_id = :owner
""")  # noqa: S608
_MERGED_INTO = text(f"""
    SELECT {MAP_COLUMNS} FROM archived_events
     WHERE {MAP_SCOPE} AND state = 'merged' AND merged_into = :key ORDER BY source_key
""")  # noqa: S608
_BY_ID = text(f"""
    SELECT {MAP_COLUMNS} FROM archived_events
     WHERE owner_id = :owner AND configuration_id = :configuration AND id = :id
""")  # noqa: S608
_IN_WINDOW = text(f"""
    SELECT start_at, source_key FROM archived_events
     WHERE {MAP_SCOPE} AND {_LIVING} AND start_at < :end AND (start_at, source_key) > (:start, :after)
     ORDER BY start_at, source_key LIMIT :limit
""")  # noqa: S608
_PENDING = text(
    f"SELECT {MAP_COLUMNS} FROM archived_events WHERE {MAP_SCOPE} AND pending_since >= :since "  # noqa: S608
    f"AND NOT (start_at >= :start AND start_at < :end) AND {_PLANNED} ORDER BY source_key LIMIT :limit"
)
# One lookup of the archive key for each row, whatever the statistics say.
_INSERT = text("""
    INSERT INTO archived_events
        (id, owner_id, configuration_id, source_key, archive_key, generation, source_id, ical_uid,
         original_start, state, start_at, series_id, entered_by)
    SELECT gen_random_uuid(), :owner, :configuration, v.source_key, v.archive_key, v.generation, v.source_id,
           v.ical_uid, v.original_start, v.state, v.start_at, v.series_id, v.entered_by
      FROM json_to_recordset(CAST(:rows AS json)) AS v(source_key text, archive_key text, generation int,
           source_id text, ical_uid text, original_start timestamptz, state text, start_at timestamptz,
           series_id text, entered_by uuid)
     WHERE (SELECT count(*) FROM (SELECT * FROM archived_events e WHERE e.archive_key = v.archive_key
                                   OFFSET 0) AS taken WHERE taken.configuration_id = :configuration) = 0
    ON CONFLICT (configuration_id, source_key) DO NOTHING
    RETURNING source_key
""")
_SET_STATE = text(f"""
    UPDATE archived_events SET state = :state, updated_at = :now
     WHERE {MAP_SCOPE} AND id = ANY(CAST(:ids AS uuid[]))
""")  # noqa: S608
_SET_PRESENT = text(f"""
    UPDATE archived_events SET state = 'present', merged_into = NULL, updated_at = :now
     WHERE {MAP_SCOPE} AND source_key = ANY(CAST(:keys AS text[])) AND state IN ('source_deleted', 'consumed')
       AND copy_id IS NOT NULL
    RETURNING id
""")  # noqa: S608
# Only a modification with a copy is removed from the count. Everything else stays. The copy keeps its
# content, which is compared if the event is archived alone again.
_SET_ASIDE = text(f"""
    UPDATE archived_events e SET state = v.state, merged_into = v.merged_into, left_out = v.left_out,
           revision = CASE WHEN e.copy_id IS NULL THEN v.revision ELSE e.revision END,
           start_at = COALESCE(v.start_at, e.start_at), pending_since = NULL, updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, state text, merged_into text, left_out text, revision text,
                start_at timestamptz)
     WHERE {MAP_SCOPE} AND e.source_key = v.source_key
       AND (e.copy_id IS NULL OR v.state = 'consumed' AND e.state NOT IN ('present', 'source_deleted'))
    RETURNING e.id, e.state
""")  # noqa: S608
_MOVE = text(f"""
    UPDATE archived_events e SET start_at = v.start_at, updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json)) AS v(source_key text, start_at timestamptz)
     WHERE {MAP_SCOPE} AND e.source_key = v.source_key AND e.start_at <> v.start_at
""")  # noqa: S608
_RENEW_COPY = text(f"""
    UPDATE archived_events SET copy_id = NULL, copy_etag = NULL, generation = generation + 1,
           updated_at = :now
     WHERE {MAP_SCOPE} AND id = :id AND generation = :generation
""")  # noqa: S608
_MERGE = text(f"""
    UPDATE archived_events e SET state = 'merged', merged_into = v.representative, revision = v.revision,
           updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, representative text, revision text)
     WHERE {MAP_SCOPE} AND e.source_key = v.source_key AND e.copy_id IS NULL
""")  # noqa: S608
_SEPARATE = text(f"""
    UPDATE archived_events SET state = 'creating', merged_into = NULL, revision = '', updated_at = :now
     WHERE {MAP_SCOPE} AND source_key = ANY(CAST(:keys AS text[])) AND state = 'merged'
""")  # noqa: S608
_RELEASE_COPY = text(f"""
    UPDATE archived_events SET state = 'source_deleted', copy_id = NULL, copy_etag = NULL,
           archive_key = :archive_key, generation = generation + 1, revision = '', modifications = '[]',
           conflict_revision = NULL, pending_since = NULL, updated_at = :now
     WHERE {MAP_SCOPE} AND id = :id
""")  # noqa: S608
_RECEIVE_COPY = text(f"""
    UPDATE archived_events SET state = 'present', merged_into = NULL, copy_id = :copy_id,
           copy_etag = :copy_etag, archive_key = :archive_key, generation = :generation,
           revision = :revision, modifications = CAST(CAST(:modifications AS text) AS jsonb),
           conflict_revision = :conflict_revision,
           former_keys = former_keys || CAST(:former_keys AS text[]), updated_at = :now
     WHERE {MAP_SCOPE} AND id = :id
""")  # noqa: S608
_REDIRECT = text(f"""
    UPDATE archived_events SET merged_into = :new, updated_at = :now
     WHERE {MAP_SCOPE} AND merged_into = :old AND source_key <> :new
""")  # noqa: S608


class MapRow(NamedTuple):
    """One row of the map. ``copy_id`` is None until its copy is known to exist.

    It is a tuple because a window has thousands. A dataclass would take ten times as long to create.
    """

    id: UUID
    source_key: str
    archive_key: str
    source_id: str
    ical_uid: str
    original_start: datetime
    state: ArchivedEventState
    copy_id: str | None
    copy_etag: str | None
    generation: int
    revision: str
    start_at: datetime
    merged_into: str | None
    pending_since: datetime | None
    left_out: LeftOut | None
    modifications: tuple[Modification, ...]
    conflict_revision: str | None
    series_id: str | None
    kept_categories: tuple[str, ...]
    superseding_since: datetime | None = None
    #: Since when its copy is lost with its calendar and waits to be created again.
    lost_at: datetime | None = None

    @property
    def had_copy(self) -> bool:
        """Whether it has a copy, or had one that was lost with its calendar."""
        return self.copy_id is not None or self.lost_at is not None

    @classmethod
    def of(cls, row: Row[Any]) -> "MapRow":
        """From the row, with its columns in the order of the fields."""
        return cls.of_columns(row)

    @classmethod
    def of_columns(cls, columns: Sequence[Any]) -> "MapRow":
        """From the columns ``MAP_COLUMNS``."""
        as_read: Any = cls._make(columns)
        renewed: MapRow = as_read._replace(
            state=ArchivedEventState(as_read.state),
            left_out=None if as_read.left_out is None else LeftOut(as_read.left_out),
            modifications=tuple(map(Modification.from_json, as_read.modifications)),
            kept_categories=tuple(as_read.kept_categories),
        )
        return renewed


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that has no own copy from now on: consumed by ``merged_into``, left out, or flagged.

    ``start_at`` is the instant that decides its window. None if unchanged.
    """

    source_key: str
    state: ArchivedEventState
    revision: str
    merged_into: str | None = None
    left_out: LeftOut | None = None
    start_at: datetime | None = None


class NewMapRow(TypedDict):
    """A row for an event that is seen for the first time. Times are ISO 8601. ``entered_by`` is the run."""

    source_key: str
    source_id: str
    ical_uid: str
    original_start: str
    state: str
    start_at: str
    series_id: str | None
    entered_by: str


class ArchivedEventRepository(ConfigurationScopedRepository):
    """The ``archived_events`` table of one configuration of one owner."""

    async def _map_rows(self, statement: Any, **parameters: Any) -> list[MapRow]:
        result = await self._session.execute(statement, self._scope | parameters)
        return [MapRow.of(row) for row in result]

    async def by_keys(self, keys: Sequence[str]) -> dict[str, MapRow]:
        """The rows of these source keys."""
        return {row.source_key: row for row in await self._map_rows(_BY_KEYS, keys=list(keys))}

    async def merged_into(self, key: str) -> list[MapRow]:
        """The duplicates whose representative is the event of ``key``, by key (domain.md 2.9)."""
        return await self._map_rows(_MERGED_INTO, key=key)

    async def by_id(self, row_id: UUID) -> MapRow | None:
        """The row of this id."""
        rows = await self._map_rows(_BY_ID, id=row_id)
        return rows[0] if rows else None

    async def keys_in_window(
        self, start: datetime, end: datetime, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[tuple[datetime, str]]:
        """Owning start and key of the living rows of ``[start, end)``, in that order, after ``after``."""
        begin, key = after or (start, "")
        result = await self._session.execute(
            _IN_WINDOW, self._scope | {"start": begin, "after": key, "end": end, "limit": limit}
        )
        return [(row.start_at, row.source_key) for row in result]

    async def pending_outside(
        self, start: datetime, end: datetime, since: datetime, limit: int
    ) -> list[MapRow]:
        """Rows whose last write failed after ``since`` and that are not in the window (2.2)."""
        return await self._map_rows(_PENDING, start=start, end=end, since=since, limit=limit)

    async def add(self, rows: Sequence[NewMapRow]) -> dict[str, MapRow]:
        """Insert rows.

        An existing source key stays unchanged. If a re-pointed row has its archive key, the new row gets that
        of a later generation. So no two copies carry the same one. Returns the rows whose archive key is not
        that of generation 0.
        """
        wanted = {row["source_key"]: row for row in rows}
        others = wanted.keys() - await self._insert(list(wanted.values()), 0)
        if not others:
            return {}
        generation, left = 0, set(others)
        while True:
            # Another plan may insert one at any moment, so it is searched again each time.
            left -= (await self.by_keys(sorted(left))).keys()
            if not left:
                break
            generation += 1
            left -= await self._insert([wanted[key] for key in sorted(left)], generation)
        configuration = self._scope["configuration"]
        found = await self.by_keys(sorted(others))
        return {
            key: row for key, row in found.items() if row.archive_key != generation_key(configuration, key, 0)
        }

    async def _insert(self, rows: Sequence[NewMapRow], generation: int) -> set[str]:
        """The source keys of the inserted rows."""
        if not rows:
            return set()
        configuration = self._scope["configuration"]
        values = [
            {
                **row,
                "generation": generation,
                "archive_key": generation_key(configuration, row["source_key"], generation),
            }
            for row in rows
        ]
        result = await self._session.execute(_INSERT, self._scope | {"rows": orjson.dumps(values).decode()})
        return set(result.scalars())

    async def set_state(self, ids: Sequence[UUID], state: ArchivedEventState, now: datetime) -> None:
        """Set the state of rows."""
        if ids:
            await self._session.execute(
                _SET_STATE, self._scope | {"ids": list(ids), "state": str(state), "now": now}
            )

    async def set_present(self, keys: Sequence[str], now: datetime) -> list[UUID]:
        """Rows that were gone or consumed have their own copies again, unchanged. Returns their ids."""
        if not keys:
            return []
        result = await self._session.execute(_SET_PRESENT, self._scope | {"keys": list(keys), "now": now})
        return list(result.scalars())

    async def merge(self, merges: Mapping[str, tuple[str, str]], now: datetime) -> None:
        """Point duplicates without a copy to ``(representative, own revision)`` (domain.md 2.9)."""
        if merges:
            rows = [
                {"source_key": key, "representative": representative, "revision": revision}
                for key, (representative, revision) in merges.items()
            ]
            await self._session.execute(
                _MERGE, self._scope | {"rows": orjson.dumps(rows).decode(), "now": now}
            )

    async def set_aside(self, rows: Sequence[SetAside], now: datetime) -> list[UUID]:
        """Record what is consumed, left out or flagged. Returns the ids of consumed rows (2.7, 4.6, 5.3).

        Rows with a copy stay archived. A modification is consumed once its copy says so (4.6).
        """
        if not rows:
            return []
        values = [asdict(row) for row in rows]
        result = await self._session.execute(
            _SET_ASIDE, self._scope | {"rows": orjson.dumps(values).decode(), "now": now}
        )
        return [row.id for row in result if row.state == ArchivedEventState.CONSUMED]

    async def move(self, starts: Mapping[str, datetime], now: datetime) -> None:
        """Set the new start of events that wait without a copy."""
        if starts:
            rows = [{"source_key": key, "start_at": start} for key, start in starts.items()]
            await self._session.execute(
                _MOVE, self._scope | {"rows": orjson.dumps(rows).decode(), "now": now}
            )

    async def renew_copy(self, archived_event_id: UUID, generation: int, now: datetime) -> None:
        """Prepare another generation, because this generation's copy is gone (domain.md 2.10)."""
        await self._session.execute(
            _RENEW_COPY, self._scope | {"id": archived_event_id, "generation": generation, "now": now}
        )

    async def separate(self, keys: Sequence[str], now: datetime) -> None:
        """Give former duplicates that differ now copies of their own (domain.md 2.9)."""
        if keys:
            await self._session.execute(_SEPARATE, self._scope | {"keys": list(keys), "now": now})

    async def take_over(self, former: MapRow, heir: MapRow, now: datetime) -> None:
        """Give a vanished representative's copy to its heir, with the archive key (domain.md 2.9)."""
        # If the former representative returns, it gets its own copy, under an unused key.
        again = generation_key(self._scope["configuration"], former.source_key, former.generation + 1)
        await self._session.execute(
            _RELEASE_COPY, self._scope | {"id": former.id, "archive_key": again, "now": now}
        )
        await self._session.execute(
            _RECEIVE_COPY,
            self._scope
            | {
                "id": heir.id,
                "copy_id": former.copy_id,
                "copy_etag": former.copy_etag,
                "archive_key": former.archive_key,
                "generation": former.generation,
                "revision": former.revision,
                "modifications": json_text([each.to_json() for each in former.modifications]),
                "conflict_revision": former.conflict_revision,
                "former_keys": [former.source_key],
                "now": now,
            },
        )
        await self.redirect(former.source_key, heir.source_key, now)

    async def redirect(self, old: str, new: str, now: datetime) -> None:
        """Let rows that point to ``old`` (representative or meeting) point to ``new``."""
        await self._session.execute(_REDIRECT, self._scope | {"old": old, "new": new, "now": now})
