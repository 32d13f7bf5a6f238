"""Limits of one person, checked inside the transaction that adds (domain.md 6.6).

Each function takes the tenant's settings in force (``SystemSettings.of``, read before the transaction) and
raises LimitReached. Existing things stay, even above a limit that was lowered. The field is where the request
names the person or their thing.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.people.person_limits import PersonLimitRepository
from shared.errors import LimitReached
from shared.services.operation.system_settings import TenantSettings

#: How long an export counts.
EXPORT_PERIOD: Final = timedelta(hours=24)


async def refuse_configuration(session: AsyncSession, owner_id: UUID, in_force: TenantSettings) -> None:
    """Call it before adding an archive configuration. The caller has locked the roles of calendars."""
    most = in_force.max_archive_configurations
    if await PersonLimitRepository(session).archive_configurations(owner_id) >= most:
        raise LimitReached("user_id", "max_archive_configurations", most, "archive configurations")


async def refuse_local_calendar(session: AsyncSession, owner_id: UUID, in_force: TenantSettings) -> None:
    """Call it before adding a local calendar."""
    limits, most = PersonLimitRepository(session), in_force.max_local_calendars
    await limits.take_turn(owner_id)
    if await limits.local_calendars(owner_id) >= most:
        raise LimitReached("id", "max_local_calendars", most, "local calendars")


async def refuse_local_event(session: AsyncSession, owner_id: UUID, in_force: TenantSettings) -> None:
    """Call it before a person adds a local event."""
    most = in_force.max_local_events
    if not await PersonLimitRepository(session).has_room_for_events(owner_id, most):
        raise LimitReached("id", "max_local_events", most, "local events")


async def refuse_category_rule(session: AsyncSession, owner_id: UUID, in_force: TenantSettings) -> None:
    """Call it before adding a category rule."""
    limits, most = PersonLimitRepository(session), in_force.max_category_rules
    await limits.take_turn(owner_id)
    if await limits.category_rules(owner_id) >= most:
        raise LimitReached("user_id", "max_category_rules", most, "category rules")


async def refuse_export(
    session: AsyncSession, owner_id: UUID, requested_by: str, in_force: TenantSettings, now: datetime
) -> None:
    """Call it before adding an export of a person. The caller has locked the row of that person.

    An Admin's export does not prevent the person's own export, and the reverse.
    """
    most, since = in_force.max_exports_per_day, now - EXPORT_PERIOD
    if await PersonLimitRepository(session).exports_since(owner_id, requested_by, since) >= most:
        raise LimitReached("id", "max_exports_per_day", most, "exports within 24 hours")
