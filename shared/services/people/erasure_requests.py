"""Erasure requests: requested, checked, and confirmed by a second Admin (domain.md 15.3)."""

from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.people import UserErasure
from shared.database.models.users import User
from shared.database.repositories.archiving.archives_of_others import ArchivesOfOthers
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.people.people import ErasureFilter, LeavingRepository, UserErasureRepository
from shared.database.repositories.people.person_data import DataSubject, PersonDataRepository, holdings
from shared.domain.identity.caller import Caller
from shared.domain.people.departure import ALONE_AFTER, ErasureState, ErasureStep
from shared.errors import Conflict, NotFound
from shared.schemas.paging import PageQuery, Position, Slice
from shared.schemas.people import ErasureListQuery
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access, session_for
from shared.services.people.export_files import folders_of
from shared.services.people.leaving import Leaving
from shared.storage import Storage


class UserErasureService:
    """The Admins' actions for an erasure. ``Eraser`` does the erasing."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter, storage: Storage | None) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._storage = storage
        self._leaving = Leaving(clock, audit)

    async def request(self, caller: Caller, user_id: UUID, *, remove_copies: bool) -> UserErasure:
        """Request the erasure of a person. Nothing is deleted yet, and the preview shows what would be.

        Raises NotFound, and Conflict naming what blocks it (``erasure_blocked``) or an open one
        (``erasure_open``).
        """
        files = await self._count_files(user_id)
        async with session_for(self._database, caller) as (session, access):
            await access.writable_user(user_id)
            user = await self._locked(session, caller, user_id)
            await refuse_blocked(session, user)
            erasures = UserErasureRepository(session)
            under_way = await erasures.open_of(user.id)
            if under_way is not None:
                raise Conflict(f"the erasure {under_way.id} is open", code="erasure_open")
            erasure = await erasures.add(
                UserErasure(
                    id=uuid4(),
                    tenant_id=user.tenant_id,
                    user_id=user.id,
                    requested_by=caller.actor,
                    remove_copies=remove_copies,
                    state=ErasureState.REQUESTED,
                    step=ErasureStep.STOP,
                    preview=await self._preview(session, user, files),
                    report={},
                    correlation_id=telemetry.correlation_id.get() or telemetry.new_correlation_id(),
                    created_at=self._clock.now(),
                )
            )
            await self._record(session, erasure, "user_erasure.requested")
        return erasure

    async def get(self, caller: Caller, erasure_id: UUID) -> UserErasure:
        """An erasure of the tenant. Raises NotFound."""
        async with session_for(self._database, caller) as (session, _):
            return await _found(session, caller, erasure_id)

    async def search(self, caller: Caller, query: ErasureListQuery) -> Slice[UserErasure]:
        """Erasures in the tenant, newest first. Raises ValidationFailed naming ``cursor``."""
        after = query.after
        async with session_for(self._database, caller) as (session, access):
            wanted = ErasureFilter(
                confirmer=caller.actor,
                confirmer_id=access.own.id if access.own is not None else None,
                alone_if_asked_until=self._clock.now() - ALONE_AFTER,
                user_id=query.user_id,
                state=query.status,
                confirmable=query.confirmable,
            )
            rows = await UserErasureRepository(session).search(
                caller.tenant_id, wanted, after, query.limit + 1
            )
        return Slice.cut(rows, query.limit, lambda row: Position(row.created_at, row.id))

    async def of_person(self, caller: Caller, user_id: UUID, query: PageQuery) -> Slice[UserErasure]:
        """Erasures of one person, who may be gone. Raises NotFound for a person who never existed here."""
        found = await self.search(
            caller, ErasureListQuery(limit=query.limit, cursor=query.cursor, user_id=user_id)
        )
        if not found.rows and query.cursor is None:
            async with self._database.session() as session:
                await (await Access.of(session, caller)).readable_user(user_id)
        return found

    async def confirm(self, caller: Caller, erasure_id: UUID) -> UserErasure:
        """Let it begin. From now on nobody acts for the person. A second confirmation continues it.

        Raises NotFound, and Conflict with the reason: ``second_admin_needed`` for the Admin who requested it,
        within 7 days, ``erasure_blocked``, ``erasure_over``, or ``own_account``.
        """
        async with session_for(self._database, caller) as (session, _):
            erasure = await _found(session, caller, erasure_id, lock=True)
            if erasure.state in (ErasureState.COMPLETED, ErasureState.WITHDRAWN):
                raise Conflict(f"the erasure is {erasure.state}", code="erasure_over")
            if erasure.state == ErasureState.ERASING:
                return erasure
            if erasure.state == ErasureState.REQUESTED:
                user = await self._locked(session, caller, erasure.user_id)
                if caller.is_person(user.object_id):
                    raise Conflict("nobody confirms their own erasure", code="own_account")
                self._refuse_alone(caller, erasure)
                await refuse_blocked(session, user)
                await self._leaving.stop(session, user)
                erasure.confirmed_by, erasure.confirmed_at = caller.actor, self._clock.now()
            erasure.state, erasure.failure = ErasureState.ERASING, None
            await session.flush()
            await self._record(session, erasure, "user_erasure.confirmed")
        return erasure

    async def withdraw(self, caller: Caller, erasure_id: UUID) -> UserErasure:
        """Withdraw the request. Raises NotFound, and Conflict once it has begun (``erasure_begun``)."""
        async with session_for(self._database, caller) as (session, _):
            erasure = await _found(session, caller, erasure_id, lock=True)
            if erasure.state == ErasureState.WITHDRAWN:
                return erasure
            if erasure.state != ErasureState.REQUESTED:
                raise Conflict("the erasure has begun", code="erasure_begun")
            erasure.state, erasure.finished_at = ErasureState.WITHDRAWN, self._clock.now()
            await session.flush()
            await self._record(session, erasure, "user_erasure.withdrawn")
        return erasure

    def _refuse_alone(self, caller: Caller, erasure: UserErasure) -> None:
        alone_from = erasure.created_at + ALONE_AFTER
        if caller.actor == erasure.requested_by and self._clock.now() < alone_from:
            raise Conflict(
                f"a second Admin confirms it, or you yourself from {alone_from:%Y-%m-%dT%H:%M:%SZ} on",
                code="second_admin_needed",
            )

    async def _locked(self, session: AsyncSession, caller: Caller, user_id: UUID) -> User:
        user = await UserRepository(session).lock(caller.tenant_id, user_id)
        if user is None:
            raise NotFound("there is no such user")
        return user

    async def _preview(self, session: AsyncSession, user: User, files: int) -> dict[str, object]:
        person = person_of(user)
        data = PersonDataRepository(session)
        counts = {holding.name: await data.count(holding, person) for holding in holdings()}
        return {
            "rows": {h.name: counts[h.name] for h in holdings() if not h.kept and counts[h.name]},
            "kept": {h.name: counts[h.name] for h in holdings() if h.kept and counts[h.name]},
            "files": files,
            "copies": await LeavingRepository(session).count_copies(user.id),
            "archived_by_others": await ArchivesOfOthers(session).count(person),
        }

    async def _count_files(self, user_id: UUID) -> int:
        if self._storage is None:
            return 0
        storage = self._storage
        return sum([1 for folder in folders_of(user_id) async for _ in storage.files(folder)])

    async def _record(self, session: AsyncSession, erasure: UserErasure, action: str) -> None:
        changes = {"state": str(erasure.state), "remove_copies": erasure.remove_copies}
        await self._audit.record(
            session, action, "user_erasure", erasure.id, changes, on_behalf_of=erasure.user_id
        )


async def refuse_blocked(session: AsyncSession, user: User) -> None:
    """Raise Conflict (``erasure_blocked``) naming every legal hold and finalised period."""
    reasons = []
    if user.legal_hold_since is not None:
        reasons.append(f"a legal hold since {user.legal_hold_since:%Y-%m-%d}: {user.legal_hold_reason}")
    for lock in await LeavingRepository(session).finalised_periods(user.id):
        whose = "" if lock.customer_key == "*" else f" of {lock.customer_key}"
        reasons.append(f"the finalised period {_period(lock.period.lower, lock.period.upper)}{whose}")
    if reasons:
        raise Conflict(f"blocked by {'; '.join(reasons)}", code="erasure_blocked")


def person_of(user: User) -> DataSubject:
    """The person in a row."""
    return DataSubject(user.id, user.tenant_id, user.object_id, user.address, user.display_name)


async def _found(
    session: AsyncSession, caller: Caller, erasure_id: UUID, *, lock: bool = False
) -> UserErasure:
    erasure = await UserErasureRepository(session).get(caller.tenant_id, erasure_id, lock=lock)
    if erasure is None:
        raise NotFound("there is no such erasure")
    return erasure


def _period(lower: object, upper: object) -> str:
    return f"{lower or '…'} to {upper or '…'} (exclusive)"
