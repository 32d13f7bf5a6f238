"""Deciding overlaps: by their owner, or by time, and seeing to it that the decision is archived (5.5, 5.8).

A decision is a change of rows (design.md, Durable Functions). It is carried out by a run over the members'
windows; a group is due until a plan took it in, and the timer queues another run for what stays due.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.overlaps.overlap_groups import OverlapDecision, OverlapGroupRepository
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.overlaps.groups import Interval, overlap_groups
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.window import Window
from shared.errors import AdminAssistantError, Conflict, FieldError, NotFound, Unavailable, ValidationFailed
from shared.services.approvals.guard import permit
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.queueing import queue_run
from shared.services.identity.access import Access
from shared.services.identity.acting import acting_as

GROUPS_PER_TICK = 200
#: A run that was queued for a decision has this long before another one is.
LOOK_AGAIN_AFTER = timedelta(minutes=15)
_INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SettledOverlap:
    """A decided group and the run that archives what is kept; None where the timer will queue one."""

    group: OverlapGroup
    run_id: UUID | None
    #: False where it was decided so before.
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision about one of several groups; ``kept`` None is all of its events."""

    group_id: UUID
    action: str
    kept: Collection[str] | None
    expected: ExpectedVersion = ANY_VERSION


class OverlapSettling:
    """Decisions about groups of overlapping events."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def settle(
        self,
        caller: Caller,
        group_id: UUID,
        kept: Collection[str] | None,
        *,
        resolution: dict[str, Any] | None = None,
        expected: ExpectedVersion = ANY_VERSION,
        once: bool = False,
    ) -> SettledOverlap:
        """Keep the events of these source keys, or all (None), and leave the others of the group out.

        What is archived already stays; left out, it counts as time no more. ``resolution`` says more of the
        decision, for the log. With ``once`` a group that was decided so before stays as it is.

        Raises NotFound, PreconditionFailed, Conflict for a group that is over, and ValidationFailed
        (``kept``) for unknown keys or where what is kept still overlaps (domain.md 5.5).
        """
        async with self._ports.database.session() as session:
            groups = OverlapGroupRepository(session)
            group = await self._group(session, caller, group_id)
            if once and await _decided_so(groups, group, kept, resolution):
                return SettledOverlap(group, None, changed=False)
            expected.check(group.version)
            configuration = await ArchiveConfigurationRepository(session).get(
                group.tenant_id, group.configuration_id
            )
            if configuration is not None:
                await permit(session, caller, configuration)
            if OverlapStatus(group.status).over:
                raise Conflict("nothing overlaps here any more", code="overlap_over")
            members = await groups.members(group.owner_id, group_id)
            chosen = _checked(members, kept)
            run_id = await self._decide(session, group, OverlapStatus.SETTLED, chosen, caller, resolution)
        return SettledOverlap(group, run_id)

    async def settle_each(
        self, caller: Caller, choices: Sequence[Choice]
    ) -> list[SettledOverlap | AdminAssistantError]:
        """Decide several groups, one transaction each; what went wrong with one stands in its place.

        A group that was decided so before stays as it is, so that the same request may be sent again.
        Raises Forbidden for a deactivated caller, NotFound if the caller may see none of the groups, and
        Unavailable while the database is away; what was decided by then stands.
        """
        async with self._ports.database.session() as session:
            await Access.of(session, caller)
        found = [await self._settled_or_why_not(caller, each) for each in choices]
        if all(isinstance(each, NotFound) for each in found):
            raise NotFound("there are no such overlaps")
        return found

    async def _settled_or_why_not(
        self, caller: Caller, choice: Choice
    ) -> SettledOverlap | AdminAssistantError:
        try:
            return await self.settle(
                caller,
                choice.group_id,
                choice.kept,
                resolution={"action": choice.action},
                expected=choice.expected,
                once=True,
            )
        except Unavailable:
            # What passes is no answer to keep: the whole request is sent again.
            raise
        except AdminAssistantError as error:
            return error

    async def expire_due(self) -> list[UUID]:
        """Groups that nobody decided in time are kept whole, marked unresolved; the runs queued (5.8)."""
        runs: list[UUID] = []
        async with self._ports.database.session() as session:
            groups = OverlapGroupRepository(session)
            now = self._ports.clock.now()
            for group in await groups.claim_expired_unscoped(now, GROUPS_PER_TICK):
                members = await groups.members(group.owner_id, group.id)
                everything = [member.source_key for member in members]
                caller = Caller.system(group.tenant_id, "expire_overlaps")
                with acting_as(caller):
                    run_id = await self._decide(session, group, OverlapStatus.EXPIRED, everything, caller)
                if run_id is not None:
                    runs.append(run_id)
        return runs

    async def carry_out_due(self) -> list[UUID]:
        """Queue a run for each decision that no plan has taken in yet; returns the runs."""
        runs: list[UUID] = []
        async with self._ports.database.session() as session:
            groups = OverlapGroupRepository(session)
            now = self._ports.clock.now()
            for group in await groups.claim_due_unscoped(now - LOOK_AGAIN_AFTER, GROUPS_PER_TICK):
                caller = Caller.system(group.tenant_id, "carry_out_overlaps")
                with acting_as(caller):
                    run_id = await self._queue(session, group, caller)
                await groups.keep_due(group.id, now)
                if run_id is not None:
                    runs.append(run_id)
        return runs

    async def _group(self, session: AsyncSession, caller: Caller, group_id: UUID) -> OverlapGroup:
        access = await Access.of(session, caller)
        groups = OverlapGroupRepository(session)
        found = await groups.get_in_tenant(caller.tenant_id, group_id)
        if found is None or access.writable_owner not in (None, found.owner_id):
            raise NotFound("there is no such overlap")
        group = await groups.get(found.owner_id, group_id, lock=True)
        assert group is not None  # noqa: S101 - groups are never deleted
        return group

    async def _decide(
        self,
        session: AsyncSession,
        group: OverlapGroup,
        status: OverlapStatus,
        kept: Collection[str],
        caller: Caller,
        resolution: dict[str, Any] | None = None,
    ) -> UUID | None:
        now = self._ports.clock.now()
        before = {"status": group.status, "resolution": group.resolution}
        decided = {**(resolution or {}), "status": str(status), "kept": sorted(kept)}
        decision = OverlapDecision(status, kept, caller.actor, now, decided)
        await OverlapGroupRepository(session).decide(group, decision)
        await self._ports.audit.record(
            session,
            action=f"overlap.{status}",
            resource_type="overlap",
            resource_id=str(group.id),
            outcome="success",
            changes={"before": before, "after": {"status": str(status), "resolution": decided}},
            on_behalf_of=group.owner_id,
        )
        return await self._queue(session, group, caller)

    async def _queue(self, session: AsyncSession, group: OverlapGroup, caller: Caller) -> UUID | None:
        """Queue the run that archives what was decided; None where none can be queued now."""
        configuration = await ArchiveConfigurationRepository(session).lock(
            group.tenant_id, group.configuration_id, shared=True
        )
        span = await OverlapGroupRepository(session).span(group.owner_id, group.id)
        if configuration is None or not configuration.active or span is None:
            return None
        window = Window(span[0], span[1] + _INSTANT, ZoneInfo(configuration.time_zone))
        try:
            started = await queue_run(
                self._ports, session, configuration, window, RunKind.MANUAL, caller.actor
            )
        except Conflict:
            # The run of this window ended this moment: the group stays due, the timer asks again.
            return None
        return started.run.id


async def _decided_so(
    groups: OverlapGroupRepository,
    group: OverlapGroup,
    kept: Collection[str] | None,
    resolution: dict[str, Any] | None,
) -> bool:
    if group.status != OverlapStatus.SETTLED or group.resolution is None:
        return False
    members = await groups.members(group.owner_id, group.id)
    chosen = {member.source_key for member in members} if kept is None else set(kept)
    same = set(group.resolution.get("kept", ())) == chosen
    return same and all(group.resolution.get(name) == value for name, value in (resolution or {}).items())


def _checked(members: Sequence[OverlapMember], kept: Collection[str] | None) -> list[str]:
    keys = {member.source_key for member in members}
    if kept is None:
        return sorted(keys)
    if unknown := set(kept) - keys:
        message = f"{len(unknown)} of the keys are no members of the group"
        raise ValidationFailed([FieldError("kept", message, "unknown_member")])
    intervals = [
        Interval(member.source_key, member.start_at, member.end_at)
        for member in members
        if member.source_key in kept and member.start_at < member.end_at
    ]
    if overlap_groups(intervals):
        raise ValidationFailed([FieldError("kept", "these events still overlap", "still_overlapping")])
    return sorted(kept)
