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

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Label,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from shared.database.counting import why_not_sql
from shared.database.engine import Database
from shared.database.models.appointments import Appointment, intersects
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.database.prepared import PreparedRead
from shared.database.repositories.base import Keyset
from shared.database.repositories.identity.disclosure import disclosed
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import MASKED_SENSITIVITY, PRIVATE

_ACTIVE = "caller_active"
#: As tables, not classes: the ORM would configure all mappers before the first statement (cold start).
_USERS, _APPOINTMENTS, _MAP = User.__table__, Appointment.__table__, ArchivedEvent.__table__
_PERSON, _EVENT = _USERS.c, _APPOINTMENTS.c
#: The column name of the verdict, and its value for an event that counts.
_KEPT = "verdict"
_NONE: ColumnElement[str] = literal_column("'counts'", Text)
#: Why an appointment counts no time, else ``_NONE``. It is one scalar query, so PostgreSQL reads the map only
#: for the rows of the page, after sorting. A join would read it for every row of the range.
_VERDICT: ColumnElement[str] = (
    select(func.coalesce(literal_column(why_not_sql("appointments", "archived_events"), Text), _NONE))
    .where(_MAP.c.id == _EVENT.archived_event_id)
    .correlate(_APPOINTMENTS)
    .scalar_subquery()
)
_CONFIGURATION = ArchiveConfiguration.__table__.c
#: Columns whose public name differs from the column name.
_COLUMNS = {"user_id": "owner_id", "start": "start_at", "end": "end_at"}
_SHOWN = disclosed(_EVENT, None) | (_EVENT.origin_mailbox_id == _PERSON.object_id)
#: Replaces another person's private event (``shared.domain.identity.disclosure``).
_UNIFORM: dict[str, str] = {
    **dict.fromkeys(("subject",), f"'{PRIVATE}'"),
    **dict.fromkeys(("start_zone", "end_zone"), "'UTC'"),
    **dict.fromkeys(("location", "body", "ical_uid", "revision"), "''"),
    "categories": "'{}'::text[]",
    "show_as": "'busy'",
    "importance": "'normal'",
    "sensitivity": f"'{MASKED_SENSITIVITY}'",
    **dict.fromkeys(("is_cancelled", "is_declined"), "false"),
    "attachment_count": "0",
    **dict.fromkeys(("source_deleted_at", "organizer"), "NULL"),
    "body_type": "'text'",
    "attendees": "'[]'::jsonb",
}


def _seen(name: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = _EVENT[_COLUMNS.get(name, name)]
    if name == "updated_at":
        return case((_SHOWN, column), else_=_EVENT.created_at).label(name)
    if name in _UNIFORM:
        return case((_SHOWN, column), else_=literal_column(_UNIFORM[name], column.type)).label(name)
    return column.label(name)


_RECORDED: tuple[ColumnElement[Any], ...] = tuple(
    _seen(name)
    for name in (
        *("id", "user_id", "configuration_id", "subject", "start", "end", "start_zone", "end_zone"),
        *("is_all_day", "location", "categories", "show_as", "importance", "sensitivity"),
        *("is_cancelled", "is_declined", "attachment_count", "source_deleted_at"),
    )
)
_JUDGED: tuple[ColumnElement[Any], ...] = (
    *_RECORDED,
    (_SHOWN & _EVENT.source_deleted_at.is_not(None)).label("source_deleted"),
    case((_SHOWN, _EVENT.unresolved)).label("unresolved"),
    case((_SHOWN, _VERDICT)).label(_KEPT),
)


def _told_verdict(columns: Sequence[ColumnElement[Any]]) -> tuple[ColumnElement[Any], ...]:
    """The columns, with the verdict replaced by its meaning."""
    *others, verdict = columns
    kept = verdict.element if isinstance(verdict, Label) else verdict
    counts, reason = kept == _NONE, func.nullif(kept, _NONE)
    return (*others, counts.label("counts"), reason.label("reason_code"))


_DETAIL: tuple[ColumnElement[Any], ...] = tuple(
    _seen(name)
    for name in (
        *("body", "body_type", "organizer", "attendees", "ical_uid", "revision", "created_at", "updated_at"),
    )
)
#: Rows of an archive of another person's calendar are closed when its approval ends. An approval that was
#: given to an Admin is not valid here for a caller without that role (domain.md 6.5).
_CLOSED = (
    select(_CONFIGURATION.id)
    .where(
        _CONFIGURATION.id == _EVENT.configuration_id,
        (_CONFIGURATION.open_until <= func.now())
        | (_CONFIGURATION.open_until.is_not(None) & _CONFIGURATION.given_to_admin),
    )
    .correlate(_APPOINTMENTS)
    .exists()
)
_CALLER = (_PERSON.tenant_id == bindparam("tenant"), _PERSON.object_id == bindparam("object"))
ONE = PreparedRead(
    select(_PERSON.active.label(_ACTIVE), *_told_verdict(_JUDGED), *_DETAIL)
    .select_from(_USERS)
    .outerjoin(_APPOINTMENTS, (_EVENT.owner_id == _PERSON.id) & (_EVENT.id == bindparam("id")) & ~_CLOSED)
    .where(*_CALLER)
)


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
            del row[_ACTIVE]
        return Own(own.active, rows)

    async def list(
        self, caller: Caller, start: datetime, end: datetime, after: Keyset | None, limit: int
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
    mine = (
        select(*_JUDGED)
        .select_from(_APPOINTMENTS)
        .where(_EVENT.owner_id == _PERSON.id, ~_CLOSED, *intersects(bindparam("start"), bindparam("end")))
    )
    if behind:
        end = tuple_(
            bindparam("after_start", type_=_EVENT.start_at.type),
            bindparam("after_id", type_=_EVENT.id.type),
        )
        mine = mine.where(tuple_(_EVENT.start_at, _EVENT.id) > end)
    order = (_EVENT.start_at, _EVENT.id)
    page = mine.correlate(_USERS).order_by(*order).limit(bindparam("limit")).lateral("page")
    # Reading the columns one by one would take the driver longer than the rest of the request.
    told = [_told(column).label(column.name) for column in _told_verdict(tuple(page.c))]
    shown = select(*told).correlate(page).lateral("shown")
    summary = cast(func.row_to_json(literal_column("shown")), Text)
    return PreparedRead(
        select(_PERSON.active.label(_ACTIVE), page.c.id, page.c.start, summary.label("summary"))
        .select_from(_USERS)
        .outerjoin(page, true())
        .outerjoin(shown, true())
        .where(*_CALLER)
        .order_by(page.c.start, page.c.id)
    )


def _told(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value in pydantic's format: instants in UTC with Z, with microseconds if there are any."""
    if not isinstance(column.type, DateTime):
        return column
    pattern, zero, none = (
        literal_column(f"'{text}'", Text) for text in ('YYYY-MM-DD"T"HH24:MI:SS.US"Z"', ".000000Z", "Z")
    )
    return func.replace(func.to_char(func.timezone(literal_column("'UTC'"), column), pattern), zero, none)
