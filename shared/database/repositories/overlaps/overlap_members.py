"""Overlapping events as plans read and store them (domain.md 5.9). Every read names the owner."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.database.repositories.base import OF_CONFIGURATION, ConfigurationScopedRepository, json_text
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.json_object import JsonObject
from shared.domain.overlaps.status import OverlapStatus

_SCOPE = "owner_id = :owner AND configuration_id = :configuration"
OPEN_GROUP = f"g.{_SCOPE.replace(' AND ', ' AND g.')} AND g.status NOT IN ('closed', 'merged')"
# It was read once, waited for a decision, and vanished from the source before it was archived.
_GONE = """EXISTS (SELECT 1 FROM archived_events e WHERE e.configuration_id = m.configuration_id
       AND e.source_key = m.source_key AND e.state = 'source_deleted' AND e.copy_id IS NULL)"""

_KNOWN = text(f"""
    SELECT m.source_key, g.id AS group_id, g.opened_at, g.member_count, g.status, g.version, m.revision,
           COALESCE(m.kept, false) AS kept
      FROM unnest(CAST(:keys AS text[])) AS wanted(key)
      JOIN LATERAL (SELECT * FROM overlap_members o WHERE o.{OF_CONFIGURATION}
                       AND o.source_key = wanted.key AND NOT o.departed OFFSET 0) AS m ON true
      JOIN overlap_groups g ON g.id = m.group_id AND {OPEN_GROUP}
     ORDER BY g.opened_at DESC, g.id DESC
""")  # noqa: S608
_UPSERT_GROUPS = text("""
    INSERT INTO overlap_groups AS g
        (id, tenant_id, owner_id, configuration_id, status, member_count, start_at, end_at, opened_at,
         expires_at, remind_at, log, created_at, updated_at)
    SELECT v.id, :tenant, :owner, :configuration, v.status, v.member_count, v.start_at, v.end_at, :now,
           CASE v.status WHEN 'flagged' THEN CAST(:expires AS timestamptz) END,
           CASE v.status WHEN 'flagged' THEN CAST(:remind AS timestamptz) END, v.log, :now, :now
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(id uuid, status text, member_count int, start_at timestamptz, end_at timestamptz, log jsonb)
     ORDER BY v.id
    ON CONFLICT (id) DO UPDATE
       SET status = EXCLUDED.status, member_count = EXCLUDED.member_count, start_at = EXCLUDED.start_at,
           end_at = EXCLUDED.end_at, log = g.log || EXCLUDED.log,
           expires_at = CASE WHEN EXCLUDED.status = 'flagged' AND g.status = 'flagged' THEN g.expires_at
                        ELSE EXCLUDED.expires_at END,
           remind_at = CASE WHEN EXCLUDED.status = 'flagged' AND g.status = 'flagged' THEN g.remind_at
                       ELSE EXCLUDED.remind_at END,
           reminders_sent = CASE g.status WHEN 'flagged' THEN g.reminders_sent ELSE 0 END,
           proposal = CASE WHEN g.status IN ('settled', 'expired') THEN g.resolution ELSE g.proposal END,
           resolution = NULL, settled_at = NULL, settled_by = NULL, archive_due_at = NULL,
           version = g.version + 1, updated_at = EXCLUDED.updated_at
""")
_RENAME_STATUS = text(f"""
    UPDATE overlap_groups g SET status = v.status, version = g.version + 1, updated_at = :now,
           expires_at = CASE v.status WHEN 'flagged' THEN COALESCE(g.expires_at, :expires) END,
           remind_at = CASE v.status WHEN 'flagged' THEN CAST(:remind AS timestamptz) END, reminders_sent = 0
      FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, status text, version int)
     WHERE g.id = v.id AND g.version = v.version AND {OPEN_GROUP}
    RETURNING g.status
""")  # noqa: S608
# The copy of an event that vanished stays as its owner decided: nobody is asked about it again.
_INCLUDE_AGAIN = text("""
    UPDATE appointments a SET excluded = NULL, updated_at = :now
      FROM overlap_members m JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
     WHERE m.group_id = ANY(CAST(:groups AS uuid[])) AND m.configuration_id = :configuration
       AND a.owner_id = :owner AND a.archived_event_id = e.id AND a.excluded = 'resolution'
       AND e.state <> 'source_deleted' AND NOT m.departed
""")
_INSERT_MEMBERS = text(f"""
    INSERT INTO overlap_members AS kept
        (group_id, source_key, configuration_id, revision, start_at, end_at, verdict, record)
    SELECT v.group_id, v.source_key, :configuration, v.revision, v.start_at, v.end_at, v.verdict,
           (SELECT m.record FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
             WHERE m.configuration_id = :configuration AND m.source_key = v.source_key AND {OPEN_GROUP}
               AND m.record IS NOT NULL LIMIT 1)
      FROM json_to_recordset(CAST(:rows AS json))
           AS v(group_id uuid, source_key text, revision text, start_at timestamptz, end_at timestamptz,
                verdict text)
     ORDER BY v.group_id, v.source_key
    ON CONFLICT (group_id, source_key) DO UPDATE
       SET revision = EXCLUDED.revision, start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at,
           verdict = EXCLUDED.verdict, kept = NULL, departed = false
""")  # noqa: S608
_LEAVE_OTHERS = text(f"""
    DELETE FROM overlap_members m USING overlap_groups g,
           json_to_recordset(CAST(:rows AS json)) AS v(group_id uuid, source_key text)
     WHERE m.configuration_id = :configuration AND m.source_key = v.source_key AND m.group_id <> v.group_id
       AND g.id = m.group_id AND {OPEN_GROUP}
""")  # noqa: S608
_DEPART = text("""
    UPDATE overlap_members m SET departed = true
     WHERE m.configuration_id = :configuration AND m.group_id = ANY(CAST(:groups AS uuid[]))
       AND NOT EXISTS (SELECT 1 FROM json_to_recordset(CAST(:rows AS json))
                                  AS v(group_id uuid, source_key text)
                        WHERE v.group_id = m.group_id AND v.source_key = m.source_key)
""")
_MERGE = text(f"""
    UPDATE overlap_groups g SET status = 'merged', merged_into = v.into_id, expires_at = NULL,
           archive_due_at = NULL, version = g.version + 1, updated_at = :now
      FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, into_id uuid)
     WHERE g.id = v.id AND {OPEN_GROUP}
""")  # noqa: S608
_MOVE_MEMBERS = text("""
    UPDATE overlap_members m SET group_id = v.into_id, departed = true
      FROM json_to_recordset(CAST(:rows AS json)) AS v(id uuid, into_id uuid)
     WHERE m.configuration_id = :configuration AND m.group_id = v.id
       AND NOT EXISTS (SELECT 1 FROM overlap_members o
                        WHERE o.group_id = v.into_id AND o.source_key = m.source_key)
""")
_KEEP_RECORDS = text("""
    UPDATE overlap_members m SET record = o.record
      FROM archive_operations o, overlap_groups g
     WHERE o.run_id = :run AND o.owner_id = :owner AND o.state = 'draft' AND m.source_key = o.source_key
       AND o.source_key = ANY(CAST(:keys AS text[])) AND m.configuration_id = :configuration
       AND g.id = m.group_id AND g.status = 'flagged' AND NOT m.departed
       AND m.record->>'revision' IS DISTINCT FROM o.record->>'revision'
""")
_SET_RECORDS = text("""
    UPDATE overlap_members m SET record = v.record
      FROM json_to_recordset(CAST(:rows AS json)) AS v(source_key text, record jsonb), overlap_groups g
     WHERE m.configuration_id = :configuration AND m.source_key = v.source_key AND g.id = m.group_id
       AND g.owner_id = :owner AND g.status = 'flagged' AND NOT m.departed
""")
_UNRECORDED = text(f"""
    SELECT m.source_key FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
     WHERE m.configuration_id = :configuration AND m.source_key = ANY(CAST(:keys AS text[]))
       AND {OPEN_GROUP} AND NOT m.departed AND m.record->>'revision' IS DISTINCT FROM m.revision
""")  # noqa: S608
# What a decision left out counts again once it overlaps nothing of the group, unless it vanished. Only the
# run of its own window knows that.
_SWEEP = text(f"""
    WITH included AS (
        UPDATE appointments a SET excluded = NULL, updated_at = :now
          FROM overlap_members m JOIN archived_events e
            ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
         WHERE m.configuration_id = :configuration AND m.departed AND a.owner_id = :owner
           AND a.archived_event_id = e.id AND a.excluded = 'resolution' AND e.state <> 'source_deleted'
           AND e.start_at >= :start AND e.start_at < :end)
    DELETE FROM overlap_members m
     WHERE m.configuration_id = :configuration AND m.departed AND (m.record IS NULL OR NOT {_GONE})
       AND NOT EXISTS (SELECT 1 FROM archived_events e JOIN appointments a ON a.archived_event_id = e.id
                        WHERE e.configuration_id = m.configuration_id AND e.source_key = m.source_key
                          AND a.excluded = 'resolution' AND e.state <> 'source_deleted'
                          AND (e.start_at < :start OR e.start_at >= :end))
""")  # noqa: S608
_FORGET_RECORDS_OF = text("""
    UPDATE overlap_members m SET record = NULL
     WHERE m.configuration_id = :configuration AND m.source_key = ANY(CAST(:keys AS text[]))
""")
_FORGET_RECORDS = text("""
    UPDATE overlap_members m SET record = NULL FROM archived_events e
     WHERE m.configuration_id = :configuration AND m.record IS NOT NULL
       AND e.configuration_id = m.configuration_id AND e.source_key = m.source_key AND e.copy_id IS NOT NULL
""")
_CLOSE = text(f"""
    UPDATE overlap_groups g SET status = 'closed', settled_at = :now, expires_at = NULL,
           archive_due_at = NULL, version = g.version + 1, updated_at = :now
     WHERE g.id = ANY(CAST(:groups AS uuid[])) AND {OPEN_GROUP}
       AND NOT EXISTS (SELECT 1 FROM overlap_members m
                        WHERE m.group_id = g.id AND m.record IS NOT NULL AND {_GONE})
    RETURNING g.id
""")  # noqa: S608
_RECORDED = text(f"""
    SELECT m.source_key, m.record FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
     WHERE m.configuration_id = :configuration AND m.source_key = ANY(CAST(:keys AS text[]))
       AND m.record IS NOT NULL AND {OPEN_GROUP}
""")  # noqa: S608
_GONE_BUT_KEPT = text(f"""
    SELECT m.source_key, m.record FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
     WHERE m.configuration_id = :configuration AND m.record IS NOT NULL AND m.kept AND {OPEN_GROUP}
       AND g.status IN ('settled', 'expired') AND {_GONE}
     ORDER BY m.source_key LIMIT :limit
""")  # noqa: S608
_CARRIED_OUT = text(f"""
    UPDATE overlap_groups g SET archive_due_at = NULL
     WHERE {OPEN_GROUP} AND g.archive_due_at <= :began
       AND NOT EXISTS (SELECT 1 FROM overlap_members m JOIN archived_events e
                          ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
                        WHERE m.group_id = g.id AND m.kept AND e.state = 'flagged'
                          AND NOT (e.start_at >= :start AND e.start_at < :end))
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Waits:
    """When a new waiting group expires, and when it first reminds its owner (domain.md 5.8)."""

    expires: datetime
    remind: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """An event's place in a stored group that is not over. ``version`` is the group's."""

    source_key: str
    group_id: UUID
    opened_at: datetime
    member_count: int
    status: OverlapStatus
    version: int
    revision: str
    kept: bool


class GroupRow(TypedDict):
    """A group as it is now. ``log`` is what its log gains. Times are ISO 8601."""

    id: str
    status: str
    member_count: int
    start_at: str
    end_at: str
    #: What an entry says differs by who acted.
    log: list[JsonObject]


class MemberRow(TypedDict):
    """A member of a group. Times are ISO 8601."""

    group_id: str
    source_key: str
    revision: str
    start_at: str
    end_at: str
    verdict: str


class StatusRow(TypedDict):
    """A new status for a group at ``version``."""

    id: str
    status: str
    version: int


class OverlapMemberRepository(ConfigurationScopedRepository):
    """``overlap_groups`` and ``overlap_members`` of one configuration of one owner, for its plans."""

    async def known(self, keys: Sequence[str]) -> dict[str, Membership]:
        """The memberships of these source keys in groups that are not over."""
        result = await self._session.execute(_KNOWN, self._scope | {"keys": list(keys)})
        return {
            row["source_key"]: Membership(**{**row, "status": OverlapStatus(row["status"])})
            for row in result.mappings()
        }

    async def store(
        self,
        tenant_id: UUID,
        groups: Sequence[GroupRow],
        members: Sequence[MemberRow],
        complete: Sequence[UUID],
        now: datetime,
        waits: Waits,
    ) -> None:
        """Insert or change groups and their members. Other members of ``complete`` groups depart.

        A decided or expired group keeps its resolution as a proposal (domain.md 5.9).
        """
        if not groups:
            return
        ids = [UUID(group["id"]) for group in groups]
        rows = {"rows": orjson.dumps(members).decode()}
        await self._session.execute(
            _UPSERT_GROUPS,
            self._scope
            | {"tenant": tenant_id, "rows": orjson.dumps(groups).decode(), "now": now}
            | asdict(waits),
        )
        await self._session.execute(_INSERT_MEMBERS, self._scope | rows)
        await self._session.execute(_LEAVE_OTHERS, self._scope | rows)
        await self._session.execute(_DEPART, self._scope | rows | {"groups": list(complete)})
        # A member that came from another group counts again: the decision about that group does not bind
        # this one. A member that departed waits, because only the end of the plan knows whether it vanished.
        await self._session.execute(_INCLUDE_AGAIN, self._scope | {"groups": ids, "now": now})

    async def rename_status(self, groups: Sequence[StatusRow], now: datetime, waits: Waits) -> int:
        """Set another status on unchanged groups after a change of policy.

        Returns how many of them are flagged now.
        """
        if not groups:
            return 0
        rows = {"rows": orjson.dumps(groups).decode(), "now": now}
        result = await self._session.execute(_RENAME_STATUS, self._scope | rows | asdict(waits))
        return sum(status == OverlapStatus.FLAGGED for status in result.scalars())

    async def merge(self, absorbed: Mapping[UUID, UUID], now: datetime) -> None:
        """Mark groups as part of others: the values (domain.md 5.9). Call it after ``store``."""
        if absorbed:
            rows = orjson.dumps(
                [{"id": str(old), "into_id": str(new)} for old, new in absorbed.items()]
            ).decode()
            await self._session.execute(_MERGE, self._scope | {"rows": rows, "now": now})
            await self._session.execute(_MOVE_MEMBERS, self._scope | {"rows": rows})

    async def keep_records(self, run_id: UUID, keys: Sequence[str]) -> None:
        """Copy the records of flagged events from the run's drafts (domain.md 5.3)."""
        if keys:
            await self._session.execute(_KEEP_RECORDS, self._scope | {"run": run_id, "keys": list(keys)})

    async def set_records(self, records: Mapping[str, AppointmentRecord]) -> None:
        """Store these records of flagged events."""
        if records:
            rows = [{"source_key": key, "record": record} for key, record in records.items()]
            await self._session.execute(_SET_RECORDS, self._scope | {"rows": json_text(rows)})

    async def forget_records(self, keys: Sequence[str]) -> None:
        """Delete the records of these events, so that they are not archived when they vanish."""
        await self._session.execute(_FORGET_RECORDS_OF, self._scope | {"keys": list(keys)})

    async def unrecorded(self, keys: Sequence[str]) -> list[str]:
        """Those members whose record is missing or has another revision."""
        if not keys:
            return []
        result = await self._session.execute(_UNRECORDED, self._scope | {"keys": list(keys)})
        return list(result.scalars())

    async def sweep(self, start: datetime, end: datetime, now: datetime) -> None:
        """Delete members that departed, and the records of what is archived. Departed copies count again.

        Members that departed because their source is gone stay: the owner's decision is still open. So do
        members that a decision left out and that start outside ``[start, end)``, the window of the plan.
        """
        await self._session.execute(_SWEEP, self._scope | {"start": start, "end": end, "now": now})
        await self._session.execute(_FORGET_RECORDS, self._scope)

    async def close(self, groups: Sequence[UUID], now: datetime) -> list[UUID]:
        """Close groups whose overlap vanished, except those with a member whose source is gone (5.9).

        What a decision about them left out may count again at the end of the run: see ``left_out_copies``.
        """
        if not groups:
            return []
        result = await self._session.execute(_CLOSE, self._scope | {"groups": list(groups), "now": now})
        return list(result.scalars())

    async def recorded(self, keys: Sequence[str]) -> dict[str, AppointmentRecord]:
        """The records of events that wait without a copy, by source key."""
        if not keys:
            return {}
        result = await self._session.execute(_RECORDED, self._scope | {"keys": list(keys)})
        return {row.source_key: AppointmentRecord.from_json(row.record) for row in result}

    async def gone_but_kept(self, limit: int) -> dict[str, AppointmentRecord]:
        """Records of events that must be archived and whose source is gone, by source key."""
        result = await self._session.execute(_GONE_BUT_KEPT, self._scope | {"limit": limit})
        return {row.source_key: AppointmentRecord.from_json(row.record) for row in result}

    async def carried_out(self, began: datetime, start: datetime, end: datetime) -> None:
        """After a complete plan of ``[start, end)`` that began at ``began``: older decisions are carried out.

        A group with members that wait elsewhere stays due.
        """
        await self._session.execute(_CARRIED_OUT, self._scope | {"began": began, "start": start, "end": end})
