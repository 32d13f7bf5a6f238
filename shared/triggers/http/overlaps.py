"""Overlaps over HTTP."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shared.errors import AdminAssistantError, ValidationFailed
from shared.schemas import base, overlaps, paging, problems
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS, IfMatch
from shared.triggers.http.started_runs import starting

if TYPE_CHECKING:
    from uuid import UUID

    from shared.services.overlaps.resolving import OverlapResult

endpoints = Endpoints(durable=True)


@endpoints.get(
    "v1/overlaps",
    summary="List groups of overlapping events in the order they were found",
    access=READERS,
    errors=(404,),
    order=("opened_at", "id"),
)
async def list_overlaps(
    request: Request[base.NoBody, overlaps.OverlapListQuery],
) -> Reply[paging.Page[overlaps.OverlapSummary]]:
    """``status=flagged`` lists those that wait for their owner's decision."""
    found = await request.app.review.overlaps.list(request.caller, request.query)
    return Reply(paging.Page[overlaps.OverlapSummary](items=list(found.rows), next=found.next_cursor))


@endpoints.get(
    "v1/overlaps/{id}",
    summary="Get a group of overlapping events with what was decided about it",
    access=READERS,
    errors=(404,),
)
async def get_overlap(request: Request) -> Reply[overlaps.OverlapResource]:
    """Another person's private events show only their times (domain.md 6.3)."""
    found, version = await request.app.review.overlaps.get(request.caller, request.id)
    return Reply(found, version=version)


@endpoints.post(
    "v1/overlaps/resolutions",
    summary="Decide many groups of overlapping events",
    access=OWNERS,
    errors=(404,),
    durable=True,
)
async def resolve_overlaps(request: Request[overlaps.OverlapChoices]) -> Reply[overlaps.OverlapOutcomes]:
    """Each resolution succeeds or fails alone, in the order of the request, and the answer shows the results.

    A resolution that the caller may not make fails as if its overlap did not exist. If all fail this way, the
    answer is 404. When the request is sent again, earlier results stay.
    """
    from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
    from shared.services.overlaps.resolving import GroupChoice, OverlapResult

    choices = [
        GroupChoice(
            each.id,
            each.action,
            each.kept if each.action == "keep" else None,
            ANY_VERSION if each.if_match is None else ExpectedVersion.of([each.if_match.strip('"')]),
        )
        for each in request.body.items
    ]
    found = await request.app.review.overlap_resolving.resolve_each(request.caller, choices)
    items = [_outcome(choice.group_id, each) for choice, each in zip(choices, found, strict=True)]
    resolved = [each for each in found if isinstance(each, OverlapResult)]
    owners = {each.group.owner_id for each in resolved}
    runs = dict.fromkeys(each.run_id for each in resolved if each.run_id is not None)
    return Reply(
        overlaps.OverlapOutcomes(outcomes=Counter(each.outcome for each in items), items=items),
        # For several people's overlaps, it has only ids.
        owner_id=owners.pop() if len(owners) == 1 else None,
        then=starting(request, runs),
    )


@endpoints.post(
    "v1/overlaps/{id}/resolution",
    summary="Decide which events of a group are kept",
    access=OWNERS,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
    durable=True,
)
async def resolve_overlap(request: Request[overlaps.OverlapResolution]) -> Reply[overlaps.ResolvedOverlap]:
    """An archive run carries it out. What is archived already keeps its copy (domain.md 5.9)."""
    body = request.body
    resolved = await request.app.review.overlap_resolving.resolve(
        request.caller,
        request.id,
        body.kept if body.action == "keep" else None,
        resolution={"action": body.action},
        expected=request.expected,
    )
    group, run_id = resolved.group, resolved.run_id
    return Reply(
        overlaps.ResolvedOverlap(**overlaps.ResolvedOverlap.fields_of(group), run_id=run_id),
        version=group.version,
        owner_id=group.owner_id,
        then=starting(request, [run_id] if run_id else []),
    )


def _outcome(group_id: UUID, found: OverlapResult | AdminAssistantError) -> overlaps.OverlapOutcome:
    if isinstance(found, AdminAssistantError):
        errors = found.errors if isinstance(found, ValidationFailed) else ()
        return overlaps.OverlapOutcome(
            id=group_id,
            outcome="failed",
            status=None,
            etag=None,
            run_id=None,
            reason_code=found.code,
            reason=found.detail,
            errors=[problems.FieldProblem(field=e.field, message=e.message, code=e.code) for e in errors],
        )
    from shared.domain.overlaps.status import OverlapStatus

    return overlaps.OverlapOutcome(
        id=group_id,
        outcome="decided" if found.changed else "unchanged",
        status=OverlapStatus(found.group.status),
        etag=f'"{found.group.version}"',
        run_id=found.run_id,
        reason_code=None,
        reason=None,
        errors=[],
    )
