"""What a comparison reads and what it finds (domain.md 2.15)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID, uuid4

import orjson
from sqlalchemy import RowMapping, select, text

from shared.database.models.verifications import VerificationFinding
from shared.database.repositories.base import Repository
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.planning.modifications import Modification
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.verifying.verification import FindingKind, FindingState

_CLEAR_ITEMS = text("DELETE FROM verification_items WHERE verification_id = :verification")
_CLEAR_FINDINGS = text("""
    DELETE FROM verification_findings WHERE verification_id = :verification AND stretch = :stretch
""")
_ADD_ITEMS = text("""
    INSERT INTO verification_items (verification_id, side, key, reference, revision, starts_at, owned)
    SELECT :verification, :side, v.key, v.reference, v.revision, v.starts_at, v.owned
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(key text, reference text, revision text, starts_at timestamptz, owned boolean)
    ON CONFLICT DO NOTHING
""")
_ADD_FINDINGS = text("""
    INSERT INTO verification_findings (id, verification_id, owner_id, configuration_id, stretch, kind, reason,
           subject, archived_event_id, source_key, copy_id, starts_at, detail, state, found_at)
    SELECT v.id, :verification, :owner, :configuration, :stretch, v.kind, v.reason, v.subject,
           v.archived_event_id, v.source_key, v.copy_id, v.starts_at, v.detail, 'open', :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, kind text, reason text, subject text, archived_event_id uuid, source_key text,
                copy_id text, starts_at timestamptz, detail jsonb)
    ON CONFLICT (verification_id, kind, subject) DO NOTHING
    RETURNING archived_event_id, kind
""")
_RECORDED = """
    SELECT e.id, e.configuration_id, e.source_key, e.archive_key, e.source_id, e.original_start, e.state,
           e.copy_id, e.revision, e.start_at, e.modifications, {record} AS record,
           EXISTS (SELECT 1 FROM archive_operations o WHERE o.configuration_id = e.configuration_id
                      AND o.source_key = e.source_key AND o.state IN ('planned', 'sent')) AS busy
      FROM {source}
"""
_WITH_RECORD = "CASE WHEN e.configuration_id = :configuration THEN to_jsonb(a) END"
_BY_ARCHIVE_KEYS = text(
    _RECORDED.format(
        record=_WITH_RECORD,
        source="""unnest(CAST(:keys AS text[])) AS wanted(key)
      JOIN LATERAL (SELECT * FROM archived_events f WHERE f.archive_key = wanted.key OFFSET 0) AS e ON TRUE
      JOIN archive_configurations c ON c.id = e.configuration_id AND c.tenant_id = :tenant
      LEFT JOIN appointments a ON a.archived_event_id = e.id""",
    )
)
_BY_IDS = text(
    _RECORDED.format(
        record="to_jsonb(a) || jsonb_build_object('source_gone', a.source_deleted_at IS NOT NULL)",
        source="""archived_events e LEFT JOIN appointments a ON a.archived_event_id = e.id
     WHERE (e.id = ANY(CAST(:ids AS uuid[])) OR e.source_key = ANY(CAST(:keys AS text[])))
       AND e.configuration_id = :configuration AND e.owner_id = :owner
     ORDER BY e.start_at, e.id""",
    )
)
_OF_STRETCH = text(
    _RECORDED.format(
        record="NULL",
        source="""archived_events e
     WHERE e.owner_id = :owner AND e.configuration_id = :configuration AND e.start_at < :end
       AND (e.start_at, e.id) > (:start, CAST(:after AS uuid))
     ORDER BY e.start_at, e.id LIMIT :limit""",
    )
)
_POINT_TO_COPY = text("""
    UPDATE archived_events SET copy_id = :copy_id, copy_etag = :etag, lost_at = NULL, updated_at = :now,
           state = CASE WHEN state IN ('removed_by_owner', 'creating') THEN 'present' ELSE state END
     WHERE owner_id = :owner AND id = :id
""")
# A second copy is wanted on purpose where there was one (design.md, Creating).
_PREPARE_ANEW = text("""
    UPDATE archived_events SET state = 'creating', copy_id = NULL, copy_etag = NULL, revision = '',
           pending_since = NULL, updated_at = :now,
           generation = CASE WHEN copy_id IS NULL THEN generation ELSE generation + 1 END
     WHERE owner_id = :owner AND id = ANY(CAST(:ids AS uuid[]))
""")
_SOURCES_OF = text("""
    SELECT key, reference, revision FROM verification_items
     WHERE verification_id = :verification AND side = 'source' AND key = ANY(CAST(:keys AS text[]))
""")
_COPIES_OF = text("""
    SELECT key, reference FROM verification_items
     WHERE verification_id = :verification AND side = 'copy' AND key = ANY(CAST(:keys AS text[]))
     ORDER BY key, starts_at, reference
""")
_OWNED_COPIES = text("""
    SELECT key, count(*) AS amount FROM verification_items
     WHERE verification_id = :verification AND side = 'copy' AND owned AND key = ANY(CAST(:keys AS text[]))
     GROUP BY key
""")
_ITEM_COUNTS = text("""
    SELECT count(*) FILTER (WHERE side = 'source') AS sources,
           count(*) FILTER (WHERE side = 'copy' AND owned) AS copies
      FROM verification_items WHERE verification_id = :verification
""")
_LAST_WRITES = text("""
    SELECT DISTINCT ON (o.archived_event_id) o.archived_event_id AS id, o.state
      FROM archive_operations o JOIN archive_runs r ON r.id = o.run_id
     WHERE o.owner_id = :owner AND o.archived_event_id = ANY(CAST(:ids AS uuid[])) AND o.state <> 'draft'
     ORDER BY o.archived_event_id, r.created_at DESC
""")
_UNRECORDED = text("""
    SELECT i.key, i.reference, i.starts_at FROM verification_items i
     WHERE i.verification_id = :verification AND i.side = 'source' AND i.key > :after
       AND NOT EXISTS (SELECT 1 FROM archived_events e
                        WHERE e.configuration_id = :configuration AND e.source_key = i.key)
     ORDER BY i.key LIMIT :limit
""")
_SHARED_ORIGINS = text("""
    SELECT key, array_agg(reference ORDER BY starts_at, reference) AS copies FROM verification_items
     WHERE verification_id = :verification AND side = 'origin' AND key > :after
     GROUP BY key HAVING count(*) > 1 AND bool_or(owned)
     ORDER BY key LIMIT :limit
""")
_COUNTS = text("""
    SELECT kind, count(*) AS amount FROM verification_findings WHERE verification_id = :verification
     GROUP BY kind
""")
_EDITED_BEFORE = text("""
    SELECT DISTINCT archived_event_id FROM verification_findings
     WHERE owner_id = :owner AND archived_event_id = ANY(CAST(:ids AS uuid[])) AND kind = 'edited'
       AND verification_id <> :verification
       AND detail->>'content' = ANY(CAST(:contents AS text[]))
""")
_FIRST_ID = UUID(int=0)


class ItemRow(TypedDict):
    """Something read from a calendar, kept until its range is compared. ``starts_at`` is ISO 8601."""

    key: str
    reference: str
    revision: str
    starts_at: str
    owned: bool


class FindingDetail(TypedDict, total=False):
    """What differs, by the kind of finding."""

    fields: list[str]
    #: A hash of the copy's content.
    content: str
    copies: list[str]


class FindingRow(TypedDict):
    """A difference. ``starts_at`` is ISO 8601."""

    kind: str
    reason: str
    subject: str
    archived_event_id: str | None
    source_key: str | None
    copy_id: str | None
    starts_at: str
    detail: FindingDetail


class VerificationFindingRepository(Repository):
    """Items and findings of verifications. Reads for people name the owner."""

    async def restart_stretch(self, verification_id: UUID, stretch: datetime) -> None:
        """Delete what another attempt read and found in the range."""
        await self._session.execute(_CLEAR_ITEMS, {"verification": verification_id})
        await self._session.execute(_CLEAR_FINDINGS, {"verification": verification_id, "stretch": stretch})

    async def forget_items(self, verification_id: UUID) -> None:
        """Delete what was read in the range, because it is compared."""
        await self._session.execute(_CLEAR_ITEMS, {"verification": verification_id})

    async def add_items(self, verification_id: UUID, side: str, rows: Sequence[ItemRow]) -> None:
        """Store what was read."""
        if rows:
            added = {"verification": verification_id, "side": side, "rows": orjson.dumps(rows).decode()}
            await self._session.execute(_ADD_ITEMS, added)

    async def add(
        self,
        verification_id: UUID,
        owner_id: UUID,
        configuration_id: UUID,
        stretch: datetime,
        findings: Sequence[FindingRow],
        now: datetime,
    ) -> None:
        """Store findings, given by column name."""
        if findings:
            rows = [{"id": str(uuid4()), **finding} for finding in findings]
            await self._session.execute(
                _ADD_FINDINGS,
                {
                    "verification": verification_id,
                    "owner": owner_id,
                    "configuration": configuration_id,
                    "stretch": stretch,
                    "now": now,
                    "rows": orjson.dumps(rows).decode(),
                },
            )

    async def recorded_by_archive_keys(
        self, tenant_id: UUID, configuration_id: UUID, keys: Sequence[str]
    ) -> dict[str, RecordedCopy]:
        """Records of ArchiveKeys of any configuration in the tenant, with appointments of this one."""
        parameters = {"tenant": tenant_id, "configuration": configuration_id, "keys": list(keys)}
        rows = (await self._session.execute(_BY_ARCHIVE_KEYS, parameters)).mappings()
        return {row["archive_key"]: _recorded(row) for row in rows}

    async def recorded(
        self, owner_id: UUID, configuration_id: UUID, ids: Sequence[UUID], keys: Sequence[str] = ()
    ) -> list[RecordedCopy]:
        """Records of archived events, by id or source key, with their appointments."""
        parameters = {
            "owner": owner_id,
            "configuration": configuration_id,
            "ids": list(ids),
            "keys": list(keys),
        }
        return [_recorded(row) for row in (await self._session.execute(_BY_IDS, parameters)).mappings()]

    async def recorded_of_stretch(
        self,
        owner_id: UUID,
        configuration_id: UUID,
        start: datetime,
        end: datetime,
        limit: int,
        after: RecordedCopy | None,
    ) -> list[RecordedCopy]:
        """Rows of the map that start in ``[start, end)``, in order, after ``after``, without appointments."""
        place = (start, _FIRST_ID) if after is None else (after.start_at, after.id)
        parameters = {"owner": owner_id, "configuration": configuration_id, "end": end, "limit": limit}
        rows = await self._session.execute(_OF_STRETCH, parameters | {"start": place[0], "after": place[1]})
        return [_recorded(row) for row in rows.mappings()]

    async def sources_of(self, verification_id: UUID, keys: Sequence[str]) -> dict[str, str]:
        """The revisions of the source events of the range, by source key."""
        rows = await self._session.execute(_SOURCES_OF, {"verification": verification_id, "keys": list(keys)})
        return {row.key: row.revision for row in rows}

    async def copies_of(self, verification_id: UUID, keys: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the copies seen in and around the range, by ArchiveKey."""
        rows = await self._session.execute(_COPIES_OF, {"verification": verification_id, "keys": list(keys)})
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.key, []).append(row.reference)
        return found

    async def owned_copies(self, verification_id: UUID, keys: Sequence[str]) -> dict[str, int]:
        """How many copies start in the range, by ArchiveKey."""
        rows = await self._session.execute(
            _OWNED_COPIES, {"verification": verification_id, "keys": list(keys)}
        )
        return {row.key: int(row.amount) for row in rows}

    async def item_counts(self, verification_id: UUID) -> tuple[int, int]:
        """How many source events and copies of the configuration start in the range."""
        row = (await self._session.execute(_ITEM_COUNTS, {"verification": verification_id})).one()
        return int(row.sources), int(row.copies)

    async def last_writes(self, owner_id: UUID, archived_event_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The state of the last write of each event. Events without a write are absent."""
        if not archived_event_ids:
            return {}
        parameters = {"owner": owner_id, "ids": list(archived_event_ids)}
        return {row.id: row.state for row in await self._session.execute(_LAST_WRITES, parameters)}

    async def unrecorded_sources(
        self, verification_id: UUID, configuration_id: UUID, after: str, limit: int
    ) -> list[RowMapping]:
        """Source events of the range that are not in the map, by key after ``after``."""
        parameters = {"verification": verification_id, "configuration": configuration_id}
        rows = await self._session.execute(_UNRECORDED, parameters | {"after": after, "limit": limit})
        return list(rows.mappings())

    async def shared_origins(
        self, verification_id: UUID, after: str, limit: int
    ) -> list[tuple[str, list[str]]]:
        """Origins of several copies, one of which starts in the range, after ``after``, with their ids."""
        parameters = {"verification": verification_id, "after": after, "limit": limit}
        return [(row.key, row.copies) for row in await self._session.execute(_SHARED_ORIGINS, parameters)]

    async def known_edits(
        self, verification_id: UUID, owner_id: UUID, contents: Mapping[UUID, str]
    ) -> set[UUID]:
        """Archived events whose copy was found with the same content before."""
        parameters = {
            "verification": verification_id,
            "owner": owner_id,
            "ids": list(contents),
            "contents": list(contents.values()),
        }
        return set((await self._session.execute(_EDITED_BEFORE, parameters)).scalars())

    async def counts(self, verification_id: UUID) -> dict[str, int]:
        """Findings by kind. Every kind is named."""
        rows = await self._session.execute(_COUNTS, {"verification": verification_id})
        return {kind.value: 0 for kind in FindingKind} | {row.kind: int(row.amount) for row in rows}

    async def get(
        self, verification_id: UUID, finding_id: UUID, *, lock: bool = False
    ) -> VerificationFinding | None:
        """One finding of a verification."""
        statement = select(VerificationFinding).where(
            VerificationFinding.verification_id == verification_id, VerificationFinding.id == finding_id
        )
        return await self._one(statement, lock=lock)

    async def of_run(self, run_id: UUID, *, lock: bool = False) -> list[VerificationFinding]:
        """The findings that a run must put back."""
        statement = select(VerificationFinding).where(
            VerificationFinding.run_id == run_id, VerificationFinding.state == FindingState.PUTTING_BACK
        )
        if lock:
            statement = statement.with_for_update()
        return await self._all(statement.order_by(VerificationFinding.starts_at, VerificationFinding.id))

    async def point_to_copy(
        self, owner_id: UUID, archived_event_id: UUID, copy_id: str, etag: str, now: datetime
    ) -> None:
        """Record this copy, as it is now, as the archived event's copy."""
        await self._session.execute(
            _POINT_TO_COPY,
            {"owner": owner_id, "id": archived_event_id, "copy_id": copy_id, "etag": etag, "now": now},
        )

    async def prepare_again(self, owner_id: UUID, archived_event_ids: Sequence[UUID], now: datetime) -> None:
        """Prepare missing copies to be created again, a generation later."""
        if archived_event_ids:
            await self._session.execute(
                _PREPARE_ANEW, {"owner": owner_id, "ids": list(archived_event_ids), "now": now}
            )


def _recorded(row: RowMapping) -> RecordedCopy:
    values = dict(row)
    values["state"] = ArchivedEventState(values["state"])
    values["modifications"] = tuple(map(Modification.from_json, values["modifications"] or ()))
    values["record"] = values["record"] and AppointmentRecord.from_json(values["record"])
    return RecordedCopy(**values)
