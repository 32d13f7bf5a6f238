"""Approvals to archive another person's mailbox over HTTP (domain.md 6.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.schemas import base, mailbox_approvals, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import ADMINS, EVERYONE, OWNERS, AccessRule, IfMatch, Ownership

if TYPE_CHECKING:
    from shared.database.models.mailbox_approvals import MailboxApproval
    from shared.triggers.http.messages import Handler

endpoints = Endpoints()
_ONE = "v1/mailbox-approvals/{id}"
_CONCERNED = AccessRule(EVERYONE, Ownership.CONCERNED)


def _decision[Served: Handler[Any, Any, Any]](
    name: str, summary: str, *, by_person_read: bool = False, body_optional: bool = False
) -> Callable[[Served], Served]:
    """A decision about one approval, by an Admin or by the person read."""
    return endpoints.post(
        f"{_ONE}/{name}",
        summary=summary,
        access=_CONCERNED if by_person_read else ADMINS,
        body_optional=body_optional,
        errors=(403, 404, 409) if by_person_read else (404, 409),
        if_match=IfMatch.HONOURED,
    )


@endpoints.post(
    "v1/archive-configurations/{id}/approval",
    summary="Ask for approval of an archive of another's mailbox, or renew it",
    access=OWNERS,
    body_optional=True,
    status=202,
    errors=(404, 409),
)
async def request_mailbox_approval(
    request: Request[mailbox_approvals.ApprovalRequest],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """The person read is notified at once. If a request is open already, it is returned instead."""
    found = await request.app.people.approval_requests.request(request.caller, request.id, request.body.days)
    return _changed(found, location=f"v1/mailbox-approvals/{found.id}")


@endpoints.get(
    "v1/mailbox-approvals",
    summary="List approvals to archive another's mailbox, in the order they were asked for",
    access=_CONCERNED,
    order=("created_at", "id"),
)
async def list_mailbox_approvals(
    request: Request[base.NoBody, mailbox_approvals.ApprovalListQuery],
) -> Reply[paging.Page[mailbox_approvals.MailboxApprovalResource]]:
    """For Admins and Auditors, the tenant's. For others, those about their archives and their mailbox."""
    query = request.query
    found = await request.app.people.approval_reading.list(
        request.caller, query.after, query.limit, query.status
    )
    return page_of(found, mailbox_approvals.MailboxApprovalResource.of)


@endpoints.get(
    _ONE,
    summary="Get an approval to archive another's mailbox",
    access=_CONCERNED,
    errors=(404,),
)
async def get_mailbox_approval(request: Request) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """One that concerns the caller."""
    found = await request.app.people.approval_reading.get(request.caller, request.id)
    return Reply(mailbox_approvals.MailboxApprovalResource.of(found), version=found.version)


@_decision("approve", "Approve a request to archive another's mailbox", body_optional=True)
async def approve_mailbox_approval(
    request: Request[mailbox_approvals.Approving],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """By an Admin who neither owns the archive nor gets the copies (403). The person read is notified."""
    body = request.body
    return _changed(
        await request.app.people.approval_decisions.approve(
            request.caller, request.id, body.days, body.reason, request.expected
        )
    )


@_decision("refuse", "Refuse a request to archive another's mailbox")
async def refuse_mailbox_approval(
    request: Request[mailbox_approvals.Reasoned],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """Its owner is notified."""
    return _changed(
        await request.app.people.approval_decisions.refuse(
            request.caller, request.id, request.body.reason, request.expected
        )
    )


@_decision("withdraw", "Withdraw an approval")
async def withdraw_mailbox_approval(
    request: Request[mailbox_approvals.Reasoned],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """The archive stops, and what it archived is closed to its owner."""
    return _changed(
        await request.app.people.approval_decisions.withdraw(
            request.caller, request.id, request.body.reason, request.expected
        )
    )


@_decision("objection/decide", "Decide about the objection of the person read")
async def decide_mailbox_objection(
    request: Request[mailbox_approvals.ObjectionDecision],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """By another Admin than the one who approved (403). The person read is told the reason."""
    body = request.body
    return _changed(
        await request.app.people.approval_decisions.decide_objection(
            request.caller, request.id, body.reason, request.expected, goes_on=body.goes_on
        )
    )


@_decision("object", "Object, as the person read, to the archiving of one's mailbox", by_person_read=True)
async def object_to_mailbox_approval(request: Request) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """It stops until another Admin decides, with a reason. An assistant may object for the person."""
    return _changed(
        await request.app.people.approval_decisions.object(request.caller, request.id, request.expected)
    )


@_decision(
    "agree",
    "Agree, as the person read, to the archiving of one's mailbox",
    by_person_read=True,
    body_optional=True,
)
async def agree_to_mailbox_approval(
    request: Request[mailbox_approvals.Agreement],
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    """If no other Admin exists, it is valid from now on. ``details`` includes private events."""
    return _changed(
        await request.app.people.approval_decisions.agree(
            request.caller, request.id, request.expected, details=request.body.details
        )
    )


@endpoints.put(
    "v1/me/assistant",
    summary="Name who acts for the caller in what is asked of their mailbox",
    access=_CONCERNED,
    errors=(404, 409),
)
async def name_mailbox_assistant(
    request: Request[mailbox_approvals.AssistantName],
) -> Reply[mailbox_approvals.OwnMailboxResource]:
    """The assistant sees requests in ``me`` and may agree or object. null removes the assistant."""
    app = request.app
    await app.people.approval_decisions.name_assistant(request.caller, request.body.assistant_id)
    mailbox = await app.people.approval_reading.of_own_mailbox(request.caller)
    read_by = [mailbox_approvals.MailboxApprovalResource.of(each) for each in mailbox.approvals]
    return Reply(mailbox_approvals.OwnMailboxResource(read_by=read_by, assistant_id=mailbox.assistant_id))


def _changed(
    approval: MailboxApproval, location: str | None = None
) -> Reply[mailbox_approvals.MailboxApprovalResource]:
    return Reply(
        mailbox_approvals.MailboxApprovalResource.of(approval), version=approval.version, location=location
    )
