"""Groups of overlapping events as their owners see them (domain.md 5, 6.3)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.database.engine import Database
from shared.database.models.overlaps import OverlapGroup
from shared.database.models.users import User
from shared.database.repositories.overlap_groups import MemberContent, OverlapGroupRepository
from shared.domain.caller import Caller
from shared.domain.disclosure import PRIVATE, is_disclosed
from shared.errors import NotFound
from shared.schemas.overlaps import (
    OverlapListQuery,
    OverlapMemberResource,
    OverlapResource,
    OverlapSummary,
)
from shared.schemas.paging import Position, Slice
from shared.services.access import Access
from shared.services.ownership import readable_owner_of


class OverlapService:
    """Reading groups of overlapping events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, caller: Caller, query: OverlapListQuery) -> Slice[OverlapSummary]:
        """Groups of one person in the order they were opened.

        Raises NotFound for a person or configuration the caller may not know of, and ValidationFailed naming
        ``user_id`` (nobody is named) or ``cursor``.
        """
        after = query.after
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            owner = await readable_owner_of(session, access, query.user_id, query.configuration_id)
            if owner is None:
                return Slice((), None)
            rows = await OverlapGroupRepository(session).list(
                owner.id,
                (after.instant, after.id) if after else None,
                query.limit + 1,
                statuses=() if query.status is None else (query.status,),
                configuration_id=query.configuration_id,
            )
        found = Slice.cut(rows, query.limit, lambda row: Position(row.opened_at, row.id))
        return Slice([OverlapSummary(**OverlapSummary.fields_of(row)) for row in found.rows], found.next)

    async def get(self, caller: Caller, group_id: UUID) -> tuple[OverlapResource, int]:
        """One group with its events, and its version. Raises NotFound."""
        async with self._database.session() as session:
            access = await Access.of(session, caller)
            groups = OverlapGroupRepository(session)
            if access.readable_owner is None:
                group = await groups.get_in_tenant(caller.tenant_id, group_id)
            else:
                group = await groups.get(access.readable_owner, group_id)
            if group is None:
                raise NotFound("there is no such overlap")
            owner = await access.readable_user(group.owner_id)
            members = await groups.contents(group.owner_id, group.id)
        return resource_of(caller, owner, group, members), group.version


def resource_of(
    caller: Caller, owner: User, group: OverlapGroup, members: Sequence[MemberContent]
) -> OverlapResource:
    """The group as the caller may see it: of another's private events the times alone (domain.md 6.3)."""
    own = caller.is_person(owner.object_id)
    return OverlapResource(
        **OverlapSummary.fields_of(group),
        members=[_member(member, own=own) for member in members],
        log=list(group.log),
        resolution=group.resolution,
        proposal=group.proposal,
    )


def _member(member: MemberContent, *, own: bool) -> OverlapMemberResource:
    event: Mapping[str, Any] = member.event or {}
    sensitivity = event.get("sensitivity")
    shown = is_disclosed(sensitivity, own=own)
    organizer = event.get("organizer") or {}
    return OverlapMemberResource(
        key=member.source_key,
        appointment_id=member.appointment_id,
        start=member.start_at,
        end=member.end_at,
        verdict=member.verdict,
        kept=member.kept,
        subject=(event.get("subject") if shown else PRIVATE) if event else None,
        location=event.get("location") if shown else None,
        categories=list(event.get("categories") or ()) if shown else [],
        show_as=event.get("show_as") if shown else None,
        importance=event.get("importance") if shown else None,
        sensitivity=sensitivity,
        organizer=organizer.get("address") if shown else None,
    )
