"""Erases a person step by step. Every step may be repeated (domain.md 15.3)."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.people import UserErasure
from shared.database.models.users import User
from shared.database.repositories.archiving.archives_of_others import ArchivesOfOthers
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.people.people import LeavingRepository, UserErasureRepository
from shared.database.repositories.people.person_data import DataSubject, PersonDataRepository, holdings
from shared.database.repositories.people.person_mentions import PersonMentionRepository
from shared.domain.identity.caller import Caller
from shared.domain.people.departure import ErasureState, ErasureStep
from shared.errors import NotFound
from shared.services.approvals.effects import close_archives_of
from shared.services.audit.recording import AuditWriter
from shared.services.operation.driving import LOOKED_AFTER_EVERY
from shared.services.people.copies import CopiesOfPerson, CopyRemoval
from shared.services.people.erasure_requests import person_of, refuse_blocked
from shared.services.people.export_files import folders_of
from shared.services.people.histories import Histories, InstanceHistory
from shared.services.people.leaving import Leaving
from shared.services.person_keys.keys import PersonKeys
from shared.storage import Storage

#: Rows deleted in one transaction.
CHUNK_ROWS: Final = 2000
#: About how long one activity works before the next one continues.
BUDGET: Final = timedelta(seconds=60)
#: The interval for checking work that ends without us.
LOOK_AGAIN: Final = timedelta(seconds=15)
_AT_ONCE: Final = 100
_OWNERS_AT_ONCE: Final = 50
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an erasure is. ``resume_at`` is when to continue, None for at once."""

    over: bool
    step: str
    resume_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErasingPorts:
    """The ports that erasing uses."""

    database: Database
    clock: Clock
    audit: AuditWriter
    copies: CopyRemoval
    storage: Storage | None
    keys: PersonKeys | None
    #: Removes a person from this worker's memory. Other workers do so within the hour.
    forget: Callable[[DataSubject], None]


class Eraser:
    """Carries erasures out. Each one's progress is in its row, with the counts of what was deleted."""

    def __init__(self, ports: ErasingPorts) -> None:
        self._ports = ports
        self._database = ports.database
        self._clock = ports.clock
        self._leaving = Leaving(ports.clock, ports.audit)
        self._copies = CopiesOfPerson(ports.database, ports.copies)
        self._histories = Histories(ports.database)
        self._steps: dict[ErasureStep, Callable[[_Task], Awaitable[Progress | None]]] = {
            ErasureStep.STOP: self._stop,
            ErasureStep.WAIT: self._wait,
            ErasureStep.COPIES: self._remove_copies,
            ErasureStep.HISTORY: self._forget_history,
            ErasureStep.STORAGE: self._delete_files,
            ErasureStep.ROWS: self._delete_rows,
            ErasureStep.MENTIONS: self._clear_mentions,
            ErasureStep.KEY: self._destroy_key,
            ErasureStep.PERSON: self._delete_person,
        }

    @asynccontextmanager
    async def acting_for(self, erasure_id: UUID) -> AsyncIterator[None]:
        """Act with the erasure's correlation id, for the person who confirmed it. Raises NotFound."""
        async with self._database.session() as session:
            erasure = await UserErasureRepository(session).get_unscoped(erasure_id)
        if erasure is None:
            raise NotFound("there is no such erasure")
        actor = erasure.confirmed_by or erasure.requested_by
        caller = Caller(erasure.tenant_id, None, actor, frozenset(), app_only=True)
        with telemetry.bind(caller=caller, correlation=erasure.correlation_id):
            yield

    async def advance(self, erasure_id: UUID, history: InstanceHistory) -> Progress:
        """Work for about a minute, or until it must wait.

        Raises Unavailable, StoreUnavailable, StoreRefused and KeyNotDestroyed, and Conflict for what blocks
        it. The next call continues from the same step.
        """
        until = self._clock.now() + BUDGET
        while True:
            task = await self._task(erasure_id, history, until)
            if task is None:
                return Progress(over=True, step="")
            waiting = await self._steps[task.step](task)
            if waiting is not None:
                return waiting
            if task.step.following is None:
                return Progress(over=True, step=str(task.step))
            await self._next_step(task)

    async def fail(self, erasure_id: UUID, reason: str) -> None:
        """It cannot continue automatically. An Admin who confirms it again makes it continue."""
        async with self._database.session() as session:
            erasure = await UserErasureRepository(session).get_unscoped(erasure_id, lock=True)
            if erasure is not None and erasure.state == ErasureState.ERASING:
                erasure.state, erasure.failure = ErasureState.FAILED, reason[:500]
                await self._record(session, erasure, "user_erasure.failed", failed=True)

    async def to_drive(self) -> list[UUID]:
        """Erasures that need a living orchestration."""
        async with self._database.session() as session:
            before = self._clock.now() - LOOKED_AFTER_EVERY
            return await UserErasureRepository(session).to_drive_unscoped(before, _AT_ONCE)

    async def mark_dispatched(self, *erasure_ids: UUID) -> None:
        """Record that the erasures' orchestrations were started, or are alive."""
        async with self._database.session() as session:
            await UserErasureRepository(session).set_dispatched(erasure_ids, self._clock.now())

    async def _task(self, erasure_id: UUID, history: InstanceHistory, until: datetime) -> "_Task | None":
        async with self._database.session() as session:
            erasure = await UserErasureRepository(session).get_unscoped(erasure_id)
            if erasure is None or erasure.state != ErasureState.ERASING:
                return None
            user = await UserRepository(session).get(erasure.tenant_id, erasure.user_id)
        if user is None:
            raise NotFound("there is no such erasure: its person is gone")
        return _Task(erasure, user, history, until)

    async def _next_step(self, task: "_Task") -> None:
        async with self._database.session() as session:
            erasure = await UserErasureRepository(session).get_unscoped(task.erasure.id, lock=True)
            # A duplicate of this activity may be further.
            if erasure is not None and erasure.step == task.step and task.step.following is not None:
                erasure.step = task.step.following
        logger.info("erasure %s done", task.step, extra={"erasure_id": str(task.erasure.id)})

    async def _stop(self, task: "_Task") -> None:
        async with self._database.session() as session:
            user = await UserRepository(session).lock(task.user.tenant_id, task.user.id)
            if user is not None:
                await refuse_blocked(session, user)
                await self._leaving.stop(session, user)
                await close_archives_of(session, self._ports.audit, person_of(user), self._clock.now())

    async def _wait(self, task: "_Task") -> Progress | None:
        """Wait until the person's runs have reconciled what they sent."""
        async with self._database.session() as session:
            busy = await LeavingRepository(session).any_open_run(task.user.id)
            busy = busy or await ArchivesOfOthers(session).any_running(person_of(task.user))
        return self._later(task) if busy else None

    async def _remove_copies(self, task: "_Task") -> Progress | None:
        if not task.erasure.remove_copies:
            return None
        while (removed := await self._copies.remove_some(task.user.tenant_id, task.user.id)) is not None:
            await self._count(task, "copies", removed)
            if self._clock.now() >= task.until:
                return Progress(over=False, step=str(task.step))
        while (removed := await self._copies.remove_some_of_others(person_of(task.user))) is not None:
            await self._count(task, "copies", removed)
            if self._clock.now() >= task.until:
                return Progress(over=False, step=str(task.step))
        return None

    async def _forget_history(self, task: "_Task") -> Progress | None:
        while True:
            place = task.erasure.report.get("history_place")
            forgotten = await self._histories.forget_some(person_of(task.user), place, task.history)
            if forgotten is None:
                await self._count(task, "histories", 0, history_place=None)
                return None
            await self._count(task, "histories", forgotten.count, history_place=forgotten.place)
            if forgotten.living:
                return self._later(task)
            if self._clock.now() >= task.until:
                return Progress(over=False, step=str(task.step))

    async def _delete_files(self, task: "_Task") -> None:
        if self._ports.storage is None:
            return
        for folder in folders_of(task.user.id):
            async for file in self._ports.storage.files(folder):
                await self._ports.storage.delete(file.name)
                await self._count(task, "files", 1)

    async def _delete_rows(self, task: "_Task") -> Progress | None:
        person = person_of(task.user)
        waiting = await self._delete_archives_of_others(task)
        if waiting is not None:
            return waiting
        for holding in holdings():
            if holding.kept or holding.name == "users":
                continue
            while True:
                async with self._database.session() as session:
                    deleted = await PersonDataRepository(session).delete_some(holding, person, CHUNK_ROWS)
                    if deleted:
                        await self._add(session, task, "rows", {holding.name: deleted})
                if not deleted:
                    break
                if self._clock.now() >= task.until:
                    return Progress(over=False, step=str(task.step))
        return None

    async def _delete_archives_of_others(self, task: "_Task") -> Progress | None:
        """Delete what others archived from the person's mailbox (domain.md 15.3)."""
        while True:
            async with self._database.session() as session:
                deleted = await ArchivesOfOthers(session).delete_some(person_of(task.user), CHUNK_ROWS)
                if deleted is not None:
                    await self._add(session, task, "rows", {deleted[0]: deleted[1]})
            if deleted is None:
                return None
            if self._clock.now() >= task.until:
                return Progress(over=False, step=str(task.step))

    async def _clear_mentions(self, task: "_Task") -> Progress | None:
        person = person_of(task.user)
        async with self._database.session() as session:
            mentions = PersonMentionRepository(session)
            await self._add(
                session, task, "mentions", {"archive_configurations": await mentions.clear_references(person)}
            )
            await mentions.forget_answers(person)
        while True:
            after = task.erasure.report.get("mentions_place")
            async with self._database.session() as session:
                mentions = PersonMentionRepository(session)
                others = await mentions.others(person, UUID(after) if after else None, _OWNERS_AT_ONCE)
                cleared = 0
                for owner in others:
                    cleared += await mentions.clear_appointments(person, owner)
                place = str(others[-1]) if others else None
                await self._add(session, task, "mentions", {"appointments": cleared}, mentions_place=place)
            if not others:
                return None
            if self._clock.now() >= task.until:
                return Progress(over=False, step=str(task.step))

    async def _destroy_key(self, task: "_Task") -> None:
        if self._ports.keys is not None:
            await self._ports.keys.destroy(task.user.id)
            # Before they became a user, their object id identified them (domain.md 6.5).
            await self._ports.keys.destroy(task.user.object_id)
        self._ports.forget(person_of(task.user))

    async def _delete_person(self, task: "_Task") -> Progress | None:
        """Delete rows written since, and the person, whose row is the last that names them."""
        late = await self._delete_rows(task)
        if late is not None:
            return late
        async with self._database.session() as session:
            erasure = await UserErasureRepository(session).get_unscoped(task.erasure.id, lock=True)
            if erasure is None or erasure.state != ErasureState.ERASING:
                return None
            # Files and answers written at the last moment.
            await PersonMentionRepository(session).forget_answers(person_of(task.user))
            users = next(holding for holding in holdings() if holding.name == "users")
            await PersonDataRepository(session).delete_some(users, person_of(task.user), 1)
            erasure.state, erasure.finished_at = ErasureState.COMPLETED, self._clock.now()
            report = dict(erasure.report)
            report.pop("history_place", None)
            report.pop("mentions_place", None)
            report["rows"] = report.get("rows", {}) | {"users": 1}
            erasure.report = report
            await self._record(session, erasure, "user.erased")
        await self._delete_files(task)
        return None

    async def _count(self, task: "_Task", what: str, more: int, **places: Any) -> None:
        async with self._database.session() as session:
            await self._add(session, task, what, more, **places)

    async def _add(
        self, session: AsyncSession, task: "_Task", what: str, more: int | dict[str, int], **places: Any
    ) -> None:
        """Add to the report, in the transaction that does the reported work."""
        erasure = await UserErasureRepository(session).get_unscoped(task.erasure.id, lock=True)
        if erasure is None:
            return
        report = dict(erasure.report) | places
        if isinstance(more, dict):
            former = dict(report.get(what, {}))
            report[what] = former | {name: former.get(name, 0) + count for name, count in more.items()}
        else:
            report[what] = report.get(what, 0) + more
        erasure.report = task.erasure.report = report

    def _later(self, task: "_Task") -> Progress:
        return Progress(over=False, step=str(task.step), resume_at=self._clock.now() + LOOK_AGAIN)

    async def _record(
        self, session: AsyncSession, erasure: UserErasure, action: str, *, failed: bool = False
    ) -> None:
        await session.flush()
        await self._ports.audit.record(
            session,
            action,
            "user_erasure",
            erasure.id,
            {"state": str(erasure.state), "report": erasure.report},
            on_behalf_of=erasure.user_id,
            outcome="failure" if failed else "success",
        )


@dataclass(frozen=True, slots=True)
class _Task:
    """The work of one activity for one erasure."""

    erasure: UserErasure
    user: User
    history: InstanceHistory
    until: datetime

    @property
    def step(self) -> ErasureStep:
        """The present step."""
        return ErasureStep(self.erasure.step)
