"""Our own record of archived events (domain.md 1, Appointment; 2.6)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import defer

from shared.database.counting import why_not_sql
from shared.database.models.appointments import Appointment, intersects
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.database.repositories.base import Keyset, Repository, page
from shared.database.repositories.identity.disclosure import disclosed, open_to_readers
from shared.domain.appointments.appointment_record import RECORD_COLUMNS, AppointmentRecord
from shared.domain.appointments.appointment_status import AppointmentStatus
from shared.domain.appointments.counting import WhyNot
from shared.domain.events.event_content import CONTENT_COLUMNS, EventContent
from shared.domain.overlaps.status import Exclusion
from shared.domain.planning.purpose import Purpose

_ONE = select(Appointment).where(
    Appointment.owner_id == bindparam("owner"), Appointment.id == bindparam("id")
)
_WHY_NOT: ColumnElement[str | None] = literal_column(why_not_sql("appointments", "archived_events"), Text)
_TIMESHEETS = select(ArchiveConfiguration.id).where(ArchiveConfiguration.purpose == Purpose.TIMESHEET)
_STATUS: dict[AppointmentStatus, ColumnElement[bool]] = {
    AppointmentStatus.LIVE: and_(
        ~Appointment.is_cancelled, ~Appointment.is_declined, Appointment.source_deleted_at.is_(None)
    ),
    AppointmentStatus.CANCELLED: Appointment.is_cancelled.is_(True),
    AppointmentStatus.DECLINED: Appointment.is_declined.is_(True),
    AppointmentStatus.SOURCE_DELETED: Appointment.source_deleted_at.is_not(None),
}
_ADOPT = text(f"""
    UPDATE appointments a SET updated_at = :at, source_subject = COALESCE(a.source_subject, a.subject),
           {", ".join(f"{column} = r.{column}" for column in CONTENT_COLUMNS)}
      FROM jsonb_populate_record(NULL::appointments, CAST(:record AS jsonb)) AS r
     WHERE a.owner_id = :owner AND a.archived_event_id = :event
""")  # noqa: S608
#: Columns that lists do not show, and that would be most of the cost.
_LEFT_OUT = [
    defer(column, raiseload=True)
    for column in (
        Appointment.body,
        Appointment.organizer,
        Appointment.attendees,
        Appointment.modifications,
    )
]
_VERSIONS = text("""
    SELECT o.id, to_jsonb(a) AS before, o.record AS after
      FROM archive_operations o JOIN appointments a ON a.archived_event_id = o.archived_event_id
     WHERE o.owner_id = :owner AND o.id = ANY(CAST(:ids AS uuid[])) AND jsonb_typeof(o.record) = 'object'
""")


@dataclass(frozen=True, slots=True)
class AppointmentFilter:
    """Appointments that intersect ``[start, end)`` and match every field that is not None.

    An event that ends when the range starts does not intersect it. An event of zero length does if it is
    inside. ``category`` is one of its categories. ``text`` is part of subject or location. Both ignore case.
    ``counts`` and ``why_not`` follow ``shared.domain.appointments.counting``. Another person's private event
    is found only by its times, as if it took place (6.3). In a timesheet it is not found at all, because its
    presence reveals its words. ``viewer`` is an object id. ``opened`` is as in ``is_disclosed``.
    """

    start: datetime
    end: datetime
    configuration_id: UUID | None = None
    category: str | None = None
    status: AppointmentStatus | None = None
    text: str | None = None
    counts: bool | None = None
    why_not: WhyNot | None = None
    source_deleted: bool | None = None
    unresolved: bool | None = None
    viewer: UUID | None = None
    opened: frozenset[UUID] = frozenset()
    latest_first: bool = False

    @property
    def asks_for_content(self) -> bool:
        """Whether a filter uses more than time and status."""
        filters = (
            *(self.category, self.text, self.counts, self.why_not),
            *(self.source_deleted, self.unresolved),
        )
        return any(each is not None for each in filters)


class JudgedAppointment(NamedTuple):
    """An appointment and why it counts no time. None if it counts (domain.md 2.18)."""

    row: Appointment
    why_not: WhyNot | None


class AppointmentRepository(Repository):
    """The ``appointments`` table, always of one owner."""

    async def get(self, owner_id: UUID, appointment_id: UUID) -> Appointment | None:
        """The owner's appointment."""
        return await self._one(_ONE, {"owner": owner_id, "id": appointment_id})

    async def get_in_tenant(self, tenant_id: UUID, appointment_id: UUID) -> Appointment | None:
        """An appointment of anyone in the tenant, for callers who may read everyone's."""
        return await self._one(
            select(Appointment)
            .join(User, User.id == Appointment.owner_id)
            .where(User.tenant_id == tenant_id, Appointment.id == appointment_id)
        )

    async def find(
        self,
        tenant_id: UUID,
        appointment_id: UUID,
        *,
        owner_id: UUID | None,
        viewer: UUID | None,
        opened: Collection[UUID] = (),
    ) -> JudgedAppointment | None:
        """The appointment of one owner (None: anyone in the tenant), if it is visible to the viewer.

        ``viewer`` is the object id of the person who asks. See ``AppointmentFilter``.
        """
        statement = (
            _judged()
            .join(User, User.id == Appointment.owner_id)
            .where(User.tenant_id == tenant_id, Appointment.id == appointment_id, _known_to(viewer, opened))
        )
        if owner_id is not None:
            statement = statement.where(Appointment.owner_id == owner_id)
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else _as_judged(row)

    async def list(
        self, owner_id: UUID, wanted: AppointmentFilter, after: Keyset | None = None, limit: int = 200
    ) -> list[JudgedAppointment]:
        """The owner's appointments that match every filter, by start. ``after`` is (start_at, id).

        Without bodies and people. Reading them from a row raises InvalidRequestError.
        """
        statement = (
            _judged().options(*_LEFT_OUT).where(Appointment.owner_id == owner_id, *_conditions(wanted))
        )
        key = (Appointment.start_at, Appointment.id)
        rows = await self._session.execute(
            page(statement, key, after, limit, newest_first=wanted.latest_first)
        )
        return [_as_judged(row) for row in rows]

    async def record_of(self, owner_id: UUID, archived_event_id: UUID) -> AppointmentRecord | None:
        """Our record of an archived event."""
        return (await self.recorded(owner_id, [archived_event_id])).get(archived_event_id)

    async def adopt(
        self, owner_id: UUID, archived_event_id: UUID, content: EventContent, at: datetime
    ) -> None:
        """Record the owner's version of the copy (domain.md 2.15)."""
        await self._session.execute(
            _ADOPT,
            {
                "owner": owner_id,
                "event": archived_event_id,
                "record": orjson.dumps(content.to_json()).decode(),
                "at": at,
            },
        )

    async def recorded(
        self, owner_id: UUID, archived_event_ids: Sequence[UUID]
    ) -> dict[UUID, AppointmentRecord]:
        """Our records of archived events, by the ids of their map rows."""
        if not archived_event_ids:
            return {}
        found = await self._all(
            select(Appointment).where(
                Appointment.owner_id == owner_id, Appointment.archived_event_id.in_(archived_event_ids)
            )
        )
        return {each.archived_event_id: _recorded(each) for each in found}

    async def versions_of_operations(
        self, owner_id: UUID, operation_ids: Sequence[UUID]
    ) -> dict[UUID, tuple[AppointmentRecord, AppointmentRecord]]:
        """Both versions, present and future, of what the operations update (domain.md 2.4).

        By operation id. Call it before the results are recorded.
        """
        if not operation_ids:
            return {}
        rows = await self._session.execute(_VERSIONS, {"owner": owner_id, "ids": list(operation_ids)})
        return {
            row.id: (AppointmentRecord.from_json(row.before), AppointmentRecord.from_json(row.after))
            for row in rows
        }

    async def hand_over(self, owner_id: UUID, former_id: UUID, heir_id: UUID) -> None:
        """Move the record of a copy to the archived event that took the copy over (domain.md 2.9)."""
        await self._session.execute(
            update(Appointment)
            .where(Appointment.owner_id == owner_id, Appointment.archived_event_id == former_id)
            .values(archived_event_id=heir_id, source_deleted_at=None)
        )

    async def mark_source_present(self, owner_id: UUID, archived_event_ids: Sequence[UUID]) -> None:
        """Record that sources which were gone or consumed have their own copies again."""
        if archived_event_ids:
            await self._session.execute(
                update(Appointment)
                .where(
                    Appointment.owner_id == owner_id, Appointment.archived_event_id.in_(archived_event_ids)
                )
                .values(
                    source_deleted_at=None, excluded=func.nullif(Appointment.excluded, Exclusion.CONSUMED)
                )
            )

    async def mark_consumed(self, owner_id: UUID, archived_event_ids: Sequence[UUID]) -> None:
        """Record that events which were archived alone are now consumed, and count no more (4.6)."""
        if archived_event_ids:
            await self._session.execute(
                update(Appointment)
                .where(
                    Appointment.owner_id == owner_id, Appointment.archived_event_id.in_(archived_event_ids)
                )
                .values(excluded=Exclusion.CONSUMED)
            )

    async def mark_source_deleted(
        self, owner_id: UUID, archived_event_ids: Sequence[UUID], at: datetime
    ) -> int:
        """Record since when the sources are gone (domain.md 2.4). Returns how many are newly marked."""
        if not archived_event_ids:
            return 0
        marked = await self._session.execute(
            update(Appointment)
            .where(
                Appointment.owner_id == owner_id,
                Appointment.archived_event_id.in_(archived_event_ids),
                Appointment.source_deleted_at.is_(None),
            )
            .values(source_deleted_at=at)
            .returning(Appointment.id)
        )
        return len(marked.all())


def _judged() -> Select[Any]:
    entry = ArchivedEvent.id == Appointment.archived_event_id
    return cast("Select[Any]", select(Appointment, _WHY_NOT).join(ArchivedEvent, entry))


def _as_judged(row: Any) -> JudgedAppointment:
    appointment, reason = row
    return JudgedAppointment(appointment, None if reason is None else WhyNot(reason))


def _recorded(row: Appointment) -> AppointmentRecord:
    return AppointmentRecord.from_json({each: getattr(row, each) for each in (*RECORD_COLUMNS, "excluded")})


def _known_to(viewer: UUID | None, opened: Collection[UUID] = ()) -> ColumnElement[bool]:
    """Hide other people's private events of a timesheet, and rows without a valid approval."""
    return and_(
        open_to_readers(Appointment.configuration_id),
        or_(disclosed(Appointment, viewer, opened), Appointment.configuration_id.not_in(_TIMESHEETS)),
    )


def _conditions(wanted: AppointmentFilter) -> Iterator[ColumnElement[bool]]:
    yield from intersects(wanted.start, wanted.end)
    if wanted.configuration_id is not None:
        yield Appointment.configuration_id == wanted.configuration_id
    shown = disclosed(Appointment, wanted.viewer, wanted.opened)
    yield _known_to(wanted.viewer, wanted.opened)
    if wanted.status is not None:
        whole = and_(shown, _STATUS[wanted.status])
        yield or_(whole, ~shown) if wanted.status is AppointmentStatus.LIVE else whole
    if wanted.category is not None:
        category = func.unnest(Appointment.categories).column_valued("category")
        yield exists(select(category).where(func.lower(category) == func.lower(wanted.category)))
    if wanted.text is not None:
        subject = Appointment.subject.icontains(wanted.text, autoescape=True)
        yield or_(subject, Appointment.location.icontains(wanted.text, autoescape=True))
    if wanted.counts is not None:
        yield _WHY_NOT.is_(None) if wanted.counts else _WHY_NOT.is_not(None)
    if wanted.why_not is not None:
        yield _WHY_NOT.in_([str(wanted.why_not)])
    if wanted.source_deleted is not None:
        deleted: ColumnElement[bool] = Appointment.source_deleted_at.is_not(None)
        yield deleted if wanted.source_deleted else ~deleted
    if wanted.unresolved is not None:
        yield Appointment.unresolved.is_(wanted.unresolved)
    if wanted.asks_for_content:
        yield shown
