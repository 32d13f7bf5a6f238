"""Which tenants besides the home tenant have access (design.md, Who may).

Every request uses this module. Code that only tokens of further tenants need is loaded for them alone (cold
start).
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.database.engine import Database
    from shared.settings import Settings

#: After this time every instance accepts an added tenant. The instance that added it does so at once.
KNOWN_AFTER: Final = timedelta(seconds=5)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FurtherTenants:
    """Knows which further tenants have access. Without a database there are none. For one event loop."""

    def __init__(self, database: "Database", clock: "Clock", settings: "Settings") -> None:
        self._database = database
        self._clock = clock
        self._there = bool(settings.database_url.get_secret_value())
        self._known: frozenset[UUID] = frozenset()
        self._read_at = _LONG_AGO

    async def known(self, tenant_id: UUID) -> bool:
        """Whether a token of this tenant is worth checking. True at most ``KNOWN_AFTER`` late.

        It is asked about unchecked tokens. Concurrent questions cause only one query.
        """
        if not self._there:
            return False
        now = self._clock.now()
        if now - self._read_at > KNOWN_AFTER:
            # Set before the answer arrives. Requests in between use the previous answer.
            before, self._read_at = self._read_at, now
            try:
                from shared.database.repositories.identity.tenants import TenantRepository

                async with self._database.session() as session:
                    self._known = await TenantRepository(session).active_ids()
            except BaseException:
                self._read_at = before
                raise
        return tenant_id in self._known

    async def active(self, tenant_id: UUID) -> bool:
        """Whether the tenant's people have access now. Asked at every request of theirs."""
        from shared.database.repositories.identity.tenants import TenantRepository

        async with self._database.session() as session:
            return await TenantRepository(session).is_active(tenant_id)

    def forget(self) -> None:
        """Query again for the next token, because this instance changed a row."""
        self._read_at = _LONG_AGO
