"""The list of further tenants, which have access besides the home tenant (design.md, Who may)."""

from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.system import Tenant
from shared.database.repositories.identity.tenants import TenantRepository
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, Forbidden, NotFound
from shared.schemas.paging import Position, Slice
from shared.schemas.tenants import TenantCreate, TenantUpdate
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.identity.further_tenants import FurtherTenants
from shared.settings import Settings


class TenantService:
    """The list of further tenants, only for Admins of the home tenant."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, known: FurtherTenants, audit: AuditWriter
    ) -> None:
        self._database = database
        self._clock = clock
        self._home = settings.tenant_id
        self._known = known
        self._audit = audit

    async def add(self, caller: Caller, wanted: TenantCreate) -> Tenant:
        """Give a tenant's people access. Its administrator must consent to the app at Entra.

        Raises Forbidden for an Admin of a further tenant, and Conflict if the tenant exists already.
        """
        self._require_home(caller)
        if wanted.id == self._home:
            raise Conflict("this is the home tenant", code="already_exists")
        now = self._clock.now()
        tenant = Tenant(
            id=wanted.id,
            name=wanted.name,
            active=True,
            added_by=caller.actor,
            version=1,
            created_at=now,
            updated_at=now,
        )
        async with session_for(self._database, caller) as (session, _):
            await TenantRepository(session).add(tenant)
            changes = {"after": {"tenant": str(tenant.id), "active": True}}
            await self._audit.record(session, "tenant.added", "tenant", tenant.id, changes)
        self._known.forget()
        return tenant

    async def get(self, caller: Caller, tenant_id: UUID) -> Tenant:
        """One further tenant. Raises Forbidden and NotFound."""
        self._require_home(caller)
        async with session_for(self._database, caller) as (session, _):
            tenant = await TenantRepository(session).get(tenant_id)
        if tenant is None:
            raise NotFound("there is no such tenant")
        return tenant

    async def list(self, caller: Caller, after: Position | None, limit: int) -> Slice[Tenant]:
        """Further tenants in the order they were added. Raises Forbidden."""
        self._require_home(caller)
        async with session_for(self._database, caller) as (session, _):
            rows = await TenantRepository(session).list(after, limit + 1)
        return Slice.cut(rows, limit, lambda tenant: Position(tenant.created_at, tenant.id))

    async def update(
        self, caller: Caller, tenant_id: UUID, wanted: TenantUpdate, expected: ExpectedVersion
    ) -> Tenant:
        """Rename it, or remove or restore its people's access, from the next request on.

        Raises Forbidden, NotFound and PreconditionFailed.
        """
        self._require_home(caller)
        async with session_for(self._database, caller) as (session, _):
            tenant = await TenantRepository(session).get(tenant_id, lock=True)
            if tenant is None:
                raise NotFound("there is no such tenant")
            expected.check(tenant.version)
            given = wanted.given()
            before = {name: getattr(tenant, name) for name in given if getattr(tenant, name) != given[name]}
            if before:
                for name in before:
                    setattr(tenant, name, given[name])
                tenant.touch(self._clock.now())
                changes = {
                    "before": {_audited(name): before[name] for name in before},
                    "after": {_audited(name): given[name] for name in before},
                }
                await self._audit.record(session, "tenant.updated", "tenant", tenant.id, changes)
        self._known.forget()
        return tenant

    def _require_home(self, caller: Caller) -> None:
        if caller.tenant_id != self._home:
            raise Forbidden("tenants are managed in the home tenant", code="home_tenant_only")


def _audited(name: str) -> str:
    """A tenant's name belongs to no person, so the audit shows it unencrypted."""
    return "tenant_name" if name == "name" else name
