"""Finds map rows by their sources, and gives rows to other sources (domain.md 2.3, 2.16)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.database.repositories.archiving.archive_runs import READ_AT
from shared.database.repositories.archiving.archived_events import (
    MAP_COLUMNS,
    MAP_SCOPE,
    ArchivedEventRepository,
    MapRow,
)
from shared.database.repositories.base import OF_CONFIGURATION, json_text
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.source_event import detached_key, generation_key

# Earlier versions could give one source two rows. The living one counts.
_BY_SOURCES = text(f"""
    SELECT {MAP_COLUMNS} FROM unnest(CAST(:ids AS text[])) AS wanted(id_of_source)
      JOIN LATERAL (SELECT * FROM archived_events e WHERE e.{OF_CONFIGURATION}
                       AND e.source_id = wanted.id_of_source
                     ORDER BY e.state = 'source_deleted', e.source_key LIMIT 1) AS found
        ON owner_id = :owner
""")  # noqa: S608
_IN_RANGE = text(f"""
    SELECT {MAP_COLUMNS} FROM archived_events
     WHERE {MAP_SCOPE} AND start_at < :end AND (start_at, source_key) > (:start, :after)
       AND state <> 'superseded' AND superseding_since IS NULL
     ORDER BY start_at, source_key LIMIT :limit
""")  # noqa: S608
_BEING_WRITTEN = text("""
    SELECT source_key, record FROM archive_operations
     WHERE configuration_id = :configuration AND owner_id = :owner AND state IN ('planned', 'sent')
       AND source_key = ANY(CAST(:keys AS text[])) AND record IS NOT NULL
""")
_OF_BROKEN_PLANS = text("""
    SELECT e.source_key FROM archived_events e JOIN archive_runs r ON r.id = e.entered_by
     WHERE e.configuration_id = :configuration AND e.owner_id = :owner AND e.copy_id IS NULL
       AND e.source_key = ANY(CAST(:keys AS text[])) AND r.planned_at IS NULL
""")
_SERIES_KNOWN = text(f"""
    SELECT wanted.series, min(CASE WHEN e.entered_by IS NULL THEN timestamptz '1900-01-01 00:00+00'
                              ELSE {READ_AT} END) AS since
      FROM unnest(CAST(:series AS text[])) AS wanted(series)
      JOIN archived_events e ON e.configuration_id = :configuration AND e.series_id = wanted.series
                            AND e.owner_id = :owner AND e.left_out IS DISTINCT FROM 'series_changed'
      LEFT JOIN archive_runs r ON r.id = e.entered_by AND r.plan->>'refused' IS NULL
     WHERE e.entered_by IS NULL OR r.planned_at IS NOT NULL
     GROUP BY wanted.series
""")  # noqa: S608
_IDENTIFY = text(f"""
    UPDATE archived_events e SET source_key = v.source_key, source_id = v.source_id,
           series_id = v.series_id, updated_at = :now,
           former_keys = CASE e.source_key WHEN v.source_key THEN e.former_keys
                         ELSE array_append(e.former_keys, e.source_key) END
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, source_key text, source_id text, series_id text)
     WHERE {MAP_SCOPE} AND e.id = v.id
       AND NOT EXISTS (SELECT 1 FROM archived_events o WHERE o.configuration_id = :configuration
                          AND o.source_key = v.source_key AND o.id <> v.id)
    RETURNING e.id
""")  # noqa: S608
_DETACH = text(f"""
    UPDATE archived_events SET source_key = :source_key, source_id = :source_id, state = 'source_deleted',
           pending_since = NULL, updated_at = :now
     WHERE {MAP_SCOPE} AND id = :id
""")  # noqa: S608
# A row without copy and record says nothing that its event does not say, but what was tried. That goes to the
# row that takes its event. What verifications found about it stays, under the source key.
_ABSORB = text(f"""
    WITH bare AS (
        SELECT e.id, v.heir FROM archived_events e
          JOIN json_to_recordset(CAST(:rows AS json)) AS v(source_key text, heir uuid)
            ON v.source_key = e.source_key AND v.heir <> e.id
         WHERE {MAP_SCOPE} AND e.copy_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM archive_operations o WHERE o.archived_event_id = e.id
                              AND o.state IN ('draft', 'planned', 'sent'))
           AND NOT EXISTS (SELECT 1 FROM appointments a WHERE a.archived_event_id = e.id)
           AND NOT EXISTS (SELECT 1 FROM action_item_events i WHERE i.archived_event_id = e.id)),
    tried AS (
        UPDATE archive_operations o SET archived_event_id = bare.heir
          FROM bare WHERE o.archived_event_id = bare.id),
    detached AS (
        UPDATE verification_findings f SET archived_event_id = NULL
          FROM bare WHERE f.archived_event_id = bare.id)
    DELETE FROM archived_events e USING bare WHERE e.id = bare.id
""")  # noqa: S608
# What only readings of one run showed: none of it was written, and no other run knows it.
_FORGET_ENTERED = text(f"""
    WITH bare AS (
        SELECT e.id FROM archived_events e
         WHERE {MAP_SCOPE} AND e.source_key = ANY(CAST(:keys AS text[])) AND e.copy_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM archive_operations o WHERE o.archived_event_id = e.id)
           AND NOT EXISTS (SELECT 1 FROM appointments a WHERE a.archived_event_id = e.id)
           AND e.entered_by = :run AND e.former_keys = '{{}}'),
    detached AS (
        UPDATE verification_findings f SET archived_event_id = NULL
          FROM bare WHERE f.archived_event_id = bare.id)
    DELETE FROM archived_events e USING bare WHERE e.id = bare.id
    RETURNING e.id
""")  # noqa: S608
# Rows without a copy keep their state. A later copy uses a key that no copy carries (2.3). If a copy was lost
# with its calendar, its key and categories stay until it is created again.
_REPOINT = text(f"""
    UPDATE archived_events SET former_keys = array_append(former_keys, source_key),
           source_key = :source_key, source_id = :source_id, ical_uid = :ical_uid,
           original_start = :original_start, series_id = :series_id, updated_at = :now,
           entered_by = COALESCE(CAST(:entered_by AS uuid), entered_by),
           state = CASE WHEN copy_id IS NOT NULL AND state = 'source_deleted' THEN 'present'
                   WHEN state = 'source_deleted' THEN 'creating' ELSE state END,
           pending_since = CASE WHEN CAST(:write AS boolean) AND copy_id IS NOT NULL
                                 AND state IN ('present', 'source_deleted')
                                 AND NOT EXISTS (SELECT FROM appointments a WHERE a.source_subject IS NOT NULL
                                                    AND a.archived_event_id = archived_events.id)
                           THEN COALESCE(pending_since, :now) ELSE pending_since END,
           archive_key = CASE WHEN lost_at IS NULL THEN COALESCE(CAST(:archive_key AS text), archive_key)
                         ELSE archive_key END,
           generation = CASE WHEN lost_at IS NULL THEN COALESCE(CAST(:generation AS int), generation)
                        ELSE generation END,
           kept_categories = CASE WHEN copy_id IS NULL AND lost_at IS NULL THEN kept_categories
               ELSE COALESCE((SELECT to_jsonb(a.categories) FROM appointments a
                               WHERE a.archived_event_id = archived_events.id), '[]') END
     WHERE {MAP_SCOPE} AND id = :id
""")  # noqa: S608
_KEY_TAKEN = text("""
    SELECT count(*) FROM (SELECT * FROM archived_events e
                           WHERE e.archive_key = :archive_key OFFSET 0) AS taken
     WHERE taken.configuration_id = :configuration AND taken.id <> :id
""")


class SourceIdentityRepository(ArchivedEventRepository):
    """The ``archived_events`` table of one configuration of one owner, by sources and series."""

    async def by_sources(self, ids: Sequence[str]) -> dict[str, MapRow]:
        """The rows by the immutable ids of their sources (domain.md 2.3)."""
        if not ids:
            return {}
        return {row.source_id: row for row in await self._map_rows(_BY_SOURCES, ids=list(ids))}

    async def in_range(
        self, start: datetime, end: datetime, limit: int, after: MapRow | None = None
    ) -> list[MapRow]:
        """Rows whose owning start is in ``[start, end)``, by start and key, after ``after``.

        Without superseded rows, because they represent no meeting (2.16, 2.17).
        """
        begin, key = (start, "") if after is None else (after.start_at, after.source_key)
        return await self._map_rows(_IN_RANGE, start=begin, after=key, end=end, limit=limit)

    async def being_written(self, keys: Sequence[str]) -> dict[str, AppointmentRecord]:
        """The records of events whose write is planned or sent, by key."""
        if not keys:
            return {}
        result = await self._session.execute(_BEING_WRITTEN, self._scope | {"keys": list(keys)})
        return {row.source_key: AppointmentRecord.from_json(row.record) for row in result}

    async def of_broken_plans(self, keys: Sequence[str]) -> set[str]:
        """Those keys whose rows were inserted by an unfinished plan and have no copy."""
        if not keys:
            return set()
        result = await self._session.execute(_OF_BROKEN_PLANS, self._scope | {"keys": list(keys)})
        return set(result.scalars())

    async def series_known(self, series: Collection[str]) -> dict[str, datetime]:
        """Since when a finished plan knows occurrences of these series. Unknown series are missing.

        For rows older than this information: since 1900.
        """
        if not series:
            return {}
        result = await self._session.execute(_SERIES_KNOWN, self._scope | {"series": sorted(series)})
        return {row.series: row.since for row in result}

    async def identify(self, rows: Sequence[tuple[MapRow, MapRow]], now: datetime) -> set[UUID]:
        """Rewrite key, source id and series of rows, given as (before, after), and all references to them.

        A key that another row has is not taken. Returns the ids of the rewritten rows.
        """
        if not rows:
            return set()
        values = [
            {
                "id": str(after.id),
                "source_key": after.source_key,
                "source_id": after.source_id,
                "series_id": after.series_id,
            }
            for _, after in rows
        ]
        result = await self._session.execute(
            _IDENTIFY, self._scope | {"rows": orjson.dumps(values).decode(), "now": now}
        )
        changed = set(result.scalars())
        for before, after in rows:
            if before.id in changed and before.source_key != after.source_key:
                await self.redirect(before.source_key, after.source_key, now)
        return changed

    async def detach(self, row: MapRow, day: date, now: datetime) -> str:
        """Leave the row with its copy behind under another key, which is returned (domain.md 2.4)."""
        count = 0
        while await self.by_keys([key := detached_key(row.source_key, day, count)]):
            count += 1
        source_id = key.removeprefix(row.source_key)
        parameters = {"id": row.id, "source_key": key, "source_id": row.source_id + source_id, "now": now}
        await self._session.execute(_DETACH, self._scope | parameters)
        await self.redirect(row.source_key, key, now)
        return key

    async def absorb(self, heirs: Mapping[str, UUID]) -> None:
        """Delete rows, by key, whose events other rows take, given by id.

        Only rows without copy, record and open write. What was tried for them belongs to the other row then.
        """
        if heirs:
            rows = [{"source_key": key, "heir": str(heir)} for key, heir in heirs.items()]
            await self._session.execute(_ABSORB, self._scope | {"rows": json_text(rows)})

    async def forget_entered(self, run_id: UUID, keys: Sequence[str]) -> set[UUID]:
        """Forget rows that the run entered and that its last reading does not show; returns their ids."""
        if not keys:
            return set()
        result = await self._session.execute(
            _FORGET_ENTERED, self._scope | {"keys": list(keys), "run": run_id}
        )
        return set(result.scalars())

    async def repoint(
        self, row: MapRow, new: MapRow, now: datetime, *, write: bool, entered_by: UUID | None = None
    ) -> None:
        """Give the row to another source: key, source, slot and series of ``new`` (2.16).

        ``write``: its copy must say so too, unless its owner edited it. A copy's archive key stays, also if
        the copy was lost with its calendar. A row that may get its first copy is given an unused one.
        ``entered_by``: the run that first knows the new source's series.
        """
        archive_key, generation = None, None
        if row.copy_id is None:
            generation, archive_key = await self._free_key(new.source_key, row.id)
        await self._session.execute(
            _REPOINT,
            self._scope
            | {
                "id": row.id,
                "source_key": new.source_key,
                "source_id": new.source_id,
                "ical_uid": new.ical_uid,
                "original_start": new.original_start,
                "series_id": new.series_id,
                "archive_key": archive_key,
                "generation": generation,
                "write": write,
                "entered_by": entered_by,
                "now": now,
            },
        )
        await self.redirect(row.source_key, new.source_key, now)

    async def _free_key(self, source_key: str, row_id: UUID) -> tuple[int, str]:
        """The first generation of the key whose archive key no other row has, and that archive key."""
        generation = 0
        while True:
            key = generation_key(self._scope["configuration"], source_key, generation)
            parameters = self._scope | {"archive_key": key, "id": row_id}
            if not (await self._session.execute(_KEY_TAKEN, parameters)).scalar_one():
                return generation, key
            generation += 1
