"""Archive configurations over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.schemas import archive_configurations, archive_runs, base, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import OWNERS, READERS, GraphAccess, IfMatch
from shared.triggers.http.started_runs import run_started

if TYPE_CHECKING:
    from shared.services.configurations.saving import ScheduledConfiguration

endpoints = Endpoints(durable=True)


@endpoints.post(
    "v1/archive-configurations",
    summary="Add an archive configuration with its schedule",
    access=OWNERS,
    status=201,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.APPLICATION,
)
async def create_archive_configuration(
    request: Request[archive_configurations.ArchiveConfigurationCreate],
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """Calendar references are resolved in the mailbox. If that fails, the 422 lists the existing calendars.

    Refused (422, `limit_reached`) if the person already has `max_archive_configurations`.
    """
    found = await request.app.calendars.configurations.create(request.caller, request.body)
    return _changed(found, location=f"v1/archive-configurations/{found.configuration.id}")


@endpoints.get(
    "v1/archive-configurations/{id}", summary="Get an archive configuration", access=READERS, errors=(404,)
)
async def get_archive_configuration(
    request: Request,
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """One configuration with its schedule and next run."""
    found = await request.app.calendars.configurations.get(request.caller, request.id)
    return Reply(_resource(found), version=found.configuration.version)


@endpoints.get(
    "v1/archive-configurations",
    summary="List archive configurations, in the order they were added",
    access=READERS,
    errors=(404,),
    order=("created_at", "id"),
)
async def list_archive_configurations(
    request: Request[base.NoBody, archive_configurations.ArchiveConfigurationListQuery],
) -> Reply[paging.Page[archive_configurations.ArchiveConfigurationResource]]:
    """The caller's own. For Admins and Auditors: the tenant's, or one person's."""
    query = request.query
    found = await request.app.calendars.configurations.list(
        request.caller, query.user_id, query.after, query.limit
    )
    return page_of(found, _resource)


@endpoints.patch(
    "v1/archive-configurations/{id}",
    summary="Change name, schedule, zone, range or policies of an archive configuration",
    access=OWNERS,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def update_archive_configuration(
    request: Request[archive_configurations.ArchiveConfigurationUpdate],
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """Unnamed fields stay. The next run uses the new schedule. Runs in progress keep their window."""
    changes = request.app.calendars.configuration_changes
    return _changed(await changes.update(request.caller, request.id, request.body, request.expected))


@endpoints.delete(
    "v1/archive-configurations/{id}",
    summary="Delete an archive configuration; what it archived stays",
    access=OWNERS,
    status=204,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def delete_archive_configuration(request: Request) -> Reply[None]:
    """Refused (409) while a run is queued or running. Its runs and appointments stay."""
    await request.app.calendars.configuration_changes.delete(request.caller, request.id, request.expected)
    return Reply(None)


@endpoints.post(
    "v1/archive-configurations/{id}/activate",
    summary="Activate a configuration, so that it is archived again",
    access=OWNERS,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
)
async def activate_archive_configuration(
    request: Request,
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """The next run archives what was missed while it was inactive."""
    changes = request.app.calendars.configuration_changes
    return _changed(
        await changes.set_active(request.caller, request.id, active=True, expected=request.expected)
    )


@endpoints.post(
    "v1/archive-configurations/{id}/deactivate",
    summary="Stop archiving a configuration until it is activated",
    access=OWNERS,
    errors=(404,),
    if_match=IfMatch.HONOURED,
)
async def deactivate_archive_configuration(
    request: Request,
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """A run in progress continues to its end."""
    changes = request.app.calendars.configuration_changes
    return _changed(
        await changes.set_active(request.caller, request.id, active=False, expected=request.expected)
    )


@endpoints.post(
    "v1/archive-configurations/{id}/default",
    summary="Make a configuration its owner's default",
    access=OWNERS,
    errors=(404,),
    if_match=IfMatch.HONOURED,
)
async def make_archive_configuration_default(
    request: Request,
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    """The previous default is no longer the default."""
    changes = request.app.calendars.configuration_changes
    return _changed(await changes.make_default(request.caller, request.id, request.expected))


@endpoints.post(
    "v1/archive-configurations/{id}/rebuild",
    summary="Rebuild a deleted archive calendar from our record",
    access=OWNERS,
    status=202,
    errors=(404, 409, 502, 503),
    if_match=IfMatch.HONOURED,
    graph=GraphAccess.APPLICATION,
    durable=True,
)
async def rebuild_archive_calendar(request: Request) -> Reply[archive_runs.ArchiveRunSummary]:
    """Refused (409, archive_calendar_exists) unless the calendar is gone.

    The calendar is created again under its name. The run at ``Location`` creates every copy again, even if
    its source is gone. Then its jobs resume.
    """
    started = await request.app.archiving.rebuild_requests.rebuild(
        request.caller, request.id, request.expected
    )
    return run_started(request, started.run, created=started.created)


def _resource(found: ScheduledConfiguration) -> archive_configurations.ArchiveConfigurationResource:
    return archive_configurations.ArchiveConfigurationResource.of(found.configuration, found.job)


def _changed(
    found: ScheduledConfiguration, location: str | None = None
) -> Reply[archive_configurations.ArchiveConfigurationResource]:
    configuration = found.configuration
    return Reply(
        _resource(found), location=location, version=configuration.version, owner_id=configuration.owner_id
    )
