"""Settings that each tenant's Admins choose. The installation's defaults fill the rest."""

from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.system import SystemSetting
from shared.database.repositories.operation.system_settings import SystemSettingRepository
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.identity.first_sign_in import FirstSignIn
from shared.domain.json_object import JsonObject
from shared.schemas.system import SystemSettingsUpdate
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.settings import Settings

#: Another instance's change is visible after this time at the latest, this instance's own at once.
KEPT_FOR: Final = timedelta(seconds=10)
_MOST_TENANTS: Final = 1000


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """The settings in force in one tenant."""

    default_lookback_days: int
    nightly_at: str
    default_time_zone: str
    travel_words: tuple[str, ...]
    overlap_expiry_days: int
    first_sign_in: FirstSignIn
    max_archive_configurations: int
    max_local_calendars: int
    max_local_events: int
    max_category_rules: int
    max_exports_per_day: int

    @classmethod
    def defaults(cls, settings: Settings) -> "TenantSettings":
        """The defaults of the installation."""
        values = {name: getattr(settings, name) for name in NAMES}
        return cls(**values | {"first_sign_in": FirstSignIn(settings.first_sign_in)})

    def changed(self, chosen: JsonObject) -> "TenantSettings":
        """The settings with a tenant's choices. Names that this version does not know are ignored."""
        known = {name: chosen[name] for name in NAMES if name in chosen}
        if "travel_words" in known:
            known["travel_words"] = tuple(known["travel_words"])
        if "first_sign_in" in known:
            known["first_sign_in"] = FirstSignIn(known["first_sign_in"])
        return replace(self, **known)


async def settings_in_force(session: AsyncSession, settings: Settings, tenant_id: UUID) -> TenantSettings:
    """The settings in force in a tenant, for a caller with an open session."""
    row = await SystemSettingRepository(session).get(tenant_id)
    defaults = TenantSettings.defaults(settings)
    return defaults if row is None else defaults.changed(row.chosen)


NAMES: Final = tuple(field.name for field in fields(TenantSettings))


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """A tenant's settings, which of them it chose, and the version of the choice."""

    values: TenantSettings
    chosen: tuple[str, ...]
    version: int
    updated_by: str | None
    updated_at: datetime | None


class SystemSettings:
    """Reads and changes the settings of tenants. For one event loop."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._defaults = TenantSettings.defaults(settings)
        self._kept: OrderedDict[UUID, tuple[TenantSettings, datetime]] = OrderedDict()

    async def of(self, tenant_id: UUID, *, fresh: bool = False) -> TenantSettings:
        """The settings in force, cached for ``KEPT_FOR``. Do not call it inside an open session."""
        now = self._clock.now()
        kept = None if fresh else self._kept.get(tenant_id)
        if kept is not None and kept[1] > now:
            return kept[0]
        async with self._database.session() as session:
            row = await SystemSettingRepository(session).get(tenant_id)
        values = self._defaults.changed(row.chosen if row is not None else {})
        # An open transaction's write is not visible to others yet, so it is not cached.
        if not self._database.in_unit_of_work:
            self._kept[tenant_id] = values, now + KEPT_FOR
            if len(self._kept) > _MOST_TENANTS:
                self._kept.popitem(last=False)
        return values

    async def get(self, caller: Caller) -> SettingsInForce:
        """The settings of the caller's tenant, read again."""
        async with session_for(self._database, caller) as (session, _):
            row = await SystemSettingRepository(session).get(caller.tenant_id)
        return self._in_force(row)

    async def update(
        self, caller: Caller, wanted: SystemSettingsUpdate, expected: ExpectedVersion
    ) -> SettingsInForce:
        """Set what is given. None restores the default. Raises PreconditionFailed."""
        async with session_for(self._database, caller) as (session, _):
            row = await SystemSettingRepository(session).lock(caller.tenant_id)
            expected.check(row.version)
            given = wanted.model_dump(mode="json", include=wanted.model_fields_set)
            chosen = {name: value for name, value in (row.chosen | given).items() if value is not None}
            touched = [name for name in given if row.chosen.get(name) != chosen.get(name)]
            if touched:
                before, row.chosen = row.chosen, chosen
                row.version += 1
                row.updated_by = caller.actor
                row.updated_at = self._clock.now()
                changes = {
                    "before": {name: before.get(name) for name in touched},
                    "after": {name: chosen.get(name) for name in touched},
                }
                await self._audit.record(
                    session, "system_settings.updated", "system_settings", caller.tenant_id, changes
                )
        self.forget(caller.tenant_id)
        return self._in_force(row)

    def forget(self, tenant_id: UUID) -> None:
        """Read the tenant's settings again next time."""
        self._kept.pop(tenant_id, None)

    def _in_force(self, row: SystemSetting | None) -> SettingsInForce:
        if row is None:
            return SettingsInForce(self._defaults, (), 0, None, None)
        chosen = tuple(name for name in NAMES if name in row.chosen)
        at = row.updated_at if row.version else None
        return SettingsInForce(self._defaults.changed(row.chosen), chosen, row.version, row.updated_by, at)
