"""Compares one time range: source, record and archive calendar, each read separately (domain.md 2.15).

Pages are read into a table and matched there by key, so memory stays small. Differences are read once more
before they are reported, because a run may have been active.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.database.repositories.verifying.verification_findings import (
    FindingRow,
    ItemRow,
    VerificationFindingRepository,
)
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.domain.copies.calendar_copy import Copy, differing_fields
from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.events.revision import revision, source_revision
from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import NO_ORIGINAL_START, Unread, UnreadEvents
from shared.domain.runs.window import Window, local_day_start
from shared.domain.verifying.verification import FindingKind, FindingReason, Stretch, percent
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.source_following import SourceFollowing
from shared.services.archiving.source_lookup import is_gone
from shared.services.verifying.balance import Balance, Seen, added
from shared.services.verifying.context import VerificationContext
from shared.services.verifying.doubled import Writers, doubled
from shared.services.verifying.findings import about_record, not_archived, owning_start, unknown
from shared.services.verifying.judging import expected, item, judged, needs_copy

_CHUNK = 200
_FOLLOWS_SOURCE = (ArchivedEventState.PRESENT, ArchivedEventState.MERGED)


class Superseded(Exception):
    """Another attempt compares, or the verification is over: stop and write nothing more."""


class StretchComparison:
    """One range of one verification, in one attempt."""

    def __init__(
        self, ports: ArchivingPorts, context: VerificationContext, attempt: int, stretch: Stretch
    ) -> None:
        self._ports = ports
        self._calendars = ports.calendars.in_tenant(context.tenant_id)
        self._context = context
        self._attempt = attempt
        self._stretch = stretch
        self._window = Window(stretch.start, stretch.end, context.zone)
        self._balance = Balance()
        self._unread_source, self._unread_archive = UnreadEvents(), UnreadEvents()

    async def run(self) -> None:
        """Read both calendars, match them with the record, store the differences. Raises Superseded."""
        async with self._session() as session:
            await self._findings(session).restart_stretch(self._context.verification_id, self._stretch.start)
        await self._read_source()
        await self._read_archive()
        await self._go_through_record()
        await self._find_unrecorded()
        await self._find_doubled()
        await self._complete()

    async def _complete(self) -> None:
        """The range is compared: count, and explain why the counts differ."""
        context = self._context
        async with self._session() as session:
            findings, verifications = self._findings(session), VerificationRepository(session)
            sources, own_copies = await findings.item_counts(context.verification_id)
            await findings.forget_items(context.verification_id)
            totals = self._balance.totals(sources, own_copies)
            unread = {
                "source": len(self._unread_source.of_window(self._window)),
                "archive": len(self._unread_archive.of_window(self._window)),
            }
            before = await verifications.explained(context.verification_id)
            await verifications.advance(
                context.verification_id,
                self._attempt,
                self._stretch.end,
                percent(context.window_start, self._stretch.end, context.window_end),
                explained=added(before, self._balance.explained(sources, unread)),
                **totals,
            )

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        """A transaction that no other attempt can overtake."""
        async with self._ports.database.session() as session:
            held = await VerificationRepository(session).hold(self._context.verification_id, self._attempt)
            if not held:
                raise Superseded
            yield session

    def _findings(self, session: AsyncSession) -> VerificationFindingRepository:
        return VerificationFindingRepository(session)

    async def _read_source(self) -> None:
        pages = self._calendars.read_window(
            self._context.source_mailbox,
            self._context.source_calendar_id,
            *self._window.read_range,
            self._unread_source,
        )
        async with aclosing(pages):
            async for page in pages:
                async with self._session() as session:
                    followed = await self._followed(session, page)
                    rows: list[ItemRow] = [
                        {
                            "key": read.key,
                            "reference": read.event.id,
                            "revision": read.archived_revision or revision(read.event),
                            "starts_at": self._start(read.event).isoformat(),
                            "owned": True,
                        }
                        for read in followed.values()
                        if self._window.owns(read.event)
                    ]
                    await self._findings(session).add_items(self._context.verification_id, "source", rows)

    async def _followed(self, session: AsyncSession, page: Sequence[SourceEvent]) -> dict[str, ReadEvent]:
        """Events under the keys of their rows, as far as their copies follow (domain.md 2.3, 2.17)."""
        owner, configuration = self._context.owner_id, self._context.configuration_id
        identities = SourceIdentityRepository(session, owner, configuration)
        by_source = await identities.by_sources([event.id for event in page])
        events: dict[str, SourceEvent] = {}
        for event in page:
            try:
                key = by_source[event.id].source_key if event.id in by_source else source_key(event)
            except ValueError:
                self._unread_source.add(
                    Unread(NO_ORIGINAL_START, event.id, event.start, event.end, event.is_all_day)
                )
            else:
                events[key] = event
        rows = {row.source_key: row for row in by_source.values()}
        return await SourceFollowing(owner, configuration).followed(session, events, rows)

    async def _read_archive(self) -> None:
        pages = self._calendars.read_copies(
            self._context.archive_mailbox,
            self._context.archive_calendar_id,
            *self._window.read_range,
            self._unread_archive,
        )
        async with aclosing(pages):
            async for page in pages:
                await self._archive_page(page)

    async def _archive_page(self, page: Sequence[Copy]) -> None:
        context = self._context
        async with self._session() as session:
            recorded = await self._findings(session).recorded_by_archive_keys(
                context.tenant_id,
                context.configuration_id,
                sorted({copy.archive_key for copy in page if copy.archive_key}),
            )
            writers = await Writers.of(session, context, page, recorded.values())
        rows, origins = list[ItemRow](), list[ItemRow]()
        found, suspects = list[FindingRow](), list[UUID]()
        for copy in page:
            start = owning_start(copy, context)
            owned = self._stretch.start <= start < self._stretch.end
            row = recorded.get(copy.archive_key) if copy.archive_key else None
            origins += [item(origin, copy, start, owned=owned) for origin in writers.origins(copy, row)]
            if row is None or row.configuration_id != context.configuration_id:
                anothers = row is not None or writers.is_anothers(copy)
                if owned:
                    self._balance.add_stranger(copy.id, anothers=anothers)
                if owned and not anothers:
                    found.append(unknown(copy, start))
                continue
            rows.append(item(copy.archive_key, copy, start, owned=owned))
            if copy.id == row.copy_id and row.record is not None and differing_fields(copy, row.record):
                suspects.append(row.id)
        async with self._session() as session:
            findings = self._findings(session)
            await findings.add_items(context.verification_id, "copy", rows)
            await findings.add_items(context.verification_id, "origin", origins)
        await self._keep(found)
        for first in range(0, len(suspects), _CHUNK):
            await self._judge_copies(suspects[first : first + _CHUNK])

    async def _go_through_record(self) -> None:
        after: RecordedCopy | None = None
        while True:
            async with self._session() as session:
                findings = self._findings(session)
                rows = await findings.recorded_of_stretch(
                    self._context.owner_id,
                    self._context.configuration_id,
                    self._stretch.start,
                    self._stretch.end,
                    _CHUNK,
                    after,
                )
                sources = await findings.sources_of(
                    self._context.verification_id, [row.source_key for row in rows]
                )
                copies = await findings.copies_of(
                    self._context.verification_id, [row.archive_key for row in rows]
                )
                owned = await findings.owned_copies(
                    self._context.verification_id, [row.archive_key for row in rows]
                )
                never_written = [row.id for row in rows if row.state is ArchivedEventState.CREATING]
                last_writes = await findings.last_writes(self._context.owner_id, never_written)
            standing = await self._judge_copies(
                [row.id for row in rows if needs_copy(row) and copies.get(row.archive_key) != [row.copy_id]]
            )
            seen = Seen(owned, copies.keys(), standing, sources.keys(), last_writes)
            self._balance.add_records(rows, seen, self._unread_source, self._unread_archive)
            await self._judge_sources(
                [
                    row.id
                    for row in rows
                    if row.state in _FOLLOWS_SOURCE
                    and expected(row, sources.get(row.source_key)) != source_revision(row.revision)
                ]
            )
            if len(rows) < _CHUNK:
                return
            after = rows[-1]

    async def _judge_copies(self, ids: Sequence[UUID]) -> set[UUID]:
        """Look copies up by id: gone, replaced, doubled or edited. Also the records whose copy exists."""
        if not ids:
            return set()
        async with self._session() as session:
            rows = await self._recorded(session, ids)
            seen = await self._findings(session).copies_of(
                self._context.verification_id, [row.archive_key for row in rows]
            )
        wanted = {row.copy_id for row in rows if row.copy_id}
        wanted |= {copy_id for row in rows for copy_id in seen.get(row.archive_key, ())}
        alive = await self._calendars.get_copies(
            self._context.archive_mailbox,
            self._context.archive_calendar_id,
            sorted(wanted),
            self._unread_archive,
        )
        found: list[FindingRow] = []
        for row in rows:
            own = alive.get(row.copy_id) if row.copy_id else None
            others = [
                copy
                for copy_id in seen.get(row.archive_key, ())
                if copy_id != row.copy_id and (copy := alive.get(copy_id)) is not None
            ]
            if row.copy_id in self._unread_archive.ids:
                self._unread_archive.locate(row.copy_id or "", row.start_at)
            else:
                found += judged(row, own, others)
        await self._keep(found)
        return {row.id for row in rows if row.copy_id and alive.get(row.copy_id) is not None}

    async def _judge_sources(self, ids: Sequence[UUID]) -> None:
        """Look sources up by id: changed, or gone."""
        if not ids:
            return
        async with self._session() as session:
            rows = await self._recorded(session, ids)
        events = await self._calendars.get_events(
            self._context.source_mailbox, None, [row.source_id for row in rows], self._unread_source
        )
        for row in rows:
            self._unread_source.locate(row.source_id, row.start_at)
        found: list[FindingRow] = []
        alive = [event for event in events.values() if event is not None and not is_gone(event)]
        async with self._session() as session:
            followed = await self._followed(session, alive)
        away = await self._merged_away(rows, {event.id for event in alive})
        by_source = {read.event.id: read for read in followed.values()}
        for row in rows:
            read = by_source.get(row.source_id)
            if read is None and self._is_open(row):
                continue
            if read is None:
                found.append(about_record(row, FindingKind.SOURCE_CHANGED, FindingReason.SOURCE_GONE))
                continue
            own = read.archived_revision or revision(read.event)
            if row.id not in away and expected(row, own) != source_revision(row.revision):
                found.append(about_record(row, FindingKind.SOURCE_CHANGED, FindingReason.REVISION_DIFFERS))
        await self._keep(found)

    async def _merged_away(self, rows: Sequence[RecordedCopy], alive: Collection[str]) -> set[UUID]:
        """Merged rows whose event went to another calendar. It has no copy that could follow (2.9)."""
        merged = {
            row.source_id: row.id
            for row in rows
            if row.state is ArchivedEventState.MERGED and row.source_id in alive
        }
        if not merged:
            return set()
        places = await self._calendars.calendars_of(self._context.source_mailbox, sorted(merged))
        return {merged[key] for key, place in places.items() if place != self._context.source_calendar_id}

    def _is_open(self, row: RecordedCopy) -> bool:
        """Whether the source, or the time at which it was, could not be read. Then it is not gone (2.12)."""
        return row.source_id in self._unread_source.ids or self._unread_source.holds(row.start_at)

    async def _recorded(self, session: AsyncSession, ids: Sequence[UUID]) -> list[RecordedCopy]:
        """The present rows, without those that have a write in flight."""
        rows = await self._findings(session).recorded(
            self._context.owner_id, self._context.configuration_id, ids
        )
        return [row for row in rows if not row.busy]

    async def _find_unrecorded(self) -> None:
        after = ""
        while True:
            async with self._session() as session:
                rows = await self._findings(session).unrecorded_sources(
                    self._context.verification_id, self._context.configuration_id, after, _CHUNK
                )
            self._balance.unarchived += len(rows)
            await self._keep([not_archived(row["key"], row["starts_at"]) for row in rows])
            if len(rows) < _CHUNK:
                return
            after = rows[-1]["key"]

    async def _find_doubled(self) -> None:
        """Find copies of one event, written by any configuration (domain.md 2.19)."""
        context, after = self._context, ""
        while True:
            async with self._session() as session:
                shared = await self._findings(session).shared_origins(context.verification_id, after, _CHUNK)
            if not shared:
                return
            wanted = sorted({copy_id for _, ids in shared for copy_id in ids})
            alive = await self._calendars.get_copies(
                context.archive_mailbox, context.archive_calendar_id, wanted, self._unread_archive
            )
            groups = [[copy for each in ids if (copy := alive.get(each)) is not None] for _, ids in shared]
            async with self._session() as session:
                found = await doubled(session, context, groups)
            await self._keep(found)
            if len(shared) < _CHUNK:
                return
            after = shared[-1][0]

    async def _keep(self, found: Sequence[FindingRow]) -> None:
        """Store findings. A new edit is recorded as the owner's."""
        if not found:
            return
        context = self._context
        edits = {
            UUID(each["archived_event_id"]): each["detail"]["content"]
            for each in found
            if each["kind"] == FindingKind.EDITED
        }
        async with self._session() as session:
            findings = self._findings(session)
            known = await findings.known_edits(context.verification_id, context.owner_id, edits)
            await findings.add(
                context.verification_id,
                context.owner_id,
                context.configuration_id,
                self._stretch.start,
                found,
                self._ports.clock.now(),
            )
            new = sorted(str(each) for each in edits.keys() - known)
            if new:
                await self._ports.audit.record(
                    session,
                    "archived_event.edited_by_owner",
                    "verification",
                    context.verification_id,
                    {"archived_events": new},
                    on_behalf_of=context.owner_id,
                )

    def _start(self, event: SourceEvent) -> datetime:
        return local_day_start(event.start.date(), self._context.zone) if event.is_all_day else event.start
