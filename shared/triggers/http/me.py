"""The caller, and who is invited to sign in (design.md, Who may)."""

from __future__ import annotations

from shared.domain.identity.roles import Role
from shared.schemas import base, invitations, mailbox_approvals, paging, users
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import ADMINS, EVERYONE, AccessRule, GraphAccess, Ownership

endpoints = Endpoints()


@endpoints.get(
    "v1/me",
    summary="Tell who the caller is",
    access=AccessRule(EVERYONE, Ownership.SELF),
    errors=(409, 502),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def get_me(request: Request) -> Reply[invitations.Me]:
    """A person who is no user yet becomes one here where the tenant's policy allows it; else it is a 403."""
    caller, app = request.caller, request.app
    object_id = caller.object_id
    if object_id is None:
        raise RuntimeError("a caller over HTTP has an object id")
    mailbox = await app.people.approval_reading.of_own_mailbox(caller)
    directory = request.calendars_of(object_id)
    user = await app.people.first_sign_in.user_of(caller, directory, read_by_others=bool(mailbox.approvals))
    settings = await app.foundations.system_settings.of(caller.tenant_id)
    return Reply(
        invitations.Me(
            kind="application" if caller.app_only else "person",
            tenant_id=caller.tenant_id,
            object_id=object_id,
            roles=tuple(role.value for role in Role if role in caller.roles),
            user=users.UserResource.model_validate(user) if user is not None else None,
            defaults=invitations.MeDefaults(
                time_zone=settings.default_time_zone,
                nightly_at=settings.nightly_at,
                lookback_days=settings.default_lookback_days,
            ),
            mailbox=mailbox_approvals.OwnMailboxResource(
                read_by=[mailbox_approvals.MailboxApprovalResource.of(each) for each in mailbox.approvals],
                assistant_id=mailbox.assistant_id,
            ),
        )
    )


@endpoints.post(
    "v1/invitations", summary="Invite a person of the tenant", access=ADMINS, status=201, errors=(409,)
)
async def create_invitation(
    request: Request[invitations.InvitationCreate],
) -> Reply[invitations.InvitationResource]:
    """Nothing is sent. The person becomes a user at their first sign-in, if the policy is ``invitation``."""
    invitation = await request.app.people.invitations.create(request.caller, request.body)
    return Reply(invitations.InvitationResource.of(invitation), location=f"v1/invitations/{invitation.id}")


@endpoints.get(
    "v1/invitations",
    summary="List invitations, in the order they were made",
    access=ADMINS,
    order=("created_at", "id"),
)
async def list_invitations(
    request: Request[base.NoBody, invitations.InvitationListQuery],
) -> Reply[paging.Page[invitations.InvitationResource]]:
    """Open, accepted and revoked ones."""
    query = request.query
    found = await request.app.people.invitations.list(request.caller, query.after, query.limit, query.status)
    return page_of(found, invitations.InvitationResource.of)


@endpoints.get("v1/invitations/{id}", summary="Get an invitation", access=ADMINS, errors=(404,))
async def get_invitation(request: Request) -> Reply[invitations.InvitationResource]:
    """One of the tenant's."""
    invitation = await request.app.people.invitations.get(request.caller, request.id)
    return Reply(invitations.InvitationResource.of(invitation))


@endpoints.post(
    "v1/invitations/{id}/revoke", summary="Take an invitation back", access=ADMINS, errors=(404, 409)
)
async def revoke_invitation(request: Request) -> Reply[invitations.InvitationResource]:
    """The address gets no access. An accepted one answers 409. A second call changes nothing."""
    invitation = await request.app.people.invitations.revoke(request.caller, request.id)
    return Reply(invitations.InvitationResource.of(invitation))
