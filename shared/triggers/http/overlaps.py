"""Overlaps over HTTP."""

from __future__ import annotations

from functools import partial

from shared.schemas import base, overlaps, paging
from shared.triggers.archive_workflow import start_archive_run as start_run
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, IfMatch, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "GET",
    "v1/overlaps",
    summary="List groups of overlapping events in the order they were found",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    errors=(404,),
    order=("opened_at", "id"),
)
async def list_overlaps(
    request: Request[base.NoBody, overlaps.OverlapListQuery],
) -> Reply[paging.Page[overlaps.OverlapSummary]]:
    """With ``status=flagged`` those whose events wait for their owner's decision."""
    found = await request.app.overlaps.list(request.caller, request.query)
    return Reply(paging.Page[overlaps.OverlapSummary](items=list(found.rows), next=found.next_cursor))


@endpoint(
    blueprint,
    "GET",
    "v1/overlaps/{id}",
    summary="Get a group of overlapping events with what was decided about it",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    errors=(404,),
)
async def get_overlap(request: Request[base.NoBody, base.NoQuery]) -> Reply[overlaps.OverlapResource]:
    """Another person's private events show their times only (domain.md 6.3)."""
    found, version = await request.app.overlaps.get(request.caller, request.id)
    return Reply(found, version=version)


@endpoint(
    blueprint,
    "POST",
    "v1/overlaps/{id}/resolution",
    summary="Decide which events of a group are kept",
    roles=WRITERS,
    ownership=Ownership.OWN_OR_ADMIN,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
    durable=True,
)
async def resolve_overlap(
    request: Request[overlaps.OverlapResolution, base.NoQuery],
) -> Reply[overlaps.ResolvedOverlap]:
    """An archive run carries it out. What is archived already keeps its copy (domain.md 5.9)."""
    body = request.body
    settled = await request.app.overlap_settling.settle(
        request.caller,
        request.id,
        body.kept if body.action == "keep" else None,
        resolution={"action": body.action},
        expected=request.expected,
    )
    group, run_id = settled.group, settled.run_id
    return Reply(
        overlaps.ResolvedOverlap(**overlaps.ResolvedOverlap.fields_of(group), run_id=run_id),
        version=group.version,
        owner_id=group.owner_id,
        then=None if run_id is None else partial(start_run, request.durable_client, run_id),
    )
