"""Exports everything we store about a person, in one file (domain.md 15.2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.people import UserExport
from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.people.people import UserExportRepository
from shared.database.repositories.people.person_data import DataSubject
from shared.domain.identity.caller import Caller
from shared.domain.people.departure import ExportState
from shared.errors import Conflict, Forbidden, NotFound, Unavailable
from shared.schemas.paging import PageQuery, Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import NOBODY, session_for
from shared.services.operation.driving import LOOKED_AFTER_EVERY
from shared.services.operation.person_limits import refuse_export
from shared.services.operation.system_settings import SystemSettings
from shared.services.people import export_files
from shared.services.people.export_access import access_for_export, refuse_after_break_glass, tell_of_export
from shared.services.people.export_writing import FILES, UserExportWriter
from shared.services.person_keys.keys import PersonKey, PersonKeys
from shared.settings import Settings
from shared.storage import Storage

#: The largest part of a file in one answer, in bytes.
PART_BYTES: Final = 16 * 1024 * 1024
#: Exports that one sweep deletes, or drives again, in one transaction.
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Requested:
    """The export that a request led to. ``created`` is False if one was being prepared already."""

    export: UserExport
    created: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file from ``offset`` on. ``following`` is the next offset, None at the end."""

    content: bytes
    offset: int
    total: int
    following: int | None


class UserExportService:
    """Requests, prepares and returns exports. They are deleted after ``user_export_days``."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditWriter,
        settings: Settings,
        storage: Storage | None,
        keys: PersonKeys | None,
        system_settings: SystemSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._days = settings.user_export_days
        self._given_storage = storage
        self._keys = keys
        self._system_settings = system_settings

    async def request(self, caller: Caller, user_id: UUID, *, private_events: bool = False) -> Requested:
        """Request an export of a person's data, by the person or an Admin. Only one at a time.

        The person is notified if somebody else asks (domain.md 15.2). Raises NotFound, LimitReached, and
        Unavailable if no storage is set. Raises Forbidden (``break_glass_needed``) for ``private_events``
        without an open emergency access, and Conflict while another kind of export is in progress.
        """
        _ = self._storage
        in_force = await self._system_settings.of(caller.tenant_id)
        now = self._clock.now()
        async with session_for(self._database, caller) as (session, access):
            # Of two concurrent requests, the second waits for the first and finds its export.
            user = await access.locked_user(user_id)
            exports = UserExportRepository(session)
            opened = await access_for_export(session, caller, user) if private_events else None
            under_way = await exports.open_of(user.id)
            if under_way is not None:
                if under_way.break_glass_id != opened:
                    raise Conflict("another export is being prepared", code="export_in_progress")
                return Requested(under_way, created=False)
            await refuse_export(session, user.id, caller.actor, in_force, now)
            export = await exports.add(
                UserExport(
                    id=uuid4(),
                    tenant_id=user.tenant_id,
                    owner_id=user.id,
                    requested_by=caller.actor,
                    break_glass_id=opened,
                    state=ExportState.QUEUED,
                    parts_done=0,
                    parts_total=FILES,
                    rows=0,
                    correlation_id=telemetry.correlation_id.get() or telemetry.new_correlation_id(),
                    created_at=now,
                )
            )
            await self._record(export, session, "user_export.requested")
            await tell_of_export(session, access, user, export, now)
        return Requested(export, created=True)

    async def get(self, caller: Caller, export_id: UUID) -> UserExport:
        """An export of the caller, or for an Admin, of anyone in the tenant. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            export = await UserExportRepository(session).get(
                caller.tenant_id, export_id, access.writable_owner
            )
        if export is None or (export.expires_at is not None and export.expires_at <= self._clock.now()):
            raise NotFound("there is no such export")
        return export

    async def of_person(self, caller: Caller, user_id: UUID, query: PageQuery) -> Slice[UserExport]:
        """A person's exports, newest first. Raises NotFound, and ValidationFailed naming ``cursor``."""
        after = query.after
        async with session_for(self._database, caller) as (session, access):
            owner = await access.writable_user(user_id)
            rows = await UserExportRepository(session).of_person(
                caller.tenant_id,
                owner.id,
                self._clock.now(),
                after,
                query.limit + 1,
            )
        return Slice.cut(rows, query.limit, lambda row: Position(row.created_at, row.id))

    async def content(self, caller: Caller, export_id: UUID, offset: int) -> Part:
        """A part of the file. The first part is audited.

        Raises NotFound, Forbidden for another person's own export, and Conflict (``export_not_ready``) while
        it is being prepared or after it failed.
        """
        export = await self.get(caller, export_id)
        await self._refuse_others(caller, export)
        if export.state != ExportState.READY or export.size_bytes is None:
            raise Conflict("the export is not ready", code="export_not_ready")
        name = export_files.object_name(export.owner_id, export.id)
        part = await self._storage.read(name, offset, PART_BYTES)
        if offset == 0:
            async with self._database.session() as session:
                await self._record(export, session, "user_export.downloaded")
        end = offset + len(part)
        return Part(part, offset, export.size_bytes, end if part and end < export.size_bytes else None)

    async def _refuse_others(self, caller: Caller, export: UserExport) -> None:
        """A person's own export has their private events in full, so only they get it (domain.md 6.3)."""
        async with self._database.session() as session:
            owner = await UserRepository(session).get(export.tenant_id, export.owner_id)
            if export.break_glass_id is not None and owner is not None:
                await refuse_after_break_glass(session, caller, owner, export)
        asked_themself = owner is not None and export.requested_by == _person(owner).actor
        if asked_themself and not caller.is_person(owner.object_id if owner else NOBODY):
            raise Forbidden("a person's own export is for them alone; ask for another", code="own_export")

    @asynccontextmanager
    async def acting_for(self, export_id: UUID) -> AsyncIterator[None]:
        """Act with the export's correlation id, for the person who requested it. Raises NotFound."""
        async with self._database.session() as session:
            export = await UserExportRepository(session).get_unscoped(export_id)
        if export is None:
            raise NotFound("there is no such export")
        caller = Caller(export.tenant_id, None, export.requested_by, frozenset(), app_only=True)
        with telemetry.bind(caller=caller, correlation=export.correlation_id):
            yield

    async def prepare(self, export_id: UUID) -> ExportState | None:
        """Write the file. A second call replaces it. None if the person or the export is gone.

        Each table is read page by page while the file grows in storage. Raises Unavailable.
        """
        async with self._database.session() as session:
            export = await UserExportRepository(session).get_unscoped(export_id, lock=True)
            if export is None or export.state not in (ExportState.QUEUED, ExportState.RUNNING):
                return None if export is None else ExportState(export.state)
            export.state = ExportState.RUNNING
            user = await UserRepository(session).get(export.tenant_id, export.owner_id)
            person = _person(user) if user is not None else None
        if person is None:
            return None
        name = export_files.object_name(export.owner_id, export_id)
        own = export.requested_by == person.actor or export.break_glass_id is not None
        key = await self._key_of(person)
        writer = UserExportWriter(self._database, person, export_id, self._clock.now(), key, own=own)
        written = await self._storage.write(name, writer.chunks())
        async with self._database.session() as session:
            found = await UserExportRepository(session).get_unscoped(export_id, lock=True)
            if found is not None:
                now = self._clock.now()
                found.state, found.finished_at = ExportState.READY, now
                found.expires_at = now + timedelta(days=self._days)
                found.size_bytes, found.sha256 = written.size, written.sha256
                found.parts_done, found.rows, found.failure = found.parts_total, writer.rows, None
                await self._record(found, session, "user_export.prepared")
        if found is None:
            # The person was erased in between, so their file must not stay.
            await self._storage.delete(name)
            return None
        return ExportState.READY

    async def fail(self, export_id: UUID, reason: str) -> None:
        """It could not be prepared. Another one may be requested."""
        async with self._database.session() as session:
            export = await UserExportRepository(session).get_unscoped(export_id, lock=True)
            if export is not None and export.state in (ExportState.QUEUED, ExportState.RUNNING):
                now = self._clock.now()
                export.state, export.failure, export.finished_at = ExportState.FAILED, reason[:200], now
                export.expires_at = now + timedelta(days=self._days)
                await self._record(export, session, "user_export.failed", failed=True)

    async def sweep(self) -> int:
        """Delete expired exports, and files without an export. Returns how many."""
        if self._given_storage is None:
            return 0
        swept = 0
        while True:
            async with self._database.session() as session:
                exports = UserExportRepository(session)
                expired = await exports.expired_unscoped(self._clock.now(), _AT_ONCE)
                for export in expired:
                    await self._storage.delete(export_files.object_name(export.owner_id, export.id))
                    await exports.remove(export)
            swept += len(expired)
            if len(expired) < _AT_ONCE:
                return swept + await self._sweep_files()

    async def to_drive(self) -> list[UUID]:
        """Exports that need a living orchestration."""
        async with self._database.session() as session:
            before = self._clock.now() - LOOKED_AFTER_EVERY
            return await UserExportRepository(session).to_drive_unscoped(before, _AT_ONCE)

    async def mark_dispatched(self, *export_ids: UUID) -> None:
        """Record that the exports' orchestrations were started, or are alive."""
        async with self._database.session() as session:
            await UserExportRepository(session).set_dispatched(export_ids, self._clock.now())

    async def _sweep_files(self) -> int:
        """Delete files older than a day without a stored export: their worker died. Returns their number."""
        before = datetime.now(UTC) - timedelta(days=1)
        names: dict[UUID, str] = {}
        async for file in self._storage.files("exports/"):
            export_id = _id_of(file.name)
            if export_id is not None and file.modified < before:
                names[export_id] = file.name
        async with self._database.session() as session:
            known = await UserExportRepository(session).known_unscoped(list(names))
        orphans = [name for export_id, name in names.items() if export_id not in known]
        for name in orphans:
            await self._storage.delete(name)
        return len(orphans)

    @property
    def _storage(self) -> Storage:
        if self._given_storage is None:
            raise Unavailable("no storage is set: exports cannot be prepared", code="storage_not_set")
        return self._given_storage

    async def _key_of(self, person: DataSubject) -> PersonKey | None:
        return (await self._keys.for_reading([person.id])).get(person.id) if self._keys else None

    async def _record(self, export: UserExport, session: Any, action: str, *, failed: bool = False) -> None:
        await self._audit.record(
            session,
            action,
            "user_export",
            export.id,
            {"state": str(export.state), "rows": export.rows},
            on_behalf_of=export.owner_id,
            outcome="failure" if failed else "success",
        )


def _person(user: User) -> DataSubject:
    return DataSubject(user.id, user.tenant_id, user.object_id, user.address, user.display_name)


def _id_of(name: str) -> UUID | None:
    try:
        return UUID(name.rpartition("/")[2].removesuffix(".zip"))
    except ValueError:
        return None
