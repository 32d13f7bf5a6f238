"""The map from source keys to archived copies (design.md, Tables). All reads take the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.domain.archived_event import ArchivedEventState
from shared.domain.modifications import Modification
from shared.domain.purpose import LeftOut
from shared.domain.source_event import archive_key

_COLUMNS = (
    "id, source_key, archive_key, source_id, ical_uid, original_start, state, copy_id, copy_etag, "
    "generation, revision, start_at, merged_into, pending_since, left_out, modifications, conflict_revision"
)
_SCOPE = "owner_id = :owner AND configuration_id = :configuration"
_LIVING = "state IN ('creating', 'present', 'merged', 'consumed', 'flagged')"
_PLANNED = "state NOT IN ('removed_by_owner', 'source_deleted')"

# One index lookup for each key, whatever the statistics say of a table that is just being filled: OFFSET 0
# keeps the owner's index out of it, by which the planner would read everything the owner has.
_BY_KEYS = text(f"""
    SELECT {_COLUMNS} FROM unnest(CAST(:keys AS text[])) AS wanted(key)
      JOIN LATERAL (SELECT * FROM archived_events e WHERE e.configuration_id = :configuration
                       AND e.source_key = wanted.key OFFSET 0) AS found ON owner_id = :owner
""")  # noqa: S608
_BY_ID = text(f"""
    SELECT {_COLUMNS} FROM archived_events
     WHERE owner_id = :owner AND configuration_id = :configuration AND id = :id
""")  # noqa: S608
_BY_UIDS = text(f"""
    SELECT {_COLUMNS} FROM unnest(CAST(:uids AS text[])) AS wanted(uid)
      JOIN LATERAL (SELECT * FROM archived_events e WHERE e.configuration_id = :configuration
                       AND e.ical_uid = wanted.uid OFFSET 0) AS found
        ON owner_id = :owner AND state <> 'removed_by_owner'
""")  # noqa: S608
_IN_WINDOW = text(f"""
    SELECT {_COLUMNS} FROM archived_events
     WHERE {_SCOPE} AND {_LIVING} AND start_at < :end AND (start_at, source_key) > (:start, :after)
     ORDER BY start_at, source_key LIMIT :limit
""")  # noqa: S608
_PENDING = text(
    f"SELECT {_COLUMNS} FROM archived_events WHERE {_SCOPE} AND pending_since >= :since "  # noqa: S608
    f"AND NOT (start_at >= :start AND start_at < :end) AND {_PLANNED} ORDER BY source_key LIMIT :limit"
)
_INSERT = text("""
    INSERT INTO archived_events
        (id, owner_id, configuration_id, source_key, archive_key, source_id, ical_uid, original_start,
         state, start_at)
    SELECT v.id, :owner, :configuration, v.source_key, v.archive_key, v.source_id, v.ical_uid,
           v.original_start, v.state, v.start_at
      FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, source_key text, archive_key text,
           source_id text, ical_uid text, original_start timestamptz, state text, start_at timestamptz)
    ON CONFLICT (configuration_id, source_key) DO NOTHING
""")
_SET_STATE = text(f"""
    UPDATE archived_events SET state = :state, updated_at = :now
     WHERE {_SCOPE} AND id = ANY(CAST(:ids AS uuid[]))
""")  # noqa: S608
_SET_PRESENT = text(f"""
    UPDATE archived_events SET state = 'present', merged_into = NULL, updated_at = :now
     WHERE {_SCOPE} AND source_key = ANY(CAST(:keys AS text[])) AND state IN ('source_deleted', 'consumed')
       AND copy_id IS NOT NULL
    RETURNING id
""")  # noqa: S608
# Only a modification is taken out of the count where it has a copy already; everything else then stays.
_SET_ASIDE = text(f"""
    UPDATE archived_events e SET state = v.state, merged_into = v.merged_into, left_out = v.left_out,
           revision = v.revision, start_at = COALESCE(v.start_at, e.start_at), pending_since = NULL,
           updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, state text, merged_into text, left_out text, revision text,
                start_at timestamptz)
     WHERE {_SCOPE} AND e.source_key = v.source_key AND (v.state = 'consumed' OR e.copy_id IS NULL)
    RETURNING e.id, e.state
""")  # noqa: S608
_MOVE = text(f"""
    UPDATE archived_events e SET start_at = v.start_at, updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json)) AS v(source_key text, start_at timestamptz)
     WHERE {_SCOPE} AND e.source_key = v.source_key AND e.start_at <> v.start_at
""")  # noqa: S608
_RENEW_COPY = text(f"""
    UPDATE archived_events SET copy_id = NULL, copy_etag = NULL, generation = generation + 1,
           updated_at = :now
     WHERE {_SCOPE} AND id = :id AND generation = :generation
""")  # noqa: S608
_MERGE = text(f"""
    UPDATE archived_events e SET state = 'merged', merged_into = v.representative, revision = v.revision,
           updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, representative text, revision text)
     WHERE {_SCOPE} AND e.source_key = v.source_key AND e.copy_id IS NULL
""")  # noqa: S608
_SEPARATE = text(f"""
    UPDATE archived_events SET state = 'creating', merged_into = NULL, revision = '', updated_at = :now
     WHERE {_SCOPE} AND source_key = ANY(CAST(:keys AS text[])) AND state = 'merged'
""")  # noqa: S608
_REPOINT = text(f"""
    UPDATE archived_events SET source_key = :source_key, source_id = :source_id,
           original_start = :original_start, updated_at = :now,
           state = CASE WHEN copy_id IS NOT NULL THEN 'present' WHEN state = 'flagged' THEN state
                   ELSE 'creating' END
     WHERE {_SCOPE} AND id = :id
""")  # noqa: S608
_RELEASE_COPY = text(f"""
    UPDATE archived_events SET state = 'source_deleted', copy_id = NULL, copy_etag = NULL,
           archive_key = :archive_key, generation = generation + 1, revision = '', updated_at = :now
     WHERE {_SCOPE} AND id = :id
""")  # noqa: S608
_RECEIVE_COPY = text(f"""
    UPDATE archived_events SET state = 'present', merged_into = NULL, copy_id = :copy_id,
           copy_etag = :copy_etag, archive_key = :archive_key, generation = :generation,
           revision = :revision, updated_at = :now
     WHERE {_SCOPE} AND id = :id
""")  # noqa: S608
_REDIRECT = text(f"""
    UPDATE archived_events SET merged_into = :new, updated_at = :now
     WHERE {_SCOPE} AND merged_into = :old AND source_key <> :new
""")  # noqa: S608
# A copy made anew says what was recorded: a change that was not written before it was lost still is to be.
_APPLY = text(f"""
    UPDATE archived_events e
       SET state = CASE WHEN v.state = 'removed' THEN 'removed_by_owner' WHEN v.state <> 'done' THEN e.state
                   WHEN COALESCE((o.record->>'source_gone')::boolean, false) THEN 'source_deleted'
                   ELSE 'present' END,
           merged_into = CASE v.state WHEN 'done' THEN NULL ELSE e.merged_into END,
           left_out = CASE v.state WHEN 'done' THEN NULL ELSE e.left_out END,
           modifications = CASE v.state WHEN 'done' THEN COALESCE(o.record->'modifications', '[]')
                           ELSE e.modifications END,
           conflict_revision = CASE v.state WHEN 'conflict' THEN o.revision WHEN 'done' THEN NULL
                               ELSE e.conflict_revision END,
           copy_id = COALESCE(v.copy_id, e.copy_id), copy_etag = COALESCE(v.etag, e.copy_etag),
           revision = CASE v.state WHEN 'done' THEN COALESCE(v.revision, o.revision) ELSE e.revision END,
           start_at = CASE v.state WHEN 'done'
                      THEN COALESCE((o.record->>'owning_start')::timestamptz, e.start_at) ELSE e.start_at END,
           pending_since = CASE WHEN v.state = 'failed' THEN COALESCE(e.pending_since, :now)
                           WHEN v.state = 'done' AND e.pending_since <= e.lost_at THEN e.pending_since END,
           lost_at = CASE v.state WHEN 'done' THEN NULL ELSE e.lost_at END,
           updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, state text, copy_id text, etag text, revision text),
           archive_operations o
     WHERE {_SCOPE.replace("owner_id", "e.owner_id").replace("configuration_id", "e.configuration_id")}
       AND o.id = v.id AND e.id = o.archived_event_id
""")  # noqa: S608
_REFRESH_ETAG = text(f"""
    UPDATE archived_events SET copy_etag = :etag, updated_at = :now WHERE {_SCOPE} AND id = :id
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class MapRow:
    """One row of the map; ``copy_id`` is None until its copy is known to exist."""

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

    @classmethod
    def of(cls, row: RowMapping) -> "MapRow":
        """The row as read."""
        values = dict(row)
        values["state"] = ArchivedEventState(values["state"])
        if values["left_out"] is not None:
            values["left_out"] = LeftOut(values["left_out"])
        values["modifications"] = tuple(map(Modification.from_json, values["modifications"]))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event without a copy of its own from now on: consumed by ``merged_into``, left out, or flagged.

    ``start_at`` is the instant that decides its window; None where it did not change.
    """

    source_key: str
    state: ArchivedEventState
    revision: str
    merged_into: str | None = None
    left_out: LeftOut | None = None
    start_at: datetime | None = None


class ArchivedEventRepository:
    """The ``archived_events`` table of one configuration of one owner."""

    def __init__(self, session: AsyncSession, owner_id: UUID, configuration_id: UUID) -> None:
        self._session = session
        self._scope = {"owner": owner_id, "configuration": configuration_id}

    async def _rows(self, statement: Any, **parameters: Any) -> list[MapRow]:
        result = await self._session.execute(statement, self._scope | parameters)
        return [MapRow.of(row) for row in result.mappings()]

    async def by_keys(self, keys: Sequence[str]) -> dict[str, MapRow]:
        """The rows of these source keys."""
        return {row.source_key: row for row in await self._rows(_BY_KEYS, keys=list(keys))}

    async def by_id(self, row_id: UUID) -> MapRow | None:
        """The row of this id."""
        rows = await self._rows(_BY_ID, id=row_id)
        return rows[0] if rows else None

    async def by_ical_uids(self, uids: Sequence[str]) -> list[MapRow]:
        """Rows that share an iCalUId: candidates for re-pointing (domain.md 2.3)."""
        return await self._rows(_BY_UIDS, uids=list(uids))

    async def in_window(
        self, start: datetime, end: datetime, limit: int, after: MapRow | None = None
    ) -> list[MapRow]:
        """Living rows whose owning start lies in ``[start, end)``, in that order, behind ``after``."""
        place = (start, "") if after is None else (after.start_at, after.source_key)
        return await self._rows(_IN_WINDOW, start=place[0], after=place[1], end=end, limit=limit)

    async def pending_outside(
        self, start: datetime, end: datetime, since: datetime, limit: int
    ) -> list[MapRow]:
        """Rows whose last write failed after ``since`` and that no page of the window shows (2.2)."""
        return await self._rows(_PENDING, start=start, end=end, since=since, limit=limit)

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows by id, source_key, archive_key, source_id, ical_uid, original_start, state, start_at.

        A key that exists already is left as it is.
        """
        if rows:
            await self._session.execute(_INSERT, self._scope | {"rows": orjson.dumps(rows).decode()})

    async def set_state(self, ids: Sequence[UUID], state: ArchivedEventState, now: datetime) -> None:
        """Move rows to ``state``."""
        if ids:
            await self._session.execute(
                _SET_STATE, self._scope | {"ids": list(ids), "state": str(state), "now": now}
            )

    async def set_present(self, keys: Sequence[str], now: datetime) -> list[UUID]:
        """What was gone or consumed stands for itself again, unchanged; returns the ids of the rows."""
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
        """Note what is consumed, left out or flagged; returns the ids of the consumed (2.7, 4.6, 5.3).

        What has a copy stays archived, unless it is consumed: then its copy stays and counts no more.
        """
        if not rows:
            return []
        values = [asdict(row) for row in rows]
        result = await self._session.execute(
            _SET_ASIDE, self._scope | {"rows": orjson.dumps(values).decode(), "now": now}
        )
        return [row.id for row in result if row.state == ArchivedEventState.CONSUMED]

    async def move(self, starts: Mapping[str, datetime], now: datetime) -> None:
        """Events that wait without a copy start elsewhere now."""
        if starts:
            rows = [{"source_key": key, "start_at": start} for key, start in starts.items()]
            await self._session.execute(
                _MOVE, self._scope | {"rows": orjson.dumps(rows).decode(), "now": now}
            )

    async def renew_copy(self, archived_event_id: UUID, generation: int, now: datetime) -> None:
        """The copy of this generation is gone and another one is wanted (domain.md 2.10)."""
        await self._session.execute(
            _RENEW_COPY, self._scope | {"id": archived_event_id, "generation": generation, "now": now}
        )

    async def separate(self, keys: Sequence[str], now: datetime) -> None:
        """Former duplicates that differ now get copies of their own (domain.md 2.9)."""
        if keys:
            await self._session.execute(_SEPARATE, self._scope | {"keys": list(keys), "now": now})

    async def repoint(
        self, row: MapRow, source_key: str, source_id: str, original_start: datetime, now: datetime
    ) -> None:
        """The copy of a source that is gone belongs to ``source_key`` from now on (domain.md 2.3)."""
        await self._session.execute(
            _REPOINT,
            self._scope
            | {
                "id": row.id,
                "source_key": source_key,
                "source_id": source_id,
                "original_start": original_start,
                "now": now,
            },
        )
        await self._redirect(row.source_key, source_key, now)

    async def take_over(self, former: MapRow, heir: MapRow, now: datetime) -> None:
        """The heir of a vanished representative gets its copy, archive key and all (domain.md 2.9)."""
        # Should the former one come back, it gets a copy of its own, under a key that no copy carries yet.
        again = archive_key(self._scope["configuration"], f"{former.source_key}|{former.generation + 1}")
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
                "now": now,
            },
        )
        await self._redirect(former.source_key, heir.source_key, now)

    async def _redirect(self, old: str, new: str, now: datetime) -> None:
        await self._session.execute(_REDIRECT, self._scope | {"old": old, "new": new, "now": now})

    async def apply_results(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Take over what the operations' writes led to.

        Rows name the operation's id, state (``done``, ``failed``, ``conflict`` or ``removed``), copy_id, etag
        and, where the copy holds another revision than the operation meant, revision.
        """
        if rows:
            await self._session.execute(
                _APPLY, self._scope | {"rows": orjson.dumps(rows).decode(), "now": now}
            )
