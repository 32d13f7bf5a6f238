"""Verifications over HTTP (domain.md 2.15)."""

from __future__ import annotations

from functools import partial

from shared.schemas import archive_runs, base, paging, verifications
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import OWNERS, READERS
from shared.triggers.http.started_runs import run_started
from shared.triggers.verification_workflow import start_verification as start_orchestration

endpoints = Endpoints(durable=True)

_FINDING = "v1/verifications/{id}/findings/{finding_id}"


@endpoints.post(
    "v1/archive-configurations/{id}/verifications",
    summary="Compare source, record and archive calendar",
    access=OWNERS,
    body_optional=True,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def start_verification(
    request: Request[verifications.VerificationStart],
) -> Reply[verifications.VerificationResource]:
    """Answers at once. The verification, or the one in progress, is at ``Location``."""
    started = await request.app.archiving.verifications.request(
        request.caller, request.id, request.body.window_start, request.body.window_end
    )
    found = started.verification
    return Reply(
        verifications.VerificationResource.of(
            found, own=await request.app.archiving.verifications.reads_own(request.caller, found)
        ),
        location=f"v1/verifications/{found.id}",
        retry_after=1,
        owner_id=found.owner_id,
        then=partial(start_orchestration, request.durable_client, found.id) if started.created else None,
    )


@endpoints.get(
    "v1/archive-configurations/{id}/verifications",
    summary="List the verifications of a configuration, newest first",
    access=READERS,
    errors=(404,),
    order=("-created_at", "-id"),
)
async def list_verifications(
    request: Request[base.NoBody, paging.PageQuery],
) -> Reply[paging.Page[verifications.VerificationResource]]:
    """Each with the number of its differences once it is over."""
    query = request.query
    found = await request.app.archiving.verifications.list(
        request.caller, request.id, query.after, query.limit
    )
    own = bool(found.rows) and await request.app.archiving.verifications.reads_own(
        request.caller, found.rows[0]
    )
    return page_of(found, partial(verifications.VerificationResource.of, own=own))


@endpoints.get("v1/verifications/{id}", summary="Get a verification", access=READERS, errors=(404,))
async def get_verification(request: Request) -> Reply[verifications.VerificationResource]:
    """Its state. While it is open, ``Retry-After`` says when to ask again."""
    found = await request.app.archiving.verifications.get(request.caller, request.id)
    own = await request.app.archiving.verifications.reads_own(request.caller, found)
    resource = verifications.VerificationResource.of(found, own=own)
    return Reply(resource, retry_after=None if found.finished_at else 1)


@endpoints.get(
    "v1/verifications/{id}/findings",
    summary="List what a verification found, in the order of the calendar",
    access=READERS,
    errors=(404,),
    order=("start", "id"),
)
async def list_verification_findings(
    request: Request[base.NoBody, verifications.FindingListQuery],
) -> Reply[paging.Page[verifications.FindingResource]]:
    """What differs and where, with the event's subject and its appointment."""
    query = request.query
    found = await request.app.archiving.verifications.findings(
        request.caller, request.id, query.kind, query.after, query.limit
    )
    return page_of(
        found.page,
        lambda each: verifications.FindingResource.of(
            each, shown=each.id in found.shown, about=found.subjects.get(each.id)
        ),
    )


@endpoints.post(
    f"{_FINDING}/put-back",
    summary="Put a missing copy back into the archive calendar",
    access=OWNERS,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def put_back_finding(request: Request) -> Reply[archive_runs.ArchiveRunSummary]:
    """An archive run, at ``Location``, does it once. The finding shows when it is done."""
    started = await request.app.archiving.copy_restoring.put_back(
        request.caller, request.id, request.path["finding_id"]
    )
    return run_started(request, started.run, created=started.created)


@endpoints.post(
    f"{_FINDING}/adopt",
    summary="Take the owner's edit of a copy into our record",
    access=OWNERS,
    errors=(403, 404, 409),
)
async def adopt_finding(request: Request) -> Reply[verifications.FindingResource]:
    """The copy is read again. The record takes its differences, and the audit has both versions."""
    finding = await request.app.archiving.copy_restoring.adopt(
        request.caller, request.id, request.path["finding_id"]
    )
    return Reply(verifications.FindingResource.of(finding, shown=True), owner_id=finding.owner_id)
