"""Reads appointments of any person, and the caller's own by a filter."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.repositories.appointments.appointments import (
    AppointmentFilter,
    AppointmentRepository,
    JudgedAppointment,
)
from shared.domain.appointments.version import appointment_version
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import is_disclosed, uniform_line
from shared.errors import NotFound
from shared.schemas.appointments import (
    AppointmentListQuery,
    AppointmentResource,
    AppointmentSummary,
    PersonResource,
)
from shared.schemas.base import columns_of
from shared.schemas.paging import Position, Slice
from shared.schemas.rendered import Rendered
from shared.services.identity.access import Access
from shared.services.identity.ownership import readable_owner_of

if TYPE_CHECKING:
    from shared.services.audit.recording import AuditWriter


class GeneralReading:
    """Reads what the caller may see, of any person. See ``AppointmentService`` for each method."""

    def __init__(self, database: Database, audit: "Callable[[], AuditWriter]") -> None:
        """``audit`` creates the writer on first use, because most requests never need it."""
        self._database = database
        self._audit = audit

    async def list(self, caller: Caller, query: AppointmentListQuery) -> Slice[Rendered[AppointmentSummary]]:
        """See ``AppointmentService.list``."""
        after = query.after
        async with self._database.reading() as session:
            access = await Access.of(session, caller)
            owner = await readable_owner_of(session, access, query.user_id, query.configuration_id)
            if owner is None:
                return Slice((), None)
            opened = await access.opened(session)
            rows = await AppointmentRepository(session).list(
                owner.id, _filter(query, caller.person, opened), after=after, limit=query.limit + 1
            )
            agreed = await _agreed(session, caller, [each.row for each in rows])
        found = Slice.cut(rows, query.limit, lambda each: Position(each.row.start_at, each.row.id))
        await self._note(
            caller, owner.id, "user", owner.id, [each.row for each in found.rows], opened, agreed
        )
        return Slice(
            [_rendered(each, shown_to(caller, each.row, agreed, opened)) for each in found.rows], found.next
        )

    async def get(self, caller: Caller, appointment_id: UUID) -> tuple[AppointmentResource, int]:
        """See ``AppointmentService.get``."""
        async with self._database.reading() as session:
            access = await Access.of(session, caller)
            opened = await access.opened(session)
            found = await AppointmentRepository(session).find(
                caller.tenant_id,
                appointment_id,
                owner_id=access.readable_owner,
                viewer=caller.person,
                opened=opened,
            )
            if found is None:
                raise NotFound("there is no such appointment")
            agreed = await _agreed(session, caller, [found.row])
        row, shown = found.row, shown_to(caller, found.row, agreed, opened)
        await self._note(caller, row.owner_id, "appointment", row.id, [row], opened, agreed)
        return _resource(found, shown), row.version if shown else appointment_version(row.created_at)

    async def _note(
        self,
        caller: Caller,
        owner_id: UUID,
        resource_type: str,
        resource_id: UUID,
        rows: Sequence[Appointment],
        opened: frozenset[UUID],
        agreed: Collection[UUID],
    ) -> None:
        """Audit what only an emergency access makes visible."""
        if not opened:
            return
        from shared.services.people.break_glass import note_use

        used = sum(
            shown_to(caller, row, agreed, opened) and not shown_to(caller, row, agreed) for row in rows
        )
        await note_use(self._database, self._audit(), owner_id, resource_type, resource_id, used)


def shown_to(
    caller: Caller, row: Appointment, agreed: Collection[UUID] = (), opened: Collection[UUID] = ()
) -> bool:
    """Whether the caller may see more than the times (domain.md 6.3).

    ``agreed`` are configurations whose private events the person read shows to the caller (6.5). ``opened``
    are people whose private events an emergency access opens.
    """
    origin = row.origin_mailbox_id
    shown = is_disclosed(row.sensitivity, origin=origin, viewer=caller.person, opened=opened)
    return shown or row.configuration_id in agreed


async def _agreed(session: AsyncSession, caller: Caller, rows: Sequence[Appointment]) -> set[UUID]:
    hidden = {row.configuration_id for row in rows if not shown_to(caller, row)}
    if not hidden:
        return set()
    from shared.database.repositories.approvals.mailbox_approvals import details_agreed

    return await details_agreed(session, sorted(hidden), caller.person)


def _filter(query: AppointmentListQuery, viewer: UUID | None, opened: frozenset[UUID]) -> AppointmentFilter:
    return AppointmentFilter(
        query.window_start,
        query.window_end,
        configuration_id=query.configuration_id,
        category=query.category,
        status=query.status,
        text=query.text,
        counts=query.counts,
        why_not=query.reason_code,
        source_deleted=query.source_deleted,
        unresolved=query.unresolved,
        viewer=viewer,
        opened=opened,
        latest_first=query.order == "-start",
    )


def _summary(judged: JudgedAppointment, shown: bool) -> dict[str, Any]:
    row = judged.row
    identity = {"id": row.id, "user_id": row.owner_id, "configuration_id": row.configuration_id}
    if not shown:
        return {
            **identity,
            **uniform_line(row.start_at, row.end_at, is_all_day=row.is_all_day),
            "is_cancelled": False,
            "is_declined": False,
            "attachment_count": 0,
            "source_deleted_at": None,
            "source_deleted": False,
            "unresolved": None,
            "counts": None,
            "reason_code": None,
        }
    verdict = {"source_deleted": row.source_deleted_at is not None, "reason_code": judged.why_not}
    verdict["counts"] = judged.why_not is None
    return verdict | columns_of(row, AppointmentSummary, *verdict, start="start_at", end="end_at")


def _rendered(judged: JudgedAppointment, shown: bool) -> Rendered[AppointmentSummary]:
    return Rendered(AppointmentSummary(**_summary(judged, shown)).model_dump_json().encode())


def _resource(judged: JudgedAppointment, shown: bool) -> AppointmentResource:
    row = judged.row
    if not shown:
        return AppointmentResource(
            **_summary(judged, shown),
            body="",
            body_type="text",
            organizer=None,
            attendees=[],
            ical_uid="",
            revision="",
            created_at=row.created_at,
            # The time of the last change would reveal that the event changed.
            updated_at=row.created_at,
        )
    return AppointmentResource(
        **_summary(judged, shown),
        body=row.body,
        body_type=row.body_type,
        organizer=PersonResource(**row.organizer) if row.organizer else None,
        attendees=[PersonResource(**person) for person in row.attendees],
        ical_uid=row.ical_uid,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
