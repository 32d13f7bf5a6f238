"""The audit over HTTP: search, export, verification (domain.md 7)."""

from __future__ import annotations

from shared.domain.audit.actions import ACTIONS, RESOURCE_TYPES
from shared.schemas import audit, base, paging
from shared.triggers.http.continuation import CONTINUED, continued_at
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OVERSEERS, READERS

endpoints = Endpoints()


@endpoints.get(
    "v1/audit",
    summary="Search the audit, newest first",
    access=READERS,
    errors=(404, 503),
    order=("-occurred_at", "-id"),
)
async def search_audit(
    request: Request[base.NoBody, audit.AuditListQuery],
) -> Reply[paging.Page[audit.AuditEntryResource]]:
    """A User sees changes of their own data. Another person's private event shows only its times."""
    found = await request.app.operation.audit.search(request.caller, request.query)
    return Reply(paging.Page[audit.AuditEntryResource](items=list(found.rows), next=found.next_cursor))


@endpoints.get(
    "v1/audit/actions", summary="List every action that the audit names, with its meaning", access=READERS
)
async def list_audit_actions(request: Request) -> Reply[audit.AuditActions]:
    """Equal for everybody: names and meanings, no data."""
    return Reply(
        audit.AuditActions(
            items=[
                audit.AuditActionResource(action=action, meaning=meaning)
                for action, meaning in sorted(ACTIONS.items())
            ],
            resource_types=list(RESOURCE_TYPES),
        )
    )


@endpoints.get(
    "v1/audit/export",
    summary="Export the audit as CSV or JSON Lines, newest first",
    access=READERS,
    errors=(404, 503),
    media_type="application/jsonl",
    other_media_types=("text/csv",),
    response_headers=CONTINUED,
)
async def export_audit(request: Request[base.NoBody, audit.AuditExportQuery]) -> Reply[None]:
    """The answer names the cursor of its continuation. Without a cursor, it is complete."""
    file, continued = await request.app.operation.audit.export(request.caller, request.query)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Content-Type": file.media_type}
    if continued is not None:
        headers |= continued_at(request, continued.cursor())
    return Reply(None, headers=headers, content=file.content)


@endpoints.get("v1/audit/verification", summary="Check the audit's chain", access=OVERSEERS)
async def verify_audit(
    request: Request[base.NoBody, audit.AuditVerificationQuery],
) -> Reply[audit.AuditVerification]:
    """Names the first broken position, and reports what is not sealed yet."""
    return Reply(await request.app.operation.audit_verifier.verify(request.caller, request.query))
