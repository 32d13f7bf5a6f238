"""Records the results of writes: operation, map and record change in one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import orjson

from shared.database.prepared import PreparedWrite
from shared.database.repositories.archiving.archive_runs import ADD_WRITTEN, WRITTEN_SHARE
from shared.database.repositories.base import ConfigurationScopedRepository
from shared.domain.appointments.appointment_record import RECORD_COLUMNS

# Operations of a version before modifications do not have them.
_VALUES = {"modifications": "COALESCE(r.modifications, '[]')"}


def record_insert(source: str) -> str:
    """SQL that records the operations ``a`` of ``source`` as appointments. A condition may follow.

    jsonb_populate_record converts each JSON value to its column's type. An overlap may have been decided
    while the write was in flight.
    """
    return f"""
    INSERT INTO appointments (id, owner_id, configuration_id, archived_event_id, source_deleted_at,
                              unresolved, excluded, {", ".join(RECORD_COLUMNS)})
    SELECT gen_random_uuid(), a.owner_id, a.configuration_id, a.archived_event_id,
           CASE WHEN (a.record->>'source_gone')::boolean THEN a.last_sent_at END,
           COALESCE(decided.unresolved, false), CASE WHEN decided.dropped THEN 'resolution' END,
           {", ".join(_VALUES.get(column, f"r.{column}") for column in RECORD_COLUMNS)}
      FROM {source} a
     CROSS JOIN LATERAL jsonb_populate_record(NULL::appointments, a.record) AS r
     CROSS JOIN LATERAL (
            SELECT bool_or(g.status = 'expired') AS unresolved, bool_or(NOT m.kept) AS dropped
              FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
             WHERE m.configuration_id = a.configuration_id AND m.source_key = a.source_key
               AND NOT m.departed AND g.status IN ('settled', 'expired')) AS decided"""  # noqa: S608


# Every part sees the operations as before the statement, so their records still exist.
_ANSWERED = """
    SELECT v.*, o.archived_event_id, o.owner_id, o.configuration_id, o.source_key, o.record,
           o.revision AS planned_revision, o.last_sent_at
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, state text, code text, detail text, known text, copy_id text, etag text,
                revision text)
      JOIN archive_operations o ON o.id = v.id AND o.owner_id = :owner AND o.state = 'sent'"""
_OPERATIONS = """
    UPDATE archive_operations o
       SET state = a.state, error_code = a.code, error_detail = a.detail,
           first_sent_at = CASE a.state WHEN 'planned' THEN NULL ELSE o.first_sent_at END,
           finished_at = CASE WHEN a.state NOT IN ('planned', 'sent') THEN CAST(:now AS timestamptz) END,
           payload = CASE WHEN a.state IN ('planned', 'sent') THEN o.payload END,
           record = CASE WHEN a.state IN ('done') THEN NULL ELSE o.record END
      FROM answered a
     WHERE o.id = a.id AND o.owner_id = :owner AND o.state = 'sent'
    RETURNING o.id"""
# A copy that was created again holds what was recorded. A change that was still unwritten when the copy was
# lost remains pending.
_MAP = """
    UPDATE archived_events e
       SET state = CASE WHEN a.known = 'removed' THEN 'removed_by_owner' WHEN a.known <> 'done' THEN e.state
                   WHEN a.record->>'consumed_by' IS NOT NULL THEN 'consumed'
                   WHEN COALESCE((a.record->>'superseded')::boolean, false) THEN 'superseded'
                   WHEN COALESCE((a.record->>'source_gone')::boolean, false) THEN 'source_deleted'
                   ELSE 'present' END,
           merged_into = CASE a.known WHEN 'done' THEN a.record->>'consumed_by' ELSE e.merged_into END,
           left_out = CASE a.known WHEN 'done' THEN NULL ELSE e.left_out END,
           modifications = CASE a.known WHEN 'done' THEN COALESCE(a.record->'modifications', '[]')
                           ELSE e.modifications END,
           conflict_revision = CASE a.known WHEN 'conflict' THEN a.planned_revision WHEN 'done' THEN NULL
                               ELSE e.conflict_revision END,
           copy_id = COALESCE(a.copy_id, e.copy_id), copy_etag = COALESCE(a.etag, e.copy_etag),
           revision = CASE a.known WHEN 'done' THEN COALESCE(a.revision, a.planned_revision)
                      ELSE e.revision END,
           start_at = CASE a.known WHEN 'done'
                      THEN COALESCE((a.record->>'owning_start')::timestamptz, e.start_at) ELSE e.start_at END,
           pending_since = CASE WHEN a.known = 'failed' THEN COALESCE(e.pending_since, :now)
                           WHEN a.known = 'done' AND e.pending_since <= e.lost_at THEN e.pending_since END,
           lost_at = CASE a.known WHEN 'done' THEN NULL ELSE e.lost_at END,
           superseding_since = CASE
                   WHEN a.known = 'removed' OR (a.known = 'done' AND (a.record->>'superseded')::boolean)
                   THEN NULL ELSE e.superseding_since END,
           updated_at = :now
      FROM answered a
     WHERE a.known IS NOT NULL AND e.owner_id = :owner AND e.configuration_id = :configuration
       AND e.id = a.archived_event_id"""
# A row that is written for itself again is neither consumed nor superseded any more.
_EXCLUDED = """COALESCE((SELECT CASE WHEN a.record->>'consumed_by' IS NOT NULL THEN 'consumed'
                                    WHEN (a.record->>'superseded')::boolean THEN 'superseded' END
                          FROM answered a WHERE a.archived_event_id = appointments.archived_event_id),
                       CASE WHEN appointments.excluded IN ('consumed', 'superseded') THEN NULL
                            ELSE appointments.excluded END)"""
_RECORDS = f"""{record_insert("answered")}
     WHERE a.state = 'done' AND jsonb_typeof(a.record) = 'object'
     ORDER BY a.archived_event_id
    ON CONFLICT (archived_event_id) DO UPDATE
       SET {", ".join(f"{column} = EXCLUDED.{column}" for column in RECORD_COLUMNS)},
           source_deleted_at = CASE WHEN EXCLUDED.source_deleted_at IS NOT NULL
               THEN COALESCE(appointments.source_deleted_at, EXCLUDED.source_deleted_at) END,
           unresolved = EXCLUDED.unresolved,
           excluded = {_EXCLUDED}, updated_at = :now
    RETURNING archived_event_id"""  # noqa: S608
_RECORD = PreparedWrite(f"""
    WITH answered AS MATERIALIZED ({_ANSWERED}),
         recorded AS ({_OPERATIONS}),
         mapped AS ({_MAP}),
         kept AS ({_RECORDS}),
         told AS ({ADD_WRITTEN})
    SELECT (SELECT count(*) FROM recorded) AS count
""")  # noqa: S608


class ResultRow(TypedDict):
    """The result of an operation.

    ``known`` is what the map learns about the copy (``done``, ``failed``, ``conflict`` or ``removed``; None:
    nothing). ``revision`` is that of the copy if it differs from the operation's.
    """

    id: str
    state: str
    code: str | None
    detail: str | None
    known: str | None
    copy_id: str | None
    etag: str | None
    revision: str | None


class WriteResultRepository(ConfigurationScopedRepository):
    """The results of one configuration's operations, of one owner, in all tables that they change."""

    async def record(
        self, run_id: UUID, rows: Sequence[ResultRow], now: datetime, *, written: int = 0
    ) -> int:
        """Record the results of writes. Returns how many operations were still open.

        Done writes are recorded as appointments from the operation's ``record``, if it has one (domain.md
        2.6). A source that exists again is no longer marked deleted. ``written`` of them are final and count
        for the run's progress.
        """
        parameters = {"run": run_id, "rows": orjson.dumps(rows).decode(), "now": now, "written": written}
        (row,) = await _RECORD.rows(self._session, self._scope | WRITTEN_SHARE | parameters)
        return int(row["count"])
