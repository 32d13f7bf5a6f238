"""Exports, erasures and legal holds of persons, and what stops when one leaves (domain.md 15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, not_, or_, select, update

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.locked_periods import LockedPeriodRow
from shared.database.models.overlaps import OverlapGroup
from shared.database.models.people import UserErasure, UserExport
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.database.models.verifications import Verification
from shared.database.repositories.base import DrivenRepository, Keyset, Repository, page
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.people.departure import ErasureState, ExportState
from shared.domain.runs.archive_run import RunState
from shared.domain.verifying.verification import VerificationState

_OPEN_RUNS = (RunState.QUEUED, RunState.RUNNING)
_OPEN_EXPORTS = (ExportState.QUEUED, ExportState.RUNNING)
_OPEN_ERASURES = (ErasureState.REQUESTED, ErasureState.ERASING, ErasureState.FAILED)


@dataclass(frozen=True, slots=True)
class ErasureFilter:
    """Selects erasures. None selects any.

    ``confirmable`` are those that ``confirmer`` may confirm (an actor, and their user id if they are one).
    They are about another person. Somebody else requested them, or the confirmer did before
    ``alone_if_asked_until``.
    """

    confirmer: str
    confirmer_id: UUID | None
    alone_if_asked_until: datetime
    user_id: UUID | None = None
    state: ErasureState | None = None
    confirmable: bool | None = None


class UserExportRepository(DrivenRepository[UserExport]):
    """The ``user_exports`` table."""

    model = UserExport

    async def add(self, export: UserExport) -> UserExport:
        """Insert it. Raises AlreadyExists while another one of the person is being prepared."""
        await self._insert(export)
        return export

    async def get(self, tenant_id: UUID, export_id: UUID, owner_id: UUID | None) -> UserExport | None:
        """The export in the tenant. With ``owner_id``, only if that user owns it."""
        statement = select(UserExport).where(UserExport.tenant_id == tenant_id, UserExport.id == export_id)
        if owner_id is not None:
            statement = statement.where(UserExport.owner_id == owner_id)
        return await self._one(statement)

    async def get_unscoped(self, export_id: UUID, *, lock: bool = False) -> UserExport | None:
        """The export by id alone, for its workflow."""
        statement = select(UserExport).where(UserExport.id == export_id)
        return await self._one(statement.with_for_update() if lock else statement)

    async def of_person(
        self, tenant_id: UUID, owner_id: UUID, now: datetime, after: Keyset | None, limit: int
    ) -> list[UserExport]:
        """The exports of a person that have not expired, newest first."""
        statement = select(UserExport).where(
            UserExport.tenant_id == tenant_id,
            UserExport.owner_id == owner_id,
            or_(UserExport.expires_at.is_(None), UserExport.expires_at > now),
        )
        key = (UserExport.created_at, UserExport.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))

    async def open_of(self, owner_id: UUID) -> UserExport | None:
        """The one that is being prepared."""
        return await self._one(
            select(UserExport).where(UserExport.owner_id == owner_id, UserExport.state.in_(_OPEN_EXPORTS))
        )

    async def set_progress(self, export_id: UUID, done: int, rows: int) -> bool:
        """Store the numbers of written parts and rows. False if the export is no longer wanted."""
        result = await self._session.execute(
            update(UserExport)
            .where(UserExport.id == export_id, UserExport.state == ExportState.RUNNING)
            .values(parts_done=done, rows=rows)
            .returning(UserExport.id)
        )
        return result.one_or_none() is not None

    async def expired_unscoped(self, now: datetime, limit: int) -> list[UserExport]:
        """Expired exports of every tenant, oldest first."""
        return await self._all(
            select(UserExport)
            .where(UserExport.expires_at <= now)
            .order_by(UserExport.expires_at, UserExport.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def to_drive_unscoped(self, before: datetime, limit: int) -> list[UUID]:
        """Unfinished ones that were last checked before ``before``."""
        return await self._to_drive(UserExport.state.in_(_OPEN_EXPORTS), before, limit)

    async def known_unscoped(self, export_ids: Sequence[UUID]) -> set[UUID]:
        """Which of the ids exist."""
        statement = select(UserExport.id).where(UserExport.id.in_(export_ids))
        return set((await self._session.execute(statement)).scalars())

    async def remove(self, export: UserExport) -> None:
        """Delete its row."""
        await self._session.delete(export)


class UserErasureRepository(DrivenRepository[UserErasure]):
    """The ``user_erasures`` table."""

    model = UserErasure

    async def add(self, erasure: UserErasure) -> UserErasure:
        """Insert it. Raises AlreadyExists while another one of the person is open."""
        await self._insert(erasure)
        return erasure

    async def get(self, tenant_id: UUID, erasure_id: UUID, *, lock: bool = False) -> UserErasure | None:
        """The erasure in the tenant."""
        statement = select(UserErasure).where(
            UserErasure.tenant_id == tenant_id, UserErasure.id == erasure_id
        )
        return await self._one(statement.with_for_update() if lock else statement)

    async def get_unscoped(self, erasure_id: UUID, *, lock: bool = False) -> UserErasure | None:
        """The erasure by id alone, for its workflow."""
        statement = select(UserErasure).where(UserErasure.id == erasure_id)
        return await self._one(statement.with_for_update() if lock else statement)

    async def search(
        self, tenant_id: UUID, wanted: ErasureFilter, after: Keyset | None, limit: int
    ) -> list[UserErasure]:
        """Erasures of the tenant, newest first."""
        statement = select(UserErasure).where(UserErasure.tenant_id == tenant_id)
        if wanted.user_id is not None:
            statement = statement.where(UserErasure.user_id == wanted.user_id)
        if wanted.state is not None:
            statement = statement.where(UserErasure.state == wanted.state)
        if wanted.confirmable is not None:
            condition = and_(
                UserErasure.state == ErasureState.REQUESTED,
                or_(
                    UserErasure.requested_by != wanted.confirmer,
                    UserErasure.created_at <= wanted.alone_if_asked_until,
                ),
                UserErasure.user_id.is_distinct_from(wanted.confirmer_id),
            )
            statement = statement.where(condition if wanted.confirmable else not_(condition))
        key = (UserErasure.created_at, UserErasure.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))

    async def open_of(self, user_id: UUID) -> UserErasure | None:
        """The person's open one."""
        return await self._one(
            select(UserErasure).where(UserErasure.user_id == user_id, UserErasure.state.in_(_OPEN_ERASURES))
        )

    async def to_drive_unscoped(self, before: datetime, limit: int) -> list[UUID]:
        """Those in progress that were last checked before ``before``."""
        return await self._to_drive(UserErasure.state == ErasureState.ERASING, before, limit)


class LeavingRepository(Repository):
    """A person's work that is still in progress."""

    async def pause_jobs(self, owner_id: UUID) -> list[UUID]:
        """Pause the person's jobs. Returns those that were not paused."""
        result = await self._session.execute(
            update(Job)
            .where(Job.owner_id == owner_id, Job.paused.is_(False))
            .values(paused=True)
            .returning(Job.id)
        )
        return list(result.scalars())

    async def end_verifications(self, owner_id: UUID, reason: str, now: datetime) -> list[UUID]:
        """End the person's open verifications, which only read. Returns those that were open."""
        result = await self._session.execute(
            update(Verification)
            .where(
                Verification.owner_id == owner_id,
                Verification.state.in_((VerificationState.QUEUED, VerificationState.RUNNING)),
            )
            .values(state=VerificationState.FAILED, reason=reason, finished_at=now)
            .returning(Verification.id)
        )
        return list(result.scalars())

    async def let_overlaps_expire(self, owner_id: UUID, now: datetime) -> int:
        """Expire the groups that wait for the person's decision (domain.md 5.8). Returns how many."""
        result = await self._session.execute(
            update(OverlapGroup)
            .where(OverlapGroup.owner_id == owner_id, OverlapGroup.status == OverlapStatus.FLAGGED)
            .values(expires_at=func.least(func.coalesce(OverlapGroup.expires_at, now), now))
            .returning(OverlapGroup.id)
        )
        return len(result.all())

    async def open_runs(self, owner_id: UUID) -> list[ArchiveRun]:
        """The person's queued and running runs, locked until the transaction ends."""
        return await self._all(
            select(ArchiveRun)
            .where(ArchiveRun.owner_id == owner_id, ArchiveRun.state.in_(_OPEN_RUNS))
            .order_by(ArchiveRun.id),
            lock=True,
        )

    async def any_open_run(self, owner_id: UUID) -> bool:
        """Whether a run of the person is not over."""
        statement = select(ArchiveRun.id).where(
            ArchiveRun.owner_id == owner_id, ArchiveRun.state.in_(_OPEN_RUNS)
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def finalised_periods(self, owner_id: UUID) -> list[LockedPeriodRow]:
        """Periods that finalised timesheets locked and nobody reopened (domain.md 2.8)."""
        return await self._all(
            select(LockedPeriodRow)
            .where(LockedPeriodRow.owner_id == owner_id, LockedPeriodRow.reopened_at.is_(None))
            .order_by(LockedPeriodRow.locked_at, LockedPeriodRow.id)
        )

    async def some_copies(self, owner_id: UUID, limit: int) -> list[ArchivedEvent]:
        """Mapped events that still name a copy."""
        return await self._all(
            select(ArchivedEvent)
            .where(ArchivedEvent.owner_id == owner_id, ArchivedEvent.copy_id.is_not(None))
            .order_by(ArchivedEvent.id)
            .limit(limit)
        )

    async def archive_mailboxes(self, owner_id: UUID) -> dict[UUID, UUID]:
        """The Graph mailbox that holds a configuration's copies, by configuration, also deleted ones."""
        statement = select(ArchiveConfiguration.id, ArchiveConfiguration.archive_mailbox_id).where(
            ArchiveConfiguration.owner_id == owner_id,
            ArchiveConfiguration.archive_reference.like("msgraph://%"),
        )
        return {row[0]: row[1] for row in (await self._session.execute(statement)).all()}

    async def count_copies(self, owner_id: UUID) -> int:
        """How many mapped events name a copy."""
        statement = select(func.count()).where(
            ArchivedEvent.owner_id == owner_id, ArchivedEvent.copy_id.is_not(None)
        )
        return int((await self._session.execute(statement)).scalar_one())

    async def forget_copies(self, owner_id: UUID, event_ids: Sequence[UUID]) -> None:
        """Record that the copies of these events are gone."""
        await self._session.execute(
            update(ArchivedEvent)
            .where(ArchivedEvent.owner_id == owner_id, ArchivedEvent.id.in_(event_ids))
            .values(copy_id=None, copy_etag=None)
        )

    async def known_people(
        self, tenant_id: UUID, object_ids: Sequence[UUID], addresses: Sequence[str]
    ) -> list[User]:
        """Users of the tenant with one of the object ids, or one of the addresses in lower case."""
        return await self._all(
            select(User).where(
                User.tenant_id == tenant_id,
                or_(User.object_id.in_(object_ids), func.lower(User.address).in_(addresses)),
            )
        )
