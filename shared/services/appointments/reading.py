"""Our record of what was archived, and how much of it each caller may read (domain.md 1, 6.3)."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.appointments.own_appointments import OwnAppointments
from shared.domain.appointments.version import appointment_version
from shared.domain.identity.caller import Caller, require_active
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.schemas.appointments import AppointmentListQuery, AppointmentResource, AppointmentSummary
from shared.schemas.paging import Position, Slice
from shared.schemas.rendered import Rendered
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.services.appointments.general_reading import GeneralReading


class AppointmentService:
    """Reading appointments."""

    def __init__(
        self, database: Database, settings: Settings, general: "Callable[[], GeneralReading]"
    ) -> None:
        """``general`` is created on first use, because most callers read their own (cold start)."""
        self._own = OwnAppointments(database)
        self._settings = settings
        self._general = general

    async def list(self, caller: Caller, query: AppointmentListQuery) -> Slice[Rendered[AppointmentSummary]]:
        """Appointments of one person that touch the range, in order of start.

        Raises NotFound for a person or configuration that is not visible to the caller. Raises
        ValidationFailed naming ``window_end`` (the range is too long), ``user_id`` (no person given) or
        ``cursor``.
        """
        longest = timedelta(days=self._settings.max_window_days)
        if query.window_end - query.window_start > longest:
            message = f"the range must not be longer than {longest.days} days"
            raise ValidationFailed([FieldError("window_end", message, "range_too_long")])
        if _asks_for_own(caller, query):
            return await self._list_own(caller, query)
        return await self._general().list(caller, query)

    async def get(self, caller: Caller, appointment_id: UUID) -> tuple[AppointmentResource, int]:
        """One appointment visible to the caller, and its version. Raises NotFound."""
        if _sees_own_only(caller):
            return await self._get_own(caller, appointment_id)
        return await self._general().get(caller, appointment_id)

    async def _list_own(
        self, caller: Caller, query: AppointmentListQuery
    ) -> Slice[Rendered[AppointmentSummary]]:
        after = query.after
        own = await self._own.list(caller, query.window_start, query.window_end, after, query.limit + 1)
        require_active(own.active)
        found = Slice.cut(own.rows, query.limit, lambda row: Position(row["start"], row["id"]))
        return Slice([Rendered(row["summary"].encode()) for row in found.rows], found.next)

    async def _get_own(self, caller: Caller, appointment_id: UUID) -> tuple[AppointmentResource, int]:
        own = await self._own.get(caller, appointment_id)
        require_active(own.active)
        if not own.rows:
            raise NotFound("there is no such appointment")
        found = AppointmentResource(**own.rows[0])
        return found, appointment_version(found.updated_at)


def _sees_own_only(caller: Caller) -> bool:
    """Whether the caller is a signed-in person without a role that reads the tenant."""
    return not caller.app_only and not caller.reads_tenant


def _asks_for_own(caller: Caller, query: AppointmentListQuery) -> bool:
    """Whether the request only asks for a range of the caller's own appointments in the usual order."""
    filters = (
        *(query.user_id, query.configuration_id, query.category, query.status, query.text),
        *(query.counts, query.reason_code, query.source_deleted, query.unresolved),
    )
    unfiltered = all(each is None for each in filters)
    return _sees_own_only(caller) and unfiltered and query.order == "start"
