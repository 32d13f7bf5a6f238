"""Whose events of which range a report covers, and who may ask (domain.md 1, 2.2)."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.database.repositories.categories.category_facts import (
    CategoryFactsRepository,
    ConfigurationRange,
    View,
)
from shared.domain.identity.caller import Caller
from shared.domain.runs.window import local_day_start
from shared.domain.times.zones import find_zone
from shared.errors import Conflict, FieldError, NotFound, ValidationFailed
from shared.schemas.category_reports import RangeFields
from shared.services.identity.access import Access
from shared.services.identity.ownership import readable_owner_of

UTC_ZONE: Final = ZoneInfo("UTC")
_NAME_SOMEBODY = FieldError("user_id", "name the person: the caller has no events of their own", "missing")


@dataclass(frozen=True, slots=True)
class Scope:
    """A person and the range of each of their configurations. ``view.viewer`` is the person who asks.

    ``zone`` is the zone of the days: the requested one, else that of the default or first configuration.
    """

    owner: User
    view: View
    zone: ZoneInfo


async def writable_person(access: Access, user_id: UUID | None) -> User:
    """The person for whom something is changed: the named one, or the caller.

    Raises NotFound, ValidationFailed naming ``user_id``, and Conflict for a deactivated person.
    """
    if user_id is None and access.own is None and access.caller.is_admin:
        raise ValidationFailed([_NAME_SOMEBODY])
    if user_id is None and access.own is None:
        raise NotFound("there is no such user")
    owner = access.own if user_id is None else await access.writable_user(user_id)
    if owner is None:
        raise NotFound("there is no such user")
    if not owner.active:
        raise Conflict("this user is deactivated", code="user_deactivated")
    return owner


async def read_scope(
    session: AsyncSession,
    caller: Caller,
    wanted: RangeFields,
    user_id: UUID | None,
    max_days: int,
    zone: ZoneInfo | None = None,
) -> Scope | None:
    """The requested events. None for a caller who has none.

    ``zone`` replaces the zones of the configurations. Raises NotFound for a person or configuration that is
    not visible to the caller. Raises ValidationFailed naming the end of a range that is too long, or
    ``user_id`` if no person is named.
    """
    check_length(wanted, max_days)
    access = await Access.of(session, caller)
    owner = await readable_owner_of(session, access, user_id, wanted.configuration_id)
    return None if owner is None else await scope_of(session, caller, owner, wanted, zone)


async def scope_of(
    session: AsyncSession, caller: Caller, owner: User, wanted: RangeFields, zone: ZoneInfo | None = None
) -> Scope:
    """The range of a person's events. Local days are in ``zone``, or in each configuration's zone."""
    facts = CategoryFactsRepository(session)
    zones = {
        configuration_id: zone or find_zone(name) or UTC_ZONE
        for configuration_id, name in await facts.configurations(owner.id, wanted.configuration_id)
    }
    ranges = tuple(_range(configuration_id, each, wanted) for configuration_id, each in zones.items())
    view = View(owner.id, caller.person, ranges)
    return Scope(owner, view, zone or next(iter(zones.values()), UTC_ZONE))


def check_length(wanted: RangeFields, max_days: int) -> None:
    """Raise ValidationFailed naming the end of a range of more than ``max_days`` days."""
    longest, field, length = timedelta(days=max_days), "window_end", timedelta()
    if wanted.first_day is not None and wanted.last_day is not None:
        field, length = "last_day", wanted.last_day - wanted.first_day + timedelta(days=1)
    elif wanted.window_start is not None and wanted.window_end is not None:
        length = wanted.window_end - wanted.window_start
    if length > longest:
        message = f"the range must not be longer than {longest.days} days"
        raise ValidationFailed([FieldError(field, message, "range_too_long")])


def _range(configuration_id: UUID, zone: ZoneInfo, wanted: RangeFields) -> ConfigurationRange:
    if wanted.first_day is not None and wanted.last_day is not None:
        end = local_day_start(wanted.last_day + timedelta(days=1), zone)
        return ConfigurationRange(configuration_id, local_day_start(wanted.first_day, zone), end)
    if wanted.window_start is None or wanted.window_end is None:
        raise RuntimeError("a range has a start and an end")
    return ConfigurationRange(
        configuration_id, wanted.window_start.astimezone(UTC), wanted.window_end.astimezone(UTC)
    )
