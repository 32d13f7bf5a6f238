"""A person's own appointments, together with the facts that permit reading: one statement each.

Nearly all requests are these two, so they bypass the ORM. It makes a list of fifty take 1.3 times as long
(``./dev bench prepared``). All other code uses
:class:`~shared.database.repositories.appointments.appointments.AppointmentRepository`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from shared.database.counting import why_not_sql
from shared.database.engine import Database
from shared.database.prepared import PreparedRead
from shared.domain.events.event_content import CONTENT_FIELDS
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import MASKED_CONTENT, NORMAL

#: As ``shared.database.repositories.base.Keyset``, whose module loads SQLAlchemy.
type _Keyset = tuple[datetime, UUID]

_ACTIVE = "caller_active"
#: People see their own events whole, and of other people's only normal ones.
_SHOWN = f"(appointments.sensitivity = '{NORMAL}' OR appointments.origin_mailbox_id = users.object_id)"
#: Columns whose public name differs from the column name.
_COLUMNS = {"user_id": "owner_id", "start": "start_at", "end": "end_at"}
#: Replaces another person's private event (``shared.domain.identity.disclosure``).
_UNIFORM: dict[str, str] = {
    **{name: f"'{value}'" for name, value in MASKED_CONTENT.items()},
    "categories": "'{}'::text[]",
    **dict.fromkeys(("ical_uid", "revision"), "''"),
    **dict.fromkeys(("is_cancelled", "is_declined"), "false"),
    "attachment_count": "0",
    **dict.fromkeys(("source_deleted_at", "organizer"), "NULL"),
    "attendees": "'[]'::jsonb",
    "updated_at": "appointments.created_at",
}
_BODY = ("body", "body_type")
_JSON = ("organizer", "attendees")
_INSTANTS = ("start", "end", "source_deleted_at")
_RECORDED = (
    *("id", "user_id", "configuration_id"),
    *(name for name in CONTENT_FIELDS if name not in _BODY),
    *("is_cancelled", "is_declined", "attachment_count", "source_deleted_at"),
)
_DETAIL = (*_BODY, *_JSON, "ical_uid", "revision", "created_at", "updated_at")
#: The verdict of an event that counts.
_COUNTS = "'counts'"
#: Why an appointment counts no time, else ``_COUNTS``. It is one scalar query, so PostgreSQL reads the map
#: only for the rows of the page, after sorting. A join would read it for every row of the range.
_VERDICT = f"""
    (SELECT coalesce({why_not_sql("appointments", "archived_events")}, {_COUNTS}) FROM archived_events
      WHERE archived_events.id = appointments.archived_event_id)"""  # noqa: S608
#: Rows of an archive of another person's calendar are closed when its approval ends. An approval that was
#: given to an Admin is not valid here for a caller without that role (domain.md 6.5).
_CLOSED = """EXISTS (
    SELECT archive_configurations.id FROM archive_configurations
     WHERE archive_configurations.id = appointments.configuration_id
       AND (archive_configurations.open_until <= now()
            OR archive_configurations.open_until IS NOT NULL AND archive_configurations.given_to_admin))"""
_CALLER = "users.tenant_id = :tenant AND users.object_id = :object"


def _seen(name: str) -> str:
    """A column as the caller sees it, under its public name."""
    column = f"appointments.{_COLUMNS.get(name, name)}"
    if name in _UNIFORM:
        column = f"CASE WHEN {_SHOWN} THEN {column} ELSE {_UNIFORM[name]} END"
    return f'{column}::text AS "{name}"' if name in _JSON else f'{column} AS "{name}"'


#: What a list tells of a row.
_JUDGED = ", ".join(
    (
        *map(_seen, _RECORDED),
        f"{_SHOWN} AND appointments.source_deleted_at IS NOT NULL AS source_deleted",
        f"CASE WHEN {_SHOWN} THEN appointments.unresolved END AS unresolved",
        f"CASE WHEN {_SHOWN} THEN {_VERDICT} END AS verdict",
    )
)


ONE = PreparedRead(f"""
    SELECT users.active AS {_ACTIVE}, mine.*, mine.verdict = {_COUNTS} AS counts,
           nullif(mine.verdict, {_COUNTS}) AS reason_code
      FROM users
      LEFT JOIN LATERAL (
           SELECT {_JUDGED},
                  {", ".join(map(_seen, _DETAIL))}
             FROM appointments
            WHERE appointments.owner_id = users.id AND appointments.id = :id AND NOT {_CLOSED}
           ) AS mine ON true
     WHERE {_CALLER}
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Own:
    """Rows by public field names. ``active`` is None if the caller is unknown."""

    active: bool | None
    rows: Sequence[Mapping[str, Any]]


class OwnAppointments:
    """The ``appointments`` table for a signed-in person's own rows, found by their Entra object id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, appointment_id: UUID) -> Own:
        """One appointment with body and people."""
        own = await self._read(ONE, caller, {"id": appointment_id})
        rows = [dict(row) for row in own.rows]
        for row in rows:
            del row[_ACTIVE], row["verdict"]
            row |= {name: orjson.loads(row[name]) for name in _JSON if row[name] is not None}
        return Own(own.active, rows)

    async def list(
        self, caller: Caller, start: datetime, end: datetime, after: _Keyset | None, limit: int
    ) -> Own:
        """Those that intersect ``[start, end)``, by start. ``after`` is (start, id).

        Each has ``id``, ``start`` and ``summary``: its public fields without body and people, as JSON.
        """
        parameters: dict[str, Any] = {"start": start, "end": end, "limit": limit}
        if after is not None:
            parameters |= {"after_start": after[0], "after_id": after[1]}
        return await self._read(_page(after is not None), caller, parameters)

    async def _read(self, read: PreparedRead, caller: Caller, parameters: dict[str, Any]) -> Own:
        parameters |= {"tenant": caller.tenant_id, "object": caller.object_id}
        found = await self._database.fetch(read, parameters)
        if not found:
            return Own(None, [])
        # A caller without appointments gives one row with only NULLs.
        return Own(found[0][_ACTIVE], found if found[0]["id"] is not None else [])


@cache
def _page(behind: bool) -> PreparedRead:
    """A page: the first one, or the one ``behind`` the end of another."""
    after = "AND (appointments.start_at, appointments.id) > (:after_start, :after_id)" if behind else ""
    told = ", ".join(_told(name) for name in (*_RECORDED, "source_deleted", "unresolved"))
    # Reading the columns one by one would take the driver longer than the rest of the request.
    return PreparedRead(f"""
        SELECT users.active AS {_ACTIVE}, page.id, page.start, row_to_json(shown)::text AS summary
          FROM users
          LEFT JOIN LATERAL (
               SELECT {_JUDGED}
                 FROM appointments
                WHERE appointments.owner_id = users.id AND NOT {_CLOSED} AND appointments.start_at < :end
                  AND (appointments.end_at > :start
                       OR appointments.start_at = appointments.end_at AND appointments.start_at >= :start)
                  {after}
                ORDER BY appointments.start_at, appointments.id
                LIMIT :limit) AS page ON true
          LEFT JOIN LATERAL (
               SELECT {told}, page.verdict = {_COUNTS} AS counts,
                      nullif(page.verdict, {_COUNTS}) AS reason_code) AS shown ON true
         WHERE {_CALLER}
         ORDER BY page.start, page.id
    """)  # noqa: S608


def _told(name: str) -> str:
    """A value in pydantic's format: instants in UTC with Z, with microseconds if there are any."""
    column = f'page."{name}"'
    if name in _INSTANTS:
        pattern = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        column = f"replace(to_char(timezone('UTC', {column}), '{pattern}'), '.000000Z', 'Z')"
    return f'{column} AS "{name}"'
