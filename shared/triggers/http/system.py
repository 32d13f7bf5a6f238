"""System operations for Admins: the tenant's settings, and health (design.md, Routes)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from shared.schemas import system
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import ADMINS, HOME_ADMINS, OVERSEERS, GraphAccess, IfMatch

if TYPE_CHECKING:
    from shared.services.operation.system_settings import SettingsInForce

endpoints = Endpoints(durable=True)


@endpoints.get(
    "v1/system/settings",
    summary="Get the settings of the tenant",
    access=OVERSEERS,
)
async def get_system_settings(request: Request) -> Reply[system.SystemSettingsResource]:
    """The settings in force. What the tenant did not choose is the installation's default."""
    found = await request.app.foundations.system_settings.get(request.caller)
    return Reply(_resource(found), version=found.version)


@endpoints.patch(
    "v1/system/settings",
    summary="Change the settings of the tenant",
    access=ADMINS,
    if_match=IfMatch.REQUIRED,
)
async def update_system_settings(
    request: Request[system.SystemSettingsUpdate],
) -> Reply[system.SystemSettingsResource]:
    """In force here at once, and at other instances within seconds."""
    settings, caller = request.app.foundations.system_settings, request.caller
    found = await settings.update(caller, request.body, request.expected)

    async def forget() -> None:
        settings.forget(caller.tenant_id)

    return Reply(_resource(found), version=found.version, then=forget)


@endpoints.get(
    "v1/system/health",
    summary="Get the health of the whole system",
    access=OVERSEERS,
    durable=True,
    graph=GraphAccess.APPLICATION,
)
async def get_system_health(request: Request) -> Reply[system.SystemHealth]:
    """Checks every component at once, each with its own timeout. Failures are in the answer, a 200."""
    return Reply(await request.app.operation.system_health.report(request.caller, request.client))


@endpoints.get(
    "v1/system/doctor",
    summary="Examine the installation and say what to do",
    access=HOME_ADMINS,
    durable=True,
    graph=GraphAccess.APPLICATION,
)
async def get_system_doctor(request: Request) -> Reply[system.DoctorReport]:
    """Checks everything the app depends on. Faults and remedies are in the answer, a 200."""
    return Reply(await request.app.operation.doctor.examine(request.caller, request.client))


def _resource(found: SettingsInForce) -> system.SystemSettingsResource:
    return system.SystemSettingsResource(
        **asdict(found.values),
        chosen=found.chosen,
        version=found.version,
        updated_by=found.updated_by,
        updated_at=found.updated_at,
    )
