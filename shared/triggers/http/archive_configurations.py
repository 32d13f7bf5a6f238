"""Archive configurations over HTTP."""

from shared.schemas.archive_configurations import (
    ArchiveConfigurationCreate,
    ArchiveConfigurationListQuery,
    ArchiveConfigurationResource,
)
from shared.schemas.base import NoBody, NoQuery
from shared.schemas.paging import Page
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "POST",
    "v1/archive-configurations",
    summary="Add an archive configuration with its schedule",
    roles=WRITERS,
    ownership=Ownership.OWN_OR_ADMIN,
    body=ArchiveConfigurationCreate,
    response=ArchiveConfigurationResource,
    status=201,
    errors=(404, 409, 502, 503),
)
async def create_archive_configuration(
    request: Request[ArchiveConfigurationCreate, NoQuery],
) -> Reply[ArchiveConfigurationResource]:
    """Calendar references are resolved in the mailbox; if one cannot be, the 422 lists what there is."""
    found = await request.app.archive_configurations.create(request.caller, request.body)
    return Reply(
        ArchiveConfigurationResource.of(found.configuration, found.job),
        location=f"v1/archive-configurations/{found.configuration.id}",
        version=found.configuration.version,
        owner_id=found.configuration.owner_id,
    )


@endpoint(
    blueprint,
    "GET",
    "v1/archive-configurations/{id}",
    summary="Get an archive configuration",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    response=ArchiveConfigurationResource,
    errors=(404,),
)
async def get_archive_configuration(
    request: Request[NoBody, NoQuery],
) -> Reply[ArchiveConfigurationResource]:
    """One configuration with its schedule and next run."""
    found = await request.app.archive_configurations.get(request.caller, request.id)
    return Reply(
        ArchiveConfigurationResource.of(found.configuration, found.job), version=found.configuration.version
    )


@endpoint(
    blueprint,
    "GET",
    "v1/archive-configurations",
    summary="List archive configurations, in the order they were added",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    query=ArchiveConfigurationListQuery,
    response=Page[ArchiveConfigurationResource],
)
async def list_archive_configurations(
    request: Request[NoBody, ArchiveConfigurationListQuery],
) -> Reply[Page[ArchiveConfigurationResource]]:
    """The caller's own; for Admins and Auditors the tenant's, or one person's."""
    query = request.query
    found = await request.app.archive_configurations.list(
        request.caller, query.user_id, query.after, query.limit
    )
    resources = [ArchiveConfigurationResource.of(each.configuration, each.job) for each in found.rows]
    return Reply(Page[ArchiveConfigurationResource](items=resources, next=found.next_cursor))
