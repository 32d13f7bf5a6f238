"""Groups of overlapping events, as their owners see them (domain.md 5, 6.3)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from shared.database.engine import Database
from shared.database.models.overlaps import OverlapGroup
from shared.database.repositories.overlaps.overlap_groups import MemberContent, OverlapGroupRepository
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import (
    MASKED_SENSITIVITY,
    PRIVATE,
    is_record_disclosed,
    opened_by_access,
)
from shared.domain.overlaps.rules import Verdict
from shared.errors import NotFound
from shared.schemas.event_values import recorded_fields
from shared.schemas.overlaps import (
    OverlapDecision,
    OverlapListQuery,
    OverlapLogEntry,
    OverlapMemberResource,
    OverlapResource,
    OverlapSummary,
)
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.identity.ownership import readable_owner_of
from shared.services.people.break_glass import note_use


class OverlapService:
    """Reads groups of overlapping events."""

    def __init__(self, database: Database, audit: AuditWriter) -> None:
        self._database = database
        self._audit = audit

    async def list(self, caller: Caller, query: OverlapListQuery) -> Slice[OverlapSummary]:
        """Groups of one person in the order they were opened.

        Raises NotFound for a person or configuration that is not visible to the caller. Raises
        ValidationFailed naming ``user_id`` (no person given) or ``cursor``.
        """
        after = query.after
        async with session_for(self._database, caller) as (session, access):
            owner = await readable_owner_of(session, access, query.user_id, query.configuration_id)
            if owner is None:
                return Slice((), None)
            rows = await OverlapGroupRepository(session).list(
                owner.id,
                after,
                query.limit + 1,
                statuses=() if query.status is None else (query.status,),
                configuration_id=query.configuration_id,
                viewer=caller.person,
                opened=await access.opened(session),
                begins_in=query.begins_in,
            )
        found = Slice.cut(rows, query.limit, lambda row: Position(row.opened_at, row.id))
        return Slice([OverlapSummary(**OverlapSummary.fields_of(row)) for row in found.rows], found.next)

    async def get(self, caller: Caller, group_id: UUID) -> tuple[OverlapResource, int]:
        """One group with its events, and its version. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            groups = OverlapGroupRepository(session)
            opened = await access.opened(session)
            scope = access.readable_owner
            group = await groups.find(
                caller.tenant_id, group_id, owner_id=scope, viewer=caller.person, opened=opened
            )
            if group is None:
                raise NotFound("there is no such overlap")
            members = await groups.contents(group.owner_id, group.id)
        if opened:
            used = opened_by_access(members, caller.person, opened)
            await note_use(self._database, self._audit, group.owner_id, "overlap", group.id, used)
        return resource_of(caller, group, members, opened), group.version


def resource_of(
    caller: Caller,
    group: OverlapGroup,
    members: Sequence[MemberContent],
    opened: Collection[UUID] = (),
) -> OverlapResource:
    """The group as the caller may see it: only times of others' private events (domain.md 6.3)."""
    shown = {member.source_key: is_record_disclosed(member, caller.person, opened) for member in members}
    whole = all(shown.values())
    return OverlapResource(
        **OverlapSummary.fields_of(group),
        members=[_member(member, shown=shown[member.source_key]) for member in members],
        # What rules and people did with the other members also reveals something about the hidden one.
        log=[OverlapLogEntry.of(each) for each in group.log] if whole else [],
        resolution=OverlapDecision.of(group.resolution) if whole else None,
        proposal=OverlapDecision.of(group.proposal) if whole else None,
    )


def _member(member: MemberContent, *, shown: bool) -> OverlapMemberResource:
    content = recorded_fields(member.event if shown else None, OverlapMemberResource, "start", "end")
    if member.event is not None and not shown:
        content |= {"subject": PRIVATE, "sensitivity": MASKED_SENSITIVITY}
    return OverlapMemberResource(
        source_key=member.source_key,
        appointment_id=member.appointment_id if shown else None,
        start=member.start_at,
        end=member.end_at,
        verdict=Verdict(member.verdict) if shown else None,
        kept=member.kept if shown else None,
        **content,
    )
