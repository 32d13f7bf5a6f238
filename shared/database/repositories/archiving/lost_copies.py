"""Copies that were lost with a deleted archive calendar and must be created again (domain.md 1)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.archiving.write_results import record_insert
from shared.database.repositories.base import ConfigurationScopedRepository
from shared.domain.appointments.appointment_record import AppointmentRecord

_SCOPE = "owner_id = :owner AND configuration_id = :configuration"
# Nobody knows whether a copy of these existed. The source may be gone by now, so each is recorded.
_RECORD_CREATES = text(f"""{record_insert("archive_operations")}
     WHERE a.owner_id = :owner AND a.configuration_id = :configuration AND a.state = 'sent'
       AND a.action = 'create' AND jsonb_typeof(a.record) = 'object'
     ORDER BY a.archived_event_id
    ON CONFLICT (archived_event_id) DO NOTHING
""")
_MOOT = text(f"""
    UPDATE archive_operations
       SET state = 'cancelled', finished_at = :now, payload = NULL, error_code = 'archive_calendar_gone',
           error_detail = 'the archive calendar was deleted before it was known what became of this write'
     WHERE {_SCOPE} AND state = 'sent'
    RETURNING archived_event_id, action
""")  # noqa: S608
# Removed copies stay removed. Those of consumed modifications are free, and are created again as that. A lost
# create (with unknown effect) is replaced by a create of the next generation, as for a copy that existed.
_LOSE = text("""
    UPDATE archived_events e
       SET copy_id = NULL, copy_etag = NULL, conflict_revision = NULL, updated_at = :now,
           generation = e.generation + CASE WHEN e.copy_id IS NOT NULL OR v.moot THEN 1 ELSE 0 END,
           state = CASE e.state WHEN 'present' THEN 'creating' ELSE e.state END,
           revision = CASE WHEN v.back AND e.state <> 'consumed' THEN '' ELSE e.revision END,
           lost_at = CASE WHEN v.back THEN CAST(:now AS timestamptz) END,
           pending_since = CASE WHEN v.unwritten THEN COALESCE(e.pending_since, :now)
                                ELSE e.pending_since END
      FROM (SELECT f.id, f.id = ANY(CAST(:moot AS uuid[])) AS moot,
                   (f.state IN ('present', 'creating', 'source_deleted', 'superseded')
                        OR f.state = 'consumed' AND a.show_as = 'free') AND a.id IS NOT NULL AS back,
                   f.id = ANY(CAST(:updates AS uuid[]))
                   OR (f.id = ANY(CAST(:moot AS uuid[])) AND a.id IS NULL) AS unwritten
              FROM archived_events f LEFT JOIN appointments a ON a.archived_event_id = f.id
             WHERE f.owner_id = :owner AND f.configuration_id = :configuration
               AND (f.copy_id IS NOT NULL OR f.id = ANY(CAST(:moot AS uuid[]))
                    OR (f.state = 'creating' AND a.id IS NOT NULL))) AS v
     WHERE e.id = v.id
""")
_LOST = f"""{_SCOPE} AND lost_at IS NOT NULL AND copy_id IS NULL
       AND state IN ('creating', 'present', 'source_deleted', 'superseded', 'consumed')"""
_STANDING = text(f"""
    SELECT count(*) AS amount, min(start_at) AS first, max(start_at) AS last
      FROM archived_events WHERE {_LOST}
""")  # noqa: S608
_PAGE = text(f"""
    SELECT e.id, e.source_key, e.start_at,
           to_jsonb(a) || jsonb_build_object('source_gone', a.source_deleted_at IS NOT NULL) AS record,
           EXISTS (SELECT 1 FROM archive_operations o WHERE o.configuration_id = e.configuration_id
                      AND o.source_key = e.source_key AND o.state IN ('planned', 'sent')) AS busy
      FROM (SELECT id, configuration_id, source_key, start_at FROM archived_events
             WHERE {_LOST}
               AND (CAST(:start AS timestamptz) IS NULL
                    OR (start_at, id) > (CAST(:start AS timestamptz), CAST(:after AS uuid)))
             ORDER BY start_at, id LIMIT :limit) AS e
      JOIN appointments a ON a.archived_event_id = e.id
     ORDER BY e.start_at, e.id
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class LostCopies:
    """How many copies must be created again, and their first and last start."""

    amount: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class LostCopy:
    """A copy to create again from ``record``, its appointment.

    ``busy``: it has a write that is planned or sent.
    """

    id: UUID
    source_key: str
    start_at: datetime
    record: AppointmentRecord
    busy: bool


class LostCopyRepository(ConfigurationScopedRepository):
    """The lost copies of one owner's configuration."""

    async def lose_all(self, now: datetime) -> int:
        """Mark every copy as lost with the archive calendar. Returns how many writes became obsolete.

        Call it in the transaction that names another calendar, while no run of the configuration is running.
        From then on, every known copy is in the new calendar. Writes with an unknown effect could only affect
        the former one. Their creates are recorded and created again. The next night retries other writes.
        """
        await self._session.execute(_RECORD_CREATES, self._scope)
        moot = (await self._session.execute(_MOOT, self._scope | {"now": now})).all()
        await self._session.execute(
            _LOSE,
            self._scope
            | {
                "now": now,
                "moot": [row.archived_event_id for row in moot],
                "updates": [row.archived_event_id for row in moot if row.action != "create"],
            },
        )
        return len(moot)

    async def standing(self) -> LostCopies:
        """What still has to be created again."""
        row = (await self._session.execute(_STANDING, self._scope)).one()
        return LostCopies(row.amount, row.first, row.last)

    async def page(self, after: LostCopy | None, limit: int) -> list[LostCopy]:
        """Copies to create again, by start, after ``after``."""
        place = {"start": after.start_at if after else None, "after": after.id if after else None}
        rows = await self._session.execute(_PAGE, self._scope | place | {"limit": limit})
        return [
            LostCopy(**row | {"record": AppointmentRecord.from_json(row["record"])})
            for row in map(dict, rows.mappings())
        ]
