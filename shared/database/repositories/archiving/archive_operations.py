"""Writes to the archive calendar: planned, sent, done (design.md, Archive)."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple, NotRequired, TypedDict
from uuid import UUID

from sqlalchemy import text

from shared.database.prepared import PreparedWrite
from shared.database.repositories.base import OF_CONFIGURATION, ConfigurationScopedRepository, json_text
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.event_content import ContentChanges
from shared.domain.json_object import JsonObject
from shared.domain.runs.archive_run import OperationAction, OperationState

_CLAIMED = """o.id, o.run_id, o.archived_event_id, o.source_key, o.action, o.payload::text AS payload,
    o.revision, o.previous_revision, o.if_match, o.first_sent_at, o.last_sent_at,
    e.archive_key, e.copy_id"""
_FIRST = """
    SELECT id FROM (
        SELECT id, sum(payload_bytes) OVER (ORDER BY position, id) AS total,
               row_number() OVER (ORDER BY position, id) AS place
          FROM (SELECT id, position, payload_bytes FROM archive_operations
                 WHERE {which} ORDER BY position, id LIMIT :count) AS next) AS sized
     WHERE total <= :bytes OR place = 1"""
_MARK = """
    WITH first AS ({first})
    UPDATE archive_operations o
       SET state = 'sent', first_sent_at = COALESCE(o.first_sent_at, :now), last_sent_at = :now
      FROM first, archived_events e
     WHERE o.id = first.id AND {still} AND e.id = o.archived_event_id
    RETURNING o.position, {columns}"""
# Locked periods must be checked first (locked_periods.py).
_UNLOCKED = """ AND (:checked OR NOT EXISTS (SELECT 1 FROM period_locks l
                     WHERE l.owner_id = :owner AND l.reopened_at IS NULL))"""
_CLAIM = PreparedWrite(
    _MARK.format(
        first=_FIRST.format(which="run_id = :run AND owner_id = :owner AND state = 'planned'" + _UNLOCKED),
        # Repeated for the changed row, because a claim that waited for another one must not take its rows.
        still="o.state = 'planned'",
        columns=_CLAIMED,
    )
)
_CLAIM_RESEND = PreparedWrite(
    _MARK.format(
        first=_FIRST.format(
            which="configuration_id = :configuration AND owner_id = :owner AND state = 'sent' "
            "AND first_sent_at > :remembered_since AND last_sent_at < :before"
        ),
        still="o.state = 'sent' AND o.last_sent_at < :before",
        columns=_CLAIMED,
    )
)
_FORGOTTEN = text(f"""
    SELECT {_CLAIMED} FROM archive_operations o JOIN archived_events e ON e.id = o.archived_event_id
     WHERE o.configuration_id = :configuration AND o.owner_id = :owner AND o.state = 'sent'
       AND o.first_sent_at <= :remembered_since
     ORDER BY o.last_sent_at, o.id LIMIT :count
""")  # noqa: S608
_SENT = text("""
    SELECT count(*) AS open, min(last_sent_at) AS oldest FROM archive_operations
     WHERE configuration_id = :configuration AND owner_id = :owner AND state = 'sent'
""")
_OPEN_KEYS = text("""
    SELECT source_key FROM archive_operations WHERE configuration_id = :configuration
       AND owner_id = :owner AND state IN ('planned', 'sent') AND run_id <> :run
""")
_CLEAR = text("""
    DELETE FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner AND first_sent_at IS NULL
       AND state IN ('draft', 'planned', 'cancelled')
""")
# One index lookup for each key, as in archived_events. A join reads more the more the owner has. Bodies and
# records are texts of their own, so that the server parses each once.
_INSERT = text(f"""
    INSERT INTO archive_operations
        (id, owner_id, run_id, configuration_id, archived_event_id, position, source_key, action, margin,
         state, payload, payload_bytes, record, revision, previous_revision, if_match)
    SELECT v.id, :owner, :run, :configuration, e.id, v.position, v.source_key, v.action,
           COALESCE(v.margin, false), v.state, v.payload::jsonb, octet_length(v.payload), v.record::jsonb,
           v.revision, e.revision, e.copy_etag
      FROM ROWS FROM (json_to_recordset(CAST(:rows AS json)) AS (id uuid, position bigint, source_key text,
           action text, margin boolean, state text, revision text), unnest(CAST(:payloads AS text[])),
           unnest(CAST(:records AS text[])))
        AS v(id, position, source_key, action, margin, state, revision, payload, record)
     CROSS JOIN LATERAL (SELECT * FROM archived_events a WHERE a.{OF_CONFIGURATION}
                            AND a.source_key = v.source_key OFFSET 0) AS e
    ON CONFLICT (run_id, source_key) DO UPDATE
       SET payload = EXCLUDED.payload, payload_bytes = EXCLUDED.payload_bytes, record = EXCLUDED.record,
           action = EXCLUDED.action, margin = EXCLUDED.margin, state = EXCLUDED.state,
           revision = EXCLUDED.revision
     WHERE archive_operations.state = 'draft'
""")  # noqa: S608
_PROMOTE = text("""
    UPDATE archive_operations SET state = 'planned'
     WHERE run_id = :run AND owner_id = :owner AND state = 'draft'
       AND source_key = ANY(CAST(:keys AS text[]))
    RETURNING source_key
""")
_DRAFTS = text("""
    SELECT source_key, payload, record FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner AND state = 'draft'
       AND source_key = ANY(CAST(:keys AS text[]))
""")
_DRAFTS_OF_RUN = text("""
    SELECT id, source_key, record FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner AND state = 'draft'
""")
_REWRITE = text("""
    UPDATE archive_operations o
       SET payload = v.payload, payload_bytes = octet_length(v.payload::text), record = v.record,
           revision = v.revision
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(source_key text, payload jsonb, record jsonb, revision text)
     WHERE o.run_id = :run AND o.owner_id = :owner AND o.state = 'draft' AND o.source_key = v.source_key
""")
_RECREATE = text("""
    UPDATE archive_operations
       SET action = 'create', payload = CAST(CAST(:payload AS text) AS jsonb), if_match = NULL,
           payload_bytes = octet_length(CAST(:payload AS text))
     WHERE owner_id = :owner AND id = :id AND state = 'planned' AND action = 'update'
""")
_DISCARD = text("""
    DELETE FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner AND state = 'draft'
       AND source_key = ANY(CAST(:keys AS text[]))
""")
_DISCARD_REST = text(
    "DELETE FROM archive_operations WHERE run_id = :run AND owner_id = :owner AND state = 'draft'"
)
_UNSEND = text("""
    UPDATE archive_operations o SET state = 'planned', first_sent_at = NULL, last_sent_at = NULL
     WHERE o.owner_id = :owner AND o.state = 'sent' AND o.id = ANY(CAST(:ids AS uuid[]))
""")
_FORGET_SENDING = text("""
    UPDATE archive_operations SET first_sent_at = :now, last_sent_at = :last
     WHERE owner_id = :owner AND id = :id AND state = 'sent'
""")
_CANCEL_ORPHANS = text("""
    UPDATE archive_operations o SET state = 'cancelled', finished_at = :now, payload = NULL
      FROM archive_runs r
     WHERE o.owner_id = :owner AND o.id = ANY(CAST(:ids AS uuid[])) AND o.state = 'planned'
       AND r.id = o.run_id AND r.state NOT IN ('queued', 'running')
""")
_KEEP_OPEN = text("""
    UPDATE archive_operations SET state = 'sent', first_sent_at = :now, last_sent_at = :now
     WHERE owner_id = :owner AND state = 'planned' AND id = ANY(CAST(:ids AS uuid[]))
""")
_REMATCH = text("""
    UPDATE archive_operations SET if_match = :etag WHERE owner_id = :owner AND id = :id
""")
_CANCEL = text("""
    UPDATE archive_operations SET state = 'cancelled', finished_at = :now, payload = NULL
     WHERE run_id = :run AND owner_id = :owner AND state IN ('draft', 'planned')
""")
_COUNTS = text("""
    SELECT action, state, count(*) AS amount FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner
       AND (CAST(:margin AS boolean) IS NULL OR margin = :margin)
       AND (CAST(:private AS boolean) IS NULL OR is_private = :private) GROUP BY action, state
""")
_REMAINING = text("""
    SELECT count(*) FROM archive_operations
     WHERE run_id = :run AND owner_id = :owner AND state = :state
""")


class ClaimedOperation(NamedTuple):
    """An operation marked sent. ``payload`` is the exact request body as JSON text."""

    id: UUID
    run_id: UUID
    archived_event_id: UUID
    source_key: str
    action: OperationAction
    payload: str
    revision: str
    previous_revision: str
    if_match: str | None
    first_sent_at: datetime
    last_sent_at: datetime
    archive_key: str
    copy_id: str | None

    @classmethod
    def of(cls, row: Sequence[Any]) -> "ClaimedOperation":
        """From the columns, in the order of the fields."""
        as_read = cls._make(row)
        return as_read._replace(action=OperationAction(as_read.action))


class DraftRow(TypedDict):
    """The content of a write: the body to send, our future record, and the revision of both.

    The record of an owner's edit is only what it changes, because the rest may change before the run.
    """

    source_key: str
    #: Graph fixes its form.
    payload: JsonObject
    record: AppointmentRecord | ContentChanges
    revision: str


class OperationRow(DraftRow):
    """A planned write, by the columns of its table."""

    id: str
    position: int
    action: str
    state: str
    margin: NotRequired[bool]


class WriteDraft(NamedTuple):
    """The content of a draft, as in ``DraftRow``."""

    payload: JsonObject
    record: AppointmentRecord


class EditDraft(NamedTuple):
    """A draft of an owner's edit."""

    id: UUID
    changes: ContentChanges


class ArchiveOperationRepository(ConfigurationScopedRepository):
    """The ``archive_operations`` table of one configuration of one owner."""

    async def clear_unsent(self, run_id: UUID) -> None:
        """Delete an unfinished plan, so that planning can start again."""
        await self._session.execute(_CLEAR, self._scope | {"run": run_id})

    async def open_keys(self, run_id: UUID) -> frozenset[str]:
        """Source keys with an open operation of another run. Nothing may be planned for them."""
        result = await self._session.execute(_OPEN_KEYS, self._scope | {"run": run_id})
        return frozenset(result.scalars())

    async def add(self, run_id: UUID, rows: Sequence[OperationRow]) -> None:
        """Insert operations.

        The map row provides the archived event, the replaced revision and the etag to match.
        """
        if rows:
            given = {
                "rows": json_text([{**row, "payload": None, "record": None} for row in rows]),
                "payloads": [json_text(row["payload"]) for row in rows],
                "records": [json_text(row["record"]) for row in rows],
            }
            await self._session.execute(_INSERT, self._scope | {"run": run_id} | given)

    async def drafts(self, run_id: UUID, keys: Sequence[str]) -> dict[str, WriteDraft]:
        """The run's drafts for these source keys."""
        if not keys:
            return {}
        rows = await self._session.execute(_DRAFTS, self._scope | {"run": run_id, "keys": list(keys)})
        return {
            row.source_key: WriteDraft(row.payload, AppointmentRecord.from_json(row.record)) for row in rows
        }

    async def edit_drafts(self, run_id: UUID) -> dict[str, EditDraft]:
        """The drafts of a run that writes owner's edits, by source key."""
        rows = await self._session.execute(_DRAFTS_OF_RUN, self._scope | {"run": run_id})
        return {row.source_key: EditDraft(row.id, row.record) for row in rows}

    async def rewrite(self, run_id: UUID, rows: Sequence[DraftRow]) -> None:
        """Give drafts a new payload, record and revision."""
        if rows:
            await self._session.execute(_REWRITE, self._scope | {"run": run_id, "rows": json_text(rows)})

    async def promote(self, run_id: UUID, keys: Sequence[str]) -> frozenset[str]:
        """Plan the drafts that were decided on. Returns the keys that had a draft."""
        if not keys:
            return frozenset()
        result = await self._session.execute(_PROMOTE, self._scope | {"run": run_id, "keys": list(keys)})
        return frozenset(result.scalars())

    async def discard(self, run_id: UUID, keys: Sequence[str]) -> None:
        """Delete drafts that were decided against."""
        if keys:
            await self._session.execute(_DISCARD, self._scope | {"run": run_id, "keys": list(keys)})

    async def discard_rest(self, run_id: UUID) -> None:
        """Delete undecided drafts. Their events left the window while it was read."""
        await self._session.execute(_DISCARD_REST, self._scope | {"run": run_id})

    async def claim(
        self, run_id: UUID, now: datetime, count: int, max_bytes: int, *, locks_checked: bool = True
    ) -> list[ClaimedOperation]:
        """Mark the run's next planned operations sent: at most ``count``, together at most ``max_bytes``.

        None while the owner has any locked period, unless ``locks_checked``: the caller removed the forbidden
        writes.
        """
        return await self._claim(
            _CLAIM, run=run_id, now=now, count=count, bytes=max_bytes, checked=locks_checked
        )

    async def claim_resend(
        self, now: datetime, remembered_since: datetime, before: datetime, count: int, max_bytes: int
    ) -> list[ClaimedOperation]:
        """Mark open operations that Graph still remembers for an identical resend (design.md, Reconcile)."""
        return await self._claim(
            _CLAIM_RESEND,
            now=now,
            remembered_since=remembered_since,
            before=before,
            count=count,
            bytes=max_bytes,
        )

    async def recreate(self, operation_id: UUID, payload: str) -> None:
        """Turn a planned update whose copy is gone into a create with this body (domain.md 2.10)."""
        await self._session.execute(_RECREATE, self._scope | {"id": operation_id, "payload": payload})

    async def _claim(self, statement: PreparedWrite, **parameters: Any) -> list[ClaimedOperation]:
        rows = await statement.rows(self._session, self._scope | parameters)
        return [ClaimedOperation.of(columns) for _, *columns in sorted(rows, key=itemgetter(0, 1))]

    async def forgotten(self, remembered_since: datetime, count: int) -> list[ClaimedOperation]:
        """Open operations whose transactionId Graph may have forgotten, oldest first."""
        result = await self._session.execute(
            _FORGOTTEN, self._scope | {"remembered_since": remembered_since, "count": count}
        )
        return [ClaimedOperation.of(row) for row in result]

    async def sent(self) -> int:
        """How many open operations of the configuration have an unknown effect."""
        return int((await self._session.execute(_SENT, self._scope)).one().open)

    async def unsend(self, ids: Sequence[UUID]) -> None:
        """Plan operations again that were marked sent and certainly not sent."""
        if ids:
            await self._session.execute(_UNSEND, self._scope | {"ids": list(ids)})

    async def cancel_orphans(self, ids: Sequence[UUID], now: datetime) -> None:
        """Cancel planned operations of runs that are over. The next plan decides again.

        The caller has locked the runs, so none of them ends in between.
        """
        if ids:
            await self._session.execute(_CANCEL_ORPHANS, self._scope | {"ids": list(ids), "now": now})

    async def keep_open(self, ids: Sequence[UUID], now: datetime) -> None:
        """Reconcile operations that were planned again: their new form counts as sent for the first time."""
        if ids:
            await self._session.execute(_KEEP_OPEN, self._scope | {"ids": list(ids), "now": now})

    async def restart_sending(self, operation_id: UUID, now: datetime, last_sent_at: datetime) -> None:
        """Operations of the run by action and state: all, those for the margins, or the others.

        ``private`` selects those of private events, or the others.
        """
        await self._session.execute(
            _FORGET_SENDING, self._scope | {"id": operation_id, "now": now, "last": last_sent_at}
        )

    async def rematch(self, operation_id: UUID, etag: str) -> None:
        """Let the next attempt of an update match ``etag``."""
        await self._session.execute(_REMATCH, self._scope | {"id": operation_id, "etag": etag})

    async def cancel_planned(self, run_id: UUID, now: datetime) -> None:
        """Cancel what was not sent yet."""
        await self._session.execute(_CANCEL, self._scope | {"run": run_id, "now": now})

    async def remaining(self, run_id: UUID, state: OperationState) -> int:
        """How many operations of the run are in ``state``."""
        result = await self._session.execute(_REMAINING, self._scope | {"run": run_id, "state": str(state)})
        return int(result.scalar_one())

    async def counts(
        self, run_id: UUID, *, margin: bool | None = None, private: bool | None = None
    ) -> dict[tuple[OperationAction, OperationState], int]:
        """Operations of the run by action and state: all, only those for the margins, or only the others.

        ``private`` selects those of private events, or the others.
        """
        parameters = {"run": run_id, "margin": margin, "private": private}
        result = await self._session.execute(_COUNTS, self._scope | parameters)
        return {(OperationAction(r.action), OperationState(r.state)): int(r.amount) for r in result}
