"""A dry run: what a run of a window would do, without writing anything (design.md, Plan)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.archived_events import ArchivedEventRepository, MapRow
from shared.domain.archive_plan import Action, Decision, KnownEvent, OverlapGroup, PlanFindings, Planner
from shared.domain.archive_run import RunKind, RunMode, RunState
from shared.domain.caller import Caller
from shared.domain.source_event import SourceEvent
from shared.domain.window import Window
from shared.errors import NotFound
from shared.services.access import Access
from shared.services.archiving.context import ArchivingPorts, RunContext, context_of
from shared.services.archiving.judging import refuse_unpermitted
from shared.services.archiving.masked_reading import previewing_for
from shared.services.archiving.matching import known_event
from shared.services.archiving.overlap_keeping import OverlapKeeper
from shared.services.archiving.source_reading import SourceReader
from shared.services.archiving.windows import requested
from shared.services.system_settings import settings_in_force

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class PreviewedEvent:
    """What would become of an event; times are the source's, UTC, those of the copy are in ``decision``.

    Of another person's private event there is no decision to show.
    """

    decision: Decision | None
    subject: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of a window.

    ``events`` are those of which something would be done, by start, ``more`` how many were left out.
    ``private`` is the number of another person's private events: each is among ``events``, whatever would be
    done with it, and in no other number (domain.md 6.3).
    ``unseen``: how many were archived from the window that its calendar does not show there any more.
    """

    window: Window
    counts: dict[Action, int]
    private: int
    findings: PlanFindings
    groups: tuple[OverlapGroup, ...]
    events: tuple[PreviewedEvent, ...]
    more: int
    unseen: int


class Previewer:
    """Plans without a run: reads the calendar and the map, keeps nothing."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def preview(
        self,
        caller: Caller,
        configuration_id: UUID,
        start: datetime | None,
        end: datetime | None,
        limit: int,
    ) -> Preview:
        """Plan ``[start, end)``, or what the next night would archive, with at most ``limit`` events named.

        An event whose copy is found under a source that is gone (2.3) shows as a create; whether an unseen
        event moved or vanished is only asked by a run. Raises NotFound, ValidationFailed naming the window,
        Conflict where a run would be refused its calendars, and what reading the calendar raises.
        """
        async with self._ports.database.session() as session:
            configuration = await self._configuration(session, caller, configuration_id)
            await refuse_unpermitted(session, caller.tenant_id, configuration_id)
            window = requested(self._ports, configuration, start, end)
            context = context_of(_imagined(configuration, window), configuration)
            in_force = await settings_in_force(session, self._ports.settings, caller.tenant_id)
            agreed = await self._agreed(session, caller, configuration)
        context = replace(context, policies=replace(context.policies, travel_words=in_force.travel_words))
        viewer = context.origin_id if agreed else caller.person
        return await _Reading(previewing_for(self._ports, context, viewer), context, limit).read()

    async def _agreed(
        self, session: AsyncSession, caller: Caller, configuration: ArchiveConfiguration
    ) -> bool:
        """Whether it is the caller's own and the person read lets them see private events whole (6.5)."""
        access = await Access.of(session, caller)
        owns = access.own is not None and access.own.id == configuration.owner_id
        return owns and configuration.names_another and not configuration.masks_private_events

    async def _configuration(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID
    ) -> ArchiveConfiguration:
        access = await Access.of(session, caller)
        found = await ArchiveConfigurationRepository(session).get(
            caller.tenant_id, configuration_id, access.writable_owner
        )
        if found is None:
            raise NotFound("there is no such archive configuration")
        return found


class _Reading:
    """One preview in the making."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, limit: int) -> None:
        self._ports = ports
        self._context = context
        self._limit = limit
        self._planner = Planner(context.window, context.mode, context.policies)
        self._reader = SourceReader(ports, context, frozenset(), rewrites=False)
        self._open: dict[str, SourceEvent] = {}
        self._counts: Counter[Action] = Counter()
        self._private = 0
        self._groups: list[OverlapGroup] = []
        self._events: list[PreviewedEvent] = []
        self._acted = 0

    async def read(self) -> Preview:
        """Read every page, decide, count."""
        pages = self._ports.calendars.read_window(
            self._context.source_mailbox,
            self._context.source_calendar_id,
            *self._context.window.read_range,
        )
        async with aclosing(pages):
            async for page in pages:
                await self._page(page)
        self._take(self._planner.close())
        return Preview(
            self._context.window,
            dict(self._counts),
            self._private,
            self._planner.findings,
            tuple(self._groups),
            tuple(sorted(self._events, key=lambda event: (event.start, event.end, event.subject))),
            self._acted - len(self._events),
            await self._unseen(),
        )

    async def _page(self, page: Sequence[SourceEvent]) -> None:
        keeper = OverlapKeeper(self._ports, self._context, self._ports.busy_pause)
        async with self._ports.database.session() as session:
            read = await self._reader.take(session, page)
            overlaps = await keeper.known(session, list(read.reads))
        self._open |= read.events
        reads = list(read.reads.values())
        self._take(self._planner.feed(reads, _known(read.rows.values()), overlaps))
        # What is decided, or belongs to the margins, needs to be named no more.
        undecided = self._planner.undecided
        self._open = {key: event for key, event in self._open.items() if key in undecided}

    def _take(self, decisions: Iterable[Decision]) -> None:
        self._groups += self._planner.take_groups()
        for decision in decisions:
            event = self._open.get(decision.source_key)
            if event is not None and event.masked:
                self._private += not decision.margin
                self._name(PreviewedEvent(None, event.subject, event.start, event.end))
                continue
            if not decision.margin:
                self._counts[decision.action] += 1
            if decision.action is not Action.UNCHANGED and event is not None:
                self._name(PreviewedEvent(decision, event.subject, event.start, event.end))

    def _name(self, event: PreviewedEvent) -> None:
        self._acted += 1
        if len(self._events) < self._limit:
            self._events.append(event)

    async def _unseen(self) -> int:
        unseen, after = 0, None
        window = self._context.window
        while True:
            async with self._ports.database.session() as session:
                archived_events: ArchivedEventRepository = self._context.archived_events(session)
                rows = await archived_events.keys_in_window(window.start, window.end, _CHUNK, after)
            unseen += sum(not self._planner.has_seen(key) for _, key in rows)
            if len(rows) < _CHUNK:
                return unseen
            after = rows[-1]


def _known(rows: Iterable[MapRow]) -> dict[str, KnownEvent]:
    return {row.source_key: seen for row in rows if (seen := known_event(row)) is not None}


def _imagined(configuration: ArchiveConfiguration, window: Window) -> ArchiveRun:
    """A run that is in no table: the context of a plan asks for one."""
    return ArchiveRun(
        id=uuid4(),
        tenant_id=configuration.tenant_id,
        owner_id=configuration.owner_id,
        configuration_id=configuration.id,
        kind=RunKind.MANUAL,
        mode=RunMode.NORMAL,
        window_start=window.start,
        window_end=window.end,
        state=RunState.RUNNING,
        cancel_requested=False,
        requested_by="",
        correlation_id=telemetry.correlation_id.get() or "",
    )
