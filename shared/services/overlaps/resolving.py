"""Resolves overlaps, by their owner or by expiry (5.5, 5.8). Runs archive the result."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.overlaps.overlap_groups import GroupDecision, OverlapGroupRepository
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.overlaps.groups import Interval, overlap_groups
from shared.domain.overlaps.status import OverlapStatus, StoredResolution
from shared.errors import AdminAssistantError, Conflict, FieldError, NotFound, Unavailable, ValidationFailed
from shared.services.approvals.authorising import authorise
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.decision_runs import DecisionRuns
from shared.services.identity.access import Access


@dataclass(frozen=True, slots=True)
class OverlapResult:
    """A resolved group, and the run that archives what is kept. None if the timer will queue one."""

    group: OverlapGroup
    run_id: UUID | None
    #: False if it had the same resolution before.
    changed: bool = True


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """The choice for one of several groups. ``kept`` None keeps all of its events."""

    group_id: UUID
    action: str
    kept: Collection[str] | None
    expected: ExpectedVersion = ANY_VERSION


class OverlapResolving:
    """Resolves groups of overlapping events."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports
        self._runs = DecisionRuns(ports, OverlapGroupRepository)

    async def resolve(
        self,
        caller: Caller,
        group_id: UUID,
        kept: Collection[str] | None,
        *,
        resolution: Mapping[str, str] | None = None,
        expected: ExpectedVersion = ANY_VERSION,
        once: bool = False,
    ) -> OverlapResult:
        """Keep the events of these source keys, or all (None), and leave out the other events of the group.

        What is archived already stays. If it is left out, it no longer counts as time. ``resolution``
        describes the choice for the log. With ``once``, a group that has the same resolution already stays
        unchanged.

        Raises NotFound, PreconditionFailed, and Conflict for a group that is over. Raises ValidationFailed
        (``kept``) for unknown keys, or if the kept events still overlap (domain.md 5.5).
        """
        async with self._ports.database.session() as session:
            groups = OverlapGroupRepository(session)
            group = await self._runs.locked(session, caller, group_id, "overlap")
            if once and await _decided_so(groups, group, kept, resolution):
                return OverlapResult(group, None, changed=False)
            expected.check(group.version)
            configuration = await ArchiveConfigurationRepository(session).get(
                group.tenant_id, group.configuration_id
            )
            if configuration is not None:
                await authorise(session, caller, configuration)
            if OverlapStatus(group.status).over:
                raise Conflict("nothing overlaps here any more", code="overlap_over")
            members = await groups.members(group.owner_id, group_id)
            chosen = _checked(members, kept)
            run_id = await self._decide(session, group, OverlapStatus.SETTLED, chosen, caller, resolution)
        return OverlapResult(group, run_id)

    async def resolve_each(
        self, caller: Caller, choices: Sequence[GroupChoice]
    ) -> list[OverlapResult | AdminAssistantError]:
        """Resolve several groups, one transaction each. An error takes the place of that group's result.

        A group that has the same resolution already stays unchanged, so the same request may be repeated.
        Raises Forbidden for a deactivated caller, NotFound if the caller may see none of the groups, and
        Unavailable while the database is away. Earlier results stay.
        """
        async with self._ports.database.session() as session:
            await Access.of(session, caller)
        found = [await self._resolved_or_error(caller, each) for each in choices]
        if all(isinstance(each, NotFound) for each in found):
            raise NotFound("there are no such overlaps")
        return found

    async def _resolved_or_error(
        self, caller: Caller, choice: GroupChoice
    ) -> OverlapResult | AdminAssistantError:
        try:
            return await self.resolve(
                caller,
                choice.group_id,
                choice.kept,
                resolution={"action": choice.action},
                expected=choice.expected,
                once=True,
            )
        except Unavailable:
            # A temporary error is not stored as an answer. The whole request is repeated.
            raise
        except AdminAssistantError as error:
            return error

    async def expire_due(self) -> list[UUID]:
        """Keep all events of groups that expired, marked unresolved. Returns the queued runs (5.8)."""
        return await self._runs.expire("expire_overlaps", self._expire)

    async def carry_out_due(self) -> list[UUID]:
        """Queue a run for each resolution that no plan has used yet. Returns the runs."""
        return await self._runs.carry_out("carry_out_overlaps")

    async def _expire(self, session: AsyncSession, group: OverlapGroup, caller: Caller) -> UUID | None:
        members = await OverlapGroupRepository(session).members(group.owner_id, group.id)
        everything = [member.source_key for member in members]
        return await self._decide(session, group, OverlapStatus.EXPIRED, everything, caller)

    async def _decide(
        self,
        session: AsyncSession,
        group: OverlapGroup,
        status: OverlapStatus,
        kept: Collection[str],
        caller: Caller,
        resolution: Mapping[str, str] | None = None,
    ) -> UUID | None:
        now = self._ports.clock.now()
        before = {"status": group.status, "resolution": group.resolution}
        decided = StoredResolution(status=str(status), kept=sorted(kept))
        if resolution:
            decided["action"] = resolution["action"]
        decision = GroupDecision(status, kept, caller.actor, now, decided)
        await OverlapGroupRepository(session).decide(group, decision)
        changes = {"before": before, "after": {"status": str(status), "resolution": decided}}
        await self._ports.audit.record(
            session, f"overlap.{status}", "overlap", group.id, changes, on_behalf_of=group.owner_id
        )
        return await self._runs.queue(session, group, caller)


async def _decided_so(
    groups: OverlapGroupRepository,
    group: OverlapGroup,
    kept: Collection[str] | None,
    resolution: Mapping[str, str] | None,
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
