"""Users over HTTP."""

from __future__ import annotations

from shared.schemas import base, paging, users
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import ADMINS, READERS, GraphAccess, IfMatch

endpoints = Endpoints()


@endpoints.post(
    "v1/users",
    summary="Add a person of the tenant",
    access=ADMINS,
    status=201,
    errors=(409, 502, 503),
    graph=GraphAccess.APPLICATION,
)
async def create_user(request: Request[users.UserCreate]) -> Reply[users.UserResource]:
    """The mailbox is looked up in Graph. An unknown one is a 422 naming ``address``."""
    user = await request.app.people.users.create(request.caller, request.body)
    return Reply(
        users.UserResource.model_validate(user),
        location=f"v1/users/{user.id}",
        version=user.version,
        owner_id=user.id,
    )


@endpoints.get(
    "v1/users/{id}",
    summary="Get a person",
    access=READERS,
    errors=(404,),
)
async def get_user(request: Request) -> Reply[users.UserResource]:
    """A User reads their own entry only."""
    user = await request.app.people.users.get(request.caller, request.id)
    return Reply(users.UserResource.model_validate(user), version=user.version)


@endpoints.patch(
    "v1/users/{id}",
    summary="Change a person's name, or deactivate them",
    access=ADMINS,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def update_user(request: Request[users.UserUpdate]) -> Reply[users.UserResource]:
    """A person who is deactivated is refused at their next request, whatever their token says."""
    user = await request.app.people.users.update(request.caller, request.id, request.body, request.expected)
    return Reply(users.UserResource.model_validate(user), version=user.version, owner_id=user.id)


@endpoints.get(
    "v1/users",
    summary="List the people of the tenant, in the order they were added",
    access=READERS,
    order=("created_at", "id"),
)
async def list_users(
    request: Request[base.NoBody, users.UserListQuery],
) -> Reply[paging.Page[users.UserResource]]:
    """A User sees their own entry only."""
    found = await request.app.people.users.list(request.caller, request.query)
    return page_of(found, users.UserResource.model_validate)
