"""Which further tenants are let in beside the home tenant (design.md, Who may).

Part of every request's way in: what only tokens of further tenants need is loaded for those (cold start).
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.database.engine import Database
    from shared.settings import Settings

#: A tenant that was added is let in after this time by every instance, at once by the one that added it.
KNOWN_AFTER: Final = timedelta(seconds=5)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FurtherTenants:
    """Tells which further tenants are let in; without a database there are none. For one event loop."""

    def __init__(self, database: "Database", clock: "Clock", settings: "Settings") -> None:
        self._database = database
        self._clock = clock
        self._there = bool(settings.database_url.get_secret_value())
        self._known: frozenset[UUID] = frozenset()
        self._read_at = _LONG_AGO

    async def known(self, tenant_id: UUID) -> bool:
        """Whether it may be worth looking at a token of this tenant: true at most ``KNOWN_AFTER`` late.

        Asked of tokens that nobody has checked yet, so the database is asked once for any crowd of them.
        """
        if not self._there:
            return False
        now = self._clock.now()
        if now - self._read_at > KNOWN_AFTER:
            # Set before the answer is there: whoever comes meanwhile is judged by the former one.
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
        """Whether its people are let in right now; asked for every request of a further tenant's token."""
        from shared.database.repositories.identity.tenants import TenantRepository

        async with self._database.session() as session:
            return await TenantRepository(session).is_active(tenant_id)

    def forget(self) -> None:
        """Look again at the next token: a row was changed here."""
        self._read_at = _LONG_AGO
