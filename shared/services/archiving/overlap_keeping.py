"""Keeps groups of overlapping events in step from one plan to the next (domain.md 5.3, 5.9)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.overlaps.overlap_members import (
    GroupRow,
    MemberRow,
    Membership,
    StatusRow,
    Waits,
)
from shared.domain.json_object import JsonObject
from shared.domain.notifications.notification import Recipient
from shared.domain.notifications.notification_texts import overlaps_opened, overlaps_opened_id
from shared.domain.overlaps.reminders import REMIND_AFTER
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.planning.archive_plan import KnownOverlap, PlannedGroup
from shared.domain.planning.overlaps import GroupStatus
from shared.services.archiving.context import ArchivingPorts, RunContext

_GROUPS_AT_ONCE = 1000


class OverlapKeeper:
    """Loads the stored groups for a plan and stores the groups that it finds."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, expiry: timedelta) -> None:
        self._ports = ports
        self._context = context
        self._expiry = expiry
        self._memberships: dict[UUID, Membership] = {}
        self._written: set[UUID] = set()
        # All groups of one plan get the same instant, so their reminders come together.
        self._remind_at = ports.clock.now() + REMIND_AFTER[0]

    async def known(self, session: AsyncSession, keys: Sequence[str]) -> dict[str, KnownOverlap]:
        """The stored groups that these events belong to."""
        memberships = await self._context.overlaps(session).known(keys)
        self._memberships |= {each.group_id: each for each in memberships.values()}
        return {key: _known_overlap(each) for key, each in memberships.items()}

    async def store(self, session: AsyncSession, groups: Sequence[PlannedGroup]) -> None:
        """Store the groups that are new or changed. Unchanged groups cause no write.

        The owner is notified of groups that start to wait for them, in the same transaction. So a plan that
        is repeated finds these groups waiting already and notifies nobody twice.
        """
        now = self._ports.clock.now()
        waits = Waits(now + self._expiry, self._remind_at)
        changed = [group for group in groups if group.changed]
        stored = [(self._id_of(group), group) for group in changed]
        overlaps = self._context.overlaps(session)
        for start in range(0, len(stored), _GROUPS_AT_ONCE):
            part = stored[start : start + _GROUPS_AT_ONCE]
            await overlaps.store(
                self._context.tenant_id,
                [_group_row(group_id, group, now) for group_id, group in part],
                [row for group_id, group in part for row in _member_rows(group_id, group)],
                [group_id for group_id, group in part if group.complete],
                now,
                waits,
            )
        absorbed = {UUID(old): group_id for group_id, group in stored for old in group.absorbed}
        await overlaps.merge({old: new for old, new in absorbed.items() if old not in self._written}, now)
        opened = sum(self._opens(group) for group in changed)
        opened += await overlaps.rename_status(self._renamed(groups), now, waits)
        await self._audit(session, stored)
        if opened:
            context = self._context
            recipient = Recipient(context.tenant_id, context.owner_id)
            told = NotificationRepository(session)
            before = await told.told_count(context.owner_id, overlaps_opened_id(context.run_id))
            notice = overlaps_opened(
                context.run_id, context.configuration_id, context.window, before + opened, waits.expires
            )
            await told.tell([(recipient, notice)], now)

    async def finish(self, session: AsyncSession, vanished: Iterable[str]) -> None:
        """Close groups whose overlap vanished, and remove members that overlap nothing any more (5.9)."""
        overlaps = self._context.overlaps(session)
        window = self._context.window
        await overlaps.sweep(window.start, window.end, self._ports.clock.now())
        groups = [UUID(group_id) for group_id in vanished]
        closed = await overlaps.close(groups, self._ports.clock.now())
        if closed:
            await self._record(session, "overlap.closed", {"groups": sorted(map(str, closed))})

    def _opens(self, group: PlannedGroup) -> bool:
        """Whether the group starts to wait for its owner now."""
        if group.status is not GroupStatus.FLAGGED:
            return False
        stored = (group.stored_id, *group.absorbed)
        known = [self._memberships.get(UUID(each)) for each in stored if each]
        return not any(each and each.status is OverlapStatus.FLAGGED for each in known)

    def _id_of(self, group: PlannedGroup) -> UUID:
        """The group's id. If a stored group fell apart, its first part keeps the id."""
        stored = UUID(group.stored_id) if group.stored_id else None
        group_id = uuid4() if stored is None or stored in self._written else stored
        self._written.add(group_id)
        return group_id

    def _renamed(self, groups: Sequence[PlannedGroup]) -> list[StatusRow]:
        """Unchanged groups whose kind changes because the configuration changed."""
        rows: list[StatusRow] = []
        for group in groups:
            if group.changed or group.stored_id is None or group.status is GroupStatus.SETTLED:
                continue
            stored = self._memberships[UUID(group.stored_id)]
            if stored.status != OverlapStatus(group.status):
                rows.append({"id": group.stored_id, "status": str(group.status), "version": stored.version})
        return rows

    async def _audit(self, session: AsyncSession, stored: Sequence[tuple[UUID, PlannedGroup]]) -> None:
        """One audit row for all groups opened or changed. Recorded groups are nobody's decision."""
        told = {
            str(group_id): {
                "status": str(group.status),
                "reopened": group.reopened,
                "members": len(group.members),
                "absorbed": list(group.absorbed),
            }
            for group_id, group in stored
            if group.reopened or group.absorbed or group.status is not GroupStatus.RECORDED
        }
        if told:
            await self._record(session, "overlap.planned", {"groups": told})

    async def _record(self, session: AsyncSession, action: str, changes: Mapping[str, Any]) -> None:
        await self._ports.audit.record(
            session, action, "archive_run", self._context.run_id, changes, on_behalf_of=self._context.owner_id
        )


def _known_overlap(membership: Membership) -> KnownOverlap:
    return KnownOverlap(
        group_id=str(membership.group_id),
        opened_at=membership.opened_at,
        member_count=membership.member_count,
        revision=membership.revision,
        decided=membership.status.decided,
        kept=membership.kept,
        waiting=membership.status is OverlapStatus.FLAGGED,
    )


def _group_row(group_id: UUID, group: PlannedGroup, now: datetime) -> GroupRow:
    log: list[JsonObject] = []
    if group.reopened:
        log.append({"at": now.isoformat(), "by": "plan", "reason": "its members changed: reopened"})
    log += [{"at": now.isoformat(), "by": "rule", **asdict(step)} for step in group.log]
    return {
        "id": str(group_id),
        "status": str(OverlapStatus(group.status)),
        "member_count": len(group.members),
        "start_at": min(member.interval.start for member in group.members).isoformat(),
        "end_at": max(member.interval.end for member in group.members).isoformat(),
        "log": log,
    }


def _member_rows(group_id: UUID, group: PlannedGroup) -> list[MemberRow]:
    return [
        {
            "group_id": str(group_id),
            "source_key": member.source_key,
            "revision": member.revision,
            "start_at": member.interval.start.isoformat(),
            "end_at": member.interval.end.isoformat(),
            "verdict": str(member.verdict),
        }
        for member in group.members
    ]
