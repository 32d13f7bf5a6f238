"""Further tenants over HTTP, for Admins of the home tenant."""

from shared.schemas.base import NoBody, NoQuery
from shared.schemas.paging import Page, PageQuery
from shared.schemas.tenants import TenantCreate, TenantResource, TenantUpdate
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import ADMINS, IfMatch, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "POST",
    "v1/tenants",
    summary="Let a further tenant in",
    roles=ADMINS,
    ownership=Ownership.HOME,
    body=TenantCreate,
    response=TenantResource,
    status=201,
    errors=(409,),
)
async def add_tenant(request: Request[TenantCreate, NoQuery]) -> Reply[TenantResource]:
    """Its people's tokens are accepted from now on; its administrator must consent to the app at Entra."""
    tenant = await request.app.tenants.add(request.caller, request.body)
    return Reply(
        TenantResource.model_validate(tenant), location=f"v1/tenants/{tenant.id}", version=tenant.version
    )


@endpoint(
    blueprint,
    "GET",
    "v1/tenants",
    summary="List further tenants, in the order they were added",
    roles=ADMINS,
    ownership=Ownership.HOME,
    query=PageQuery,
    response=Page[TenantResource],
)
async def list_tenants(request: Request[NoBody, PageQuery]) -> Reply[Page[TenantResource]]:
    """The home tenant is not among them; it is always let in."""
    found = await request.app.tenants.list(request.caller, request.query.after, request.query.limit)
    items = [TenantResource.model_validate(tenant) for tenant in found.rows]
    return Reply(Page[TenantResource](items=items, next=found.next_cursor))


@endpoint(
    blueprint,
    "GET",
    "v1/tenants/{id}",
    summary="Get a further tenant",
    roles=ADMINS,
    ownership=Ownership.HOME,
    response=TenantResource,
    errors=(404,),
)
async def get_tenant(request: Request[NoBody, NoQuery]) -> Reply[TenantResource]:
    """By its tenant id at Entra."""
    tenant = await request.app.tenants.get(request.caller, request.id)
    return Reply(TenantResource.model_validate(tenant), version=tenant.version)


@endpoint(
    blueprint,
    "PATCH",
    "v1/tenants/{id}",
    summary="Rename a further tenant, shut it out or let it in again",
    roles=ADMINS,
    ownership=Ownership.HOME,
    body=TenantUpdate,
    response=TenantResource,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_tenant(request: Request[TenantUpdate, NoQuery]) -> Reply[TenantResource]:
    """The people of an inactive one are refused from their next request on; nothing of theirs is deleted."""
    tenant = await request.app.tenants.update(request.caller, request.id, request.body, request.expected)
    return Reply(TenantResource.model_validate(tenant), version=tenant.version)
