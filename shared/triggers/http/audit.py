"""The audit over HTTP: search, export, verification (domain.md 7)."""

from shared.schemas.audit import (
    AuditEntryResource,
    AuditExportQuery,
    AuditListQuery,
    AuditVerification,
    AuditVerificationQuery,
)
from shared.schemas.base import FileContent, NoBody
from shared.schemas.paging import Page
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import AUDITORS, EVERYONE, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "GET",
    "v1/audit",
    summary="Search the audit, newest first",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    query=AuditListQuery,
    response=Page[AuditEntryResource],
    errors=(404, 503),
)
async def search_audit(request: Request[NoBody, AuditListQuery]) -> Reply[Page[AuditEntryResource]]:
    """A User sees what was done on his behalf; another's private event shows its times only (6.3)."""
    found = await request.app.audit.search(request.caller, request.query)
    return Reply(Page[AuditEntryResource](items=list(found.rows), next=found.next_cursor))


@endpoint(
    blueprint,
    "GET",
    "v1/audit/export",
    summary="Export the audit as CSV or JSON Lines, newest first",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    query=AuditExportQuery,
    response=FileContent,
    errors=(404, 503),
)
async def export_audit(request: Request[NoBody, AuditExportQuery]) -> Reply[FileContent]:
    """The answer names the cursor of its continuation in ``X-Next-Cursor``; without it, it is complete."""
    file, continued = await request.app.audit.export(request.caller, request.query)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    if continued is not None:
        headers["X-Next-Cursor"] = continued.cursor()
    return Reply(file, headers=headers)


@endpoint(
    blueprint,
    "GET",
    "v1/audit/verification",
    summary="Check the audit's chain",
    roles=AUDITORS,
    ownership=Ownership.TENANT,
    query=AuditVerificationQuery,
    response=AuditVerification,
)
async def verify_audit(
    request: Request[NoBody, AuditVerificationQuery],
) -> Reply[AuditVerification]:
    """Names the first broken position, and reports what is not sealed yet."""
    return Reply(await request.app.audit_verifier.verify(request.caller, request.query))
