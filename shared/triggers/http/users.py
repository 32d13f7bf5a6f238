"""Users over HTTP."""

from shared.schemas.base import NoBody, NoQuery
from shared.schemas.paging import Page
from shared.schemas.users import UserCreate, UserListQuery, UserResource, UserUpdate
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import ADMINS, EVERYONE, GraphAccess, IfMatch, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "POST",
    "v1/users",
    summary="Add a person of the tenant",
    roles=ADMINS,
    ownership=Ownership.TENANT,
    body=UserCreate,
    response=UserResource,
    status=201,
    errors=(409, 502, 503),
    graph=GraphAccess.APPLICATION,
)
async def create_user(request: Request[UserCreate, NoQuery]) -> Reply[UserResource]:
    """The mailbox is looked up in Graph; an unknown one is a 422 naming ``address``."""
    user = await request.app.users.create(request.caller, request.body)
    return Reply(
        UserResource.model_validate(user),
        location=f"v1/users/{user.id}",
        version=user.version,
        owner_id=user.id,
    )


@endpoint(
    blueprint,
    "GET",
    "v1/users/{id}",
    summary="Get a person",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    response=UserResource,
    errors=(404,),
)
async def get_user(request: Request[NoBody, NoQuery]) -> Reply[UserResource]:
    """A User gets himself only."""
    user = await request.app.users.get(request.caller, request.id)
    return Reply(UserResource.model_validate(user), version=user.version)


@endpoint(
    blueprint,
    "PATCH",
    "v1/users/{id}",
    summary="Change a person's name, or deactivate him",
    roles=ADMINS,
    ownership=Ownership.TENANT,
    body=UserUpdate,
    response=UserResource,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def update_user(request: Request[UserUpdate, NoQuery]) -> Reply[UserResource]:
    """Who is deactivated is refused at his next request, whatever his token says."""
    user = await request.app.users.update(request.caller, request.id, request.body, request.expected)
    return Reply(UserResource.model_validate(user), version=user.version, owner_id=user.id)


@endpoint(
    blueprint,
    "GET",
    "v1/users",
    summary="List the people of the tenant, in the order they were added",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    query=UserListQuery,
    response=Page[UserResource],
)
async def list_users(request: Request[NoBody, UserListQuery]) -> Reply[Page[UserResource]]:
    """A User sees himself only."""
    query = request.query
    found = await request.app.users.list(request.caller, query.after, query.limit, query.address)
    users = [UserResource.model_validate(user) for user in found.rows]
    return Reply(Page[UserResource](items=users, next=found.next_cursor))
