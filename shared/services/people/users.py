"""The people whose mailboxes we work on (domain.md 1)."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.people.people import UserErasureRepository
from shared.domain.calendars.calendar_port import Calendars, Mailbox
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.people.departure import ErasureState
from shared.errors import Conflict, FieldError, StoreRefused, ValidationFailed
from shared.schemas.paging import Position, Slice
from shared.schemas.users import UserCreate, UserListQuery, UserUpdate
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access, session_for
from shared.services.people.new_users import new_user


class UserService:
    """Adds and reads users."""

    def __init__(
        self, database: Database, mailboxes: Calendars, clock: Clock, audit: AuditWriter | None = None
    ) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._clock = clock
        self._audit = audit or AuditWriter(clock)

    async def create(self, caller: Caller, wanted: UserCreate) -> User:
        """Add a person of the caller's tenant, after a lookup in the directory.

        Raises ValidationFailed naming ``address`` (no such mailbox) or ``object_id`` (another person's).
        Raises Conflict if the person or the address exists already.
        """
        async with self._database.session() as session:
            await Access.of(session, caller)
        mailbox = await self._mailbox(caller, wanted)
        name = wanted.display_name or mailbox.display_name or wanted.address
        user = new_user(caller.tenant_id, UUID(mailbox.id), wanted.address, name, self._clock.now())
        async with self._database.session() as session:
            users = UserRepository(session)
            known = await users.get_by_object_id(caller.tenant_id, user.object_id)
            if known is not None:
                message = f"this person is a user already: {known.id}"
                raise Conflict(message, code="already_exists", resource_id=str(known.id))
            taken = await users.get_by_address(caller.tenant_id, user.address)
            if taken is not None:
                message = f"the user {taken.id} has this address already"
                raise Conflict(message, code="already_exists", resource_id=str(taken.id))
            await users.add(user)
            # Name and address are left out: personal values do not enter the audit unencrypted (domain.md
            # 7.1).
            changes = {"after": {"object_id": str(user.object_id), "active": True}}
            await self._audit.record(session, "user.created", "user", user.id, changes, on_behalf_of=user.id)
        return user

    async def get(self, caller: Caller, user_id: UUID) -> User:
        """A user visible to the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (_, access):
            return await access.readable_user(user_id)

    async def update(
        self, caller: Caller, user_id: UUID, wanted: UserUpdate, expected: ExpectedVersion
    ) -> User:
        """Change name or activity. A deactivated person is refused at their next request.

        Raises NotFound, PreconditionFailed, and Conflict for Admins who would lock themselves out.
        """
        async with session_for(self._database, caller) as (session, access):
            user = await access.locked_user(user_id, expected)
            given = wanted.given()
            if given.get("active") is False and caller.is_person(user.object_id):
                raise Conflict("nobody deactivates their own account", code="own_account")
            if given.get("active"):
                await refuse_erased(session, user)
            before = {name: getattr(user, name) for name in given if getattr(user, name) != given[name]}
            if before:
                for name in before:
                    setattr(user, name, given[name])
                if user.active:
                    user.offboarded_at = None
                user.touch(self._clock.now())
                changes = {"before": before, "after": {name: given[name] for name in before}}
                await self._audit.record(
                    session, "user.updated", "user", user.id, changes, on_behalf_of=user.id
                )
        return user

    async def list(self, caller: Caller, query: UserListQuery) -> Slice[User]:
        """Users in the order they were added: the whole tenant for Admin and Auditor, else only the caller.

        Raises ValidationFailed naming ``cursor``.
        """
        after = query.after
        async with session_for(self._database, caller) as (session, access):
            rows = await UserRepository(session).list(
                caller.tenant_id,
                after,
                query.limit + 1,
                query.address,
                name=query.name,
                active=query.active,
                user_id=access.readable_owner,
            )
        return Slice.cut(rows, query.limit, lambda user: Position(user.created_at, user.id))

    async def _mailbox(self, caller: Caller, wanted: UserCreate) -> Mailbox:
        try:
            mailbox = await self._mailboxes.in_tenant(caller.tenant_id).get_mailbox(wanted.address)
        except StoreRefused as refusal:
            raise ValidationFailed(
                [
                    FieldError(
                        "address", f"the mailbox service refuses it: {refusal.reason}", "mailbox_refused"
                    )
                ]
            ) from refusal
        if mailbox is None:
            raise ValidationFailed([FieldError("address", "there is no such mailbox", "mailbox_unknown")])
        if wanted.object_id is not None and str(wanted.object_id) != mailbox.id.lower():
            raise ValidationFailed(
                [FieldError("object_id", "is not the object id of this mailbox", "object_id_differs")]
            )
        return mailbox


async def refuse_erased(session: AsyncSession, user: User) -> None:
    """Raise Conflict (``erasure_begun``) for a person who is being erased and cannot return."""
    erasure = await UserErasureRepository(session).open_of(user.id)
    if erasure is not None and erasure.state != ErasureState.REQUESTED:
        raise Conflict("the erasure of this user has begun", code="erasure_begun")
