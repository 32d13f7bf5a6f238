"""A person's first sign-in, and who becomes a user by it (design.md, Who may)."""

from uuid import UUID

from shared.clock import Clock
from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.system import Invitation
from shared.database.models.users import User
from shared.database.repositories.identity.invitations import InvitationRepository
from shared.database.repositories.identity.users import UserRepository
from shared.domain.calendars.calendar_port import CalendarDirectory, Mailbox
from shared.domain.identity.caller import Caller
from shared.domain.identity.first_sign_in import FirstSignIn, InvitationState, invited_addresses
from shared.domain.identity.roles import Role
from shared.errors import Conflict, Forbidden
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access
from shared.services.operation.system_settings import settings_in_force
from shared.services.people.new_users import new_user
from shared.settings import Settings

#: Part of the user principal name of a guest, who belongs to another tenant.
_GUEST = "#ext#"


class NotProvisioned(Forbidden):
    """The person is not a user, and the tenant's policy does not create one."""

    code = "not_provisioned"
    title = "Not a user"


class FirstSignInService:
    """Finds the caller's user, or creates it by the policy of the tenant."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._audit = audit

    async def user_of(
        self, caller: Caller, directory: CalendarDirectory, *, read_by_others: bool = False
    ) -> User | None:
        """The caller's user. None for applications, and for Admins and Auditors without an account.

        If the policy permits, the person becomes a user now, once, however many of their requests arrive
        together. Their own directory entry is read through ``directory``, because token claims alone never
        decide. With ``read_by_others``, a person without access still sees what is requested of their mailbox
        (domain.md 6.5). Raises NotProvisioned (403), Forbidden for a deactivated person, and Conflict if
        another user has their address.
        """
        async with self._database.session() as session:
            own = (await Access.of(session, caller)).own
            if own or caller.app_only or caller.object_id is None or Role.USER not in caller.roles:
                return own
            # Read every time, so that a person who was just invited may sign in at any instance.
            policy = (await settings_in_force(session, self._settings, caller.tenant_id)).first_sign_in
        if policy is FirstSignIn.OFF:
            if read_by_others:
                return None
            raise NotProvisioned("you are no user of this system; ask your administrator to add you")
        mailbox = await directory.get_mailbox(str(caller.object_id))
        if mailbox is None or UUID(mailbox.id) != caller.object_id or _is_guest(mailbox):
            raise NotProvisioned("your tenant's directory has no mailbox of yours")
        try:
            return await self._make(caller, caller.object_id, mailbox, policy)
        except AlreadyExists as taken:
            return await self._made_meanwhile(caller, taken)

    async def _make(self, caller: Caller, object_id: UUID, mailbox: Mailbox, policy: FirstSignIn) -> User:
        now = self._clock.now()
        address = mailbox.user_principal_name or mailbox.mail
        name = mailbox.display_name or mailbox.user_principal_name
        user = new_user(caller.tenant_id, object_id, address, name, now)
        async with self._database.session() as session:
            invitation: Invitation | None = None
            if policy is FirstSignIn.INVITATION:
                addresses = invited_addresses(mailbox.user_principal_name, mailbox.mail)
                invitation = await InvitationRepository(session).open_for(caller.tenant_id, addresses, now)
                if invitation is None:
                    # The user whom the same invitation created a moment ago is this person.
                    own = await UserRepository(session).get_by_object_id(caller.tenant_id, object_id)
                    if own is not None:
                        return own
                    raise NotProvisioned("you are not invited; ask your administrator")
            await UserRepository(session).add(user)
            if invitation is not None:
                invitation.state = InvitationState.ACCEPTED
                invitation.user_id, invitation.closed_at = user.id, now
            changes = {
                "after": {
                    "object_id": str(object_id),
                    "active": True,
                    "first_sign_in": policy.value,
                    "invitation": str(invitation.id) if invitation else None,
                }
            }
            await self._audit.record(session, "user.created", "user", user.id, changes, on_behalf_of=user.id)
        return user

    async def _made_meanwhile(self, caller: Caller, taken: AlreadyExists) -> User:
        async with self._database.session() as session:
            own = (await Access.of(session, caller)).own
        if own is None:
            raise Conflict(
                "your address is another user's; ask your administrator", code="address_taken"
            ) from taken
        return own


def _is_guest(mailbox: Mailbox) -> bool:
    return _GUEST in mailbox.user_principal_name.lower()
