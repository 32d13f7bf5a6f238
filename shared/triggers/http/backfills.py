"""Backfills over HTTP (domain.md 2.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.schemas import backfills
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS
from shared.triggers.http.started_runs import starting

if TYPE_CHECKING:
    from shared.services.backfilling.service import BackfillView

endpoints = Endpoints(durable=True)

_ROUTE = "v1/archive-configurations/{id}/backfill"


@endpoints.get(
    _ROUTE, summary="Get the backfill of a configuration and its progress", access=READERS, errors=(404,)
)
async def get_backfill(request: Request) -> Reply[backfills.BackfillResource]:
    """One figure for all its months. 404 if the nightly runs cover everything."""
    view = await request.app.archiving.backfills.get(request.caller, request.id)
    return Reply(_resource(view))


@endpoints.post(
    _ROUTE,
    summary="Start a backfill, or start it over from a date",
    access=OWNERS,
    body_optional=True,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def start_backfill(request: Request[backfills.BackfillStart]) -> Reply[backfills.BackfillResource]:
    """Month by month, oldest first, after the nightly runs. What is archived already is only read."""
    view, run_id = await request.app.archiving.backfills.start(
        request.caller, request.id, request.body.archive_from
    )
    return _accepted(request, view, run_id)


@endpoints.post(f"{_ROUTE}/pause", summary="Pause a backfill", access=OWNERS, errors=(404, 409))
async def pause_backfill(request: Request) -> Reply[backfills.BackfillResource]:
    """The current month is finished, and no further one begins."""
    view = await request.app.archiving.backfills.pause(request.caller, request.id)
    return Reply(_resource(view), owner_id=view.backfill.owner_id)


@endpoints.post(
    f"{_ROUTE}/resume",
    summary="Resume a backfill where it stopped",
    access=OWNERS,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def resume_backfill(request: Request) -> Reply[backfills.BackfillResource]:
    """The failure count is reset."""
    return _accepted(request, *await request.app.archiving.backfills.resume(request.caller, request.id))


def _accepted(
    request: Request[Any, Any], view: BackfillView, run_id: UUID | None
) -> Reply[backfills.BackfillResource]:
    return Reply(
        _resource(view),
        location=f"v1/archive-configurations/{view.backfill.configuration_id}/backfill",
        owner_id=view.backfill.owner_id,
        then=starting(request, [run_id] if run_id else []),
    )


def _resource(view: BackfillView) -> backfills.BackfillResource:
    return backfills.BackfillResource.of(view.backfill, view.job, view.progress, view.state)
