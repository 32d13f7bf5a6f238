"""Further tenants over HTTP, for Admins of the home tenant."""

from __future__ import annotations

from shared.schemas import base, paging, tenants
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import HOME_ADMINS, IfMatch

endpoints = Endpoints()


@endpoints.post(
    "v1/tenants", summary="Let a further tenant in", access=HOME_ADMINS, status=201, errors=(409,)
)
async def add_tenant(request: Request[tenants.TenantCreate]) -> Reply[tenants.TenantResource]:
    """Its people's tokens are accepted from now on. Its administrator must consent to the app at Entra."""
    tenant = await request.app.people.tenants.add(request.caller, request.body)
    return Reply(
        tenants.TenantResource.of(tenant), location=f"v1/tenants/{tenant.id}", version=tenant.version
    )


@endpoints.get(
    "v1/tenants",
    summary="List further tenants, in the order they were added",
    access=HOME_ADMINS,
    order=("created_at", "id"),
)
async def list_tenants(
    request: Request[base.NoBody, paging.PageQuery],
) -> Reply[paging.Page[tenants.TenantResource]]:
    """The home tenant is not listed, because it always has access."""
    found = await request.app.people.tenants.list(request.caller, request.query.after, request.query.limit)
    return page_of(found, tenants.TenantResource.of)


@endpoints.get("v1/tenants/{id}", summary="Get a further tenant", access=HOME_ADMINS, errors=(404,))
async def get_tenant(request: Request) -> Reply[tenants.TenantResource]:
    """By its tenant id at Entra."""
    tenant = await request.app.people.tenants.get(request.caller, request.id)
    return Reply(tenants.TenantResource.of(tenant), version=tenant.version)


@endpoints.patch(
    "v1/tenants/{id}",
    summary="Rename a further tenant, shut it out or let it in again",
    access=HOME_ADMINS,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_tenant(request: Request[tenants.TenantUpdate]) -> Reply[tenants.TenantResource]:
    """People of an inactive one are refused from their next request on. None of their data is deleted."""
    tenant = await request.app.people.tenants.update(
        request.caller, request.id, request.body, request.expected
    )
    return Reply(tenants.TenantResource.of(tenant), version=tenant.version)
