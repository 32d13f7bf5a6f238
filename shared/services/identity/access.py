"""What a caller may access, checked inside the transaction (domain.md 1; design.md, Who may)."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.identity.caller import Caller, require_active
from shared.errors import NotFound

if TYPE_CHECKING:
    from shared.database.engine import Database

#: Owns nothing: the scope of an application or a caller without a user row (design.md, Who may).
NOBODY = UUID(int=0)


class Access:
    """What a caller may access in one transaction. ``own`` is their row, None without an account."""

    def __init__(self, caller: Caller, own: User | None, users: UserRepository) -> None:
        self.caller = caller
        self.own = own
        self._users = users

    @classmethod
    async def of(cls, session: AsyncSession, caller: Caller) -> "Access":
        """Raises Forbidden (403) for a deactivated person, whatever the token says."""
        users = UserRepository(session)
        own = None
        if not caller.app_only and caller.object_id is not None:
            own = await users.get_by_object_id(caller.tenant_id, caller.object_id)
        require_active(own.active if own is not None else None)
        return cls(caller, own, users)

    @property
    def readable_owner(self) -> UUID | None:
        """The owner whose rows may be read. None means everyone in the tenant."""
        return None if self.caller.reads_tenant else self._own_id

    @property
    def writable_owner(self) -> UUID | None:
        """The owner whose rows may be changed. None means everyone in the tenant."""
        return None if self.caller.is_admin else self._own_id

    async def opened(self, session: AsyncSession) -> frozenset[UUID]:
        """The people (object ids) whose private events an emergency access opens to the caller (6.3)."""
        person = self.caller.person
        if person is None or not self.caller.is_admin:
            return frozenset()
        from shared.database.repositories.identity.break_glass import BreakGlassRepository

        return await BreakGlassRepository(session).opened_to(self.caller.tenant_id, person)

    @property
    def _own_id(self) -> UUID:
        return self.own.id if self.own is not None else NOBODY

    async def readable_user(self, user_id: UUID) -> User:
        """The user. Raises NotFound if there is none, or none visible to the caller."""
        return await self._user(user_id, self.readable_owner)

    async def writable_user(self, user_id: UUID) -> User:
        """The user for whom the caller may act. Raises NotFound otherwise."""
        return await self._user(user_id, self.writable_owner)

    async def locked_user(self, user_id: UUID, expected: ExpectedVersion = ANY_VERSION) -> User:
        """As ``writable_user``, locked until the transaction ends. Raises PreconditionFailed too."""
        await self.writable_user(user_id)
        user = await self._users.lock(self.caller.tenant_id, user_id)
        if user is None:
            raise NotFound("there is no such user")
        expected.check(user.version)
        return user

    async def _user(self, user_id: UUID, scope: UUID | None) -> User:
        user = None
        if self.own is not None and self.own.id == user_id:
            return self.own
        if scope in (None, user_id):
            user = await self._users.get(self.caller.tenant_id, user_id)
        if user is None:
            raise NotFound("there is no such user")
        return user


@asynccontextmanager
async def session_for(database: "Database", caller: Caller) -> AsyncIterator[tuple[AsyncSession, Access]]:
    """A transaction, and what the caller may access in it. Raises as ``Access.of``."""
    async with database.session() as session:
        yield session, await Access.of(session, caller)


async def reads_own(session: AsyncSession, access: Access, configuration_id: UUID) -> bool:
    """Whether the caller may see everything that the configuration reads (domain.md 6.3).

    This is true for the person whose events they are, and for the owner if that person agreed (6.5). Raises
    NotFound if it is the caller's own configuration and no approval is valid any more.
    """
    from shared.database.repositories.configurations.archive_configurations import (
        ArchiveConfigurationRepository,
    )

    caller = access.caller
    facts = await ArchiveConfigurationRepository(session).reading_of(caller.tenant_id, configuration_id)
    if facts is None:
        return False
    owns = access.own is not None and access.own.id == facts.owner_id
    if facts.closed and owns:
        raise NotFound("there is no such archive")
    return facts.origin_id == caller.person or (facts.agreed and owns)


async def reads_own_of(
    session: AsyncSession, access: Access, configuration_ids: Collection[UUID]
) -> frozenset[UUID]:
    """The configurations of which the caller may see everything. Closed ones are not checked."""
    from shared.database.repositories.configurations.archive_configurations import (
        ArchiveConfigurationRepository,
    )

    caller = access.caller
    found = await ArchiveConfigurationRepository(session).readings_of(caller.tenant_id, configuration_ids)
    return frozenset(
        key
        for key, facts in found.items()
        if facts.origin_id == caller.person
        or (facts.agreed and access.own is not None and access.own.id == facts.owner_id)
    )


async def viewing_as(session: AsyncSession, access: Access, configuration_id: UUID) -> UUID | None:
    """As which person (object id) the caller sees what the configuration archived. As ``reads_own``."""
    from shared.database.repositories.configurations.archive_configurations import (
        ArchiveConfigurationRepository,
    )

    caller = access.caller
    if not await reads_own(session, access, configuration_id):
        return caller.person
    facts = await ArchiveConfigurationRepository(session).reading_of(caller.tenant_id, configuration_id)
    return facts.origin_id if facts is not None else caller.person
