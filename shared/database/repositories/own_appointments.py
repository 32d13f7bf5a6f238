"""A person's own appointments with what decides that he may read them: one statement each.

Nearly all requests are these two, so they pass by the ORM. Everything else asks
:class:`~shared.database.repositories.appointments.AppointmentRepository`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, true, tuple_

from shared.database.engine import Database
from shared.database.models import Appointment, User
from shared.database.prepared_reads import PreparedRead
from shared.database.repositories.appointments import intersects
from shared.database.repositories.base import Keyset
from shared.domain.caller import Caller

_ACTIVE = "caller_active"
_SUMMARY: tuple[ColumnElement[Any], ...] = (
    Appointment.id.label("id"),
    Appointment.owner_id.label("user_id"),
    Appointment.start_at.label("start"),
    Appointment.end_at.label("end"),
    *(
        getattr(Appointment, name)
        for name in (
            *("configuration_id", "subject", "start_zone", "end_zone", "is_all_day", "location"),
            *("categories", "show_as", "importance", "sensitivity", "is_cancelled", "is_declined"),
            *("attachment_count", "source_deleted_at"),
        )
    ),
)
_DETAIL: tuple[ColumnElement[Any], ...] = tuple(
    getattr(Appointment, name)
    for name in (
        *("body", "body_type", "organizer", "attendees", "ical_uid", "revision", "created_at", "updated_at"),
    )
)
_CALLER = (User.tenant_id == bindparam("tenant"), User.object_id == bindparam("object"))
_ONE = PreparedRead(
    select(User.active.label(_ACTIVE), *_SUMMARY, *_DETAIL)
    .select_from(User)
    .outerjoin(Appointment, (Appointment.owner_id == User.id) & (Appointment.id == bindparam("id")))
    .where(*_CALLER)
)


@dataclass(frozen=True, slots=True)
class Own:
    """Rows by the names of the public fields; ``active`` is None where the caller is nobody we know."""

    active: bool | None
    rows: Sequence[dict[str, Any]]


class OwnAppointments:
    """The ``appointments`` table as a signed-in person sees his own, found by his Entra object id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, appointment_id: UUID) -> Own:
        """One appointment with body and people."""
        return await self._read(_ONE, caller, {"id": appointment_id})

    async def list(
        self, caller: Caller, start: datetime, end: datetime, after: Keyset | None, limit: int
    ) -> Own:
        """Those that intersect ``[start, end)`` by start, without bodies; ``after`` is (start, id)."""
        parameters: dict[str, Any] = {"start": start, "end": end, "limit": limit}
        if after is not None:
            parameters |= {"after_start": after[0], "after_id": after[1]}
        return await self._read(_page(after is not None), caller, parameters)

    async def _read(self, read: PreparedRead, caller: Caller, parameters: dict[str, Any]) -> Own:
        parameters |= {"tenant": caller.tenant_id, "object": caller.object_id}
        found = [dict(row) for row in await self._database.fetch(read, parameters)]
        active = [row.pop(_ACTIVE) for row in found]
        # A caller without appointments is one row of nothing.
        return Own(active[0] if active else None, [row for row in found if row["id"] is not None])


@cache
def _page(behind: bool) -> PreparedRead:
    """A page, the first one or one ``behind`` the end of another."""
    mine = select(*_SUMMARY).where(
        Appointment.owner_id == User.id, *intersects(bindparam("start"), bindparam("end"))
    )
    if behind:
        end = tuple_(
            bindparam("after_start", type_=Appointment.start_at.type),
            bindparam("after_id", type_=Appointment.id.type),
        )
        mine = mine.where(tuple_(Appointment.start_at, Appointment.id) > end)
    order = (Appointment.start_at, Appointment.id)
    page = mine.correlate(User).order_by(*order).limit(bindparam("limit")).lateral("page")
    return PreparedRead(
        select(User.active.label(_ACTIVE), *page.c)
        .select_from(User)
        .outerjoin(page, true())
        .where(*_CALLER)
        .order_by(page.c.start, page.c.id)
    )
