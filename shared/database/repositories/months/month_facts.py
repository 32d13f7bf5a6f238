"""The facts of a month: each event once, and the groups of overlapping events (domain.md 2.18, 2.20)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.overlaps import OverlapGroup
from shared.database.repositories.categories.category_facts import COUNTED_SQL, CategoryFactsRepository, View
from shared.database.repositories.overlaps.overlap_groups import OverlapGroupRepository
from shared.domain.appointments.counting import WhyNot
from shared.domain.identity.disclosure import PRIVATE, is_disclosed
from shared.domain.months.month import MonthEvent
from shared.domain.months.overlaps import MonthOverlap, MonthOverlapMember
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.planning.modifications import Modification

# An event without an appointment was never written. Only its reason is known.
_EVENTS = text(f"""
    {COUNTED_SQL}
    SELECT c.id, c.configuration_id, c.source_key AS key, c.hidden, c.why_not,
           COALESCE(c.subject, '') AS subject, COALESCE(c.start_at, e.start_at) AS start_at,
           COALESCE(c.end_at, e.start_at) AS end_at, COALESCE(c.is_all_day, false) AS is_all_day,
           COALESCE(c.categories, '{{}}') AS categories, c.source_deleted_at IS NOT NULL AS source_deleted,
           COALESCE(a.show_as, '') AS show_as, COALESCE(a.unresolved, false) AS unresolved,
           a.source_start_at, a.source_end_at, COALESCE(a.modifications, '[]') AS modifications
      FROM counted c
      LEFT JOIN appointments a ON a.id = c.id AND a.owner_id = :owner
      LEFT JOIN archived_events e ON e.configuration_id = c.configuration_id AND e.source_key = c.source_key
                                 AND e.owner_id = :owner
     ORDER BY start_at, end_at, key, configuration_id
""")  # noqa: S608
_MEMBERS = text("""
    SELECT m.group_id, m.source_key, m.start_at, m.end_at, m.verdict, m.kept, m.origin_mailbox_id,
           a.id AS appointment_id,
           COALESCE(a.subject, m.record ->> 'subject', '') AS subject,
           COALESCE(to_jsonb(a.categories), m.record -> 'categories', '[]') AS categories,
           COALESCE(a.show_as, m.record ->> 'show_as', '') AS show_as,
           COALESCE(a.importance, m.record ->> 'importance', '') AS importance,
           COALESCE(a.sensitivity, m.record ->> 'sensitivity') AS sensitivity
      FROM overlap_members m
      JOIN overlap_groups g ON g.id = m.group_id AND g.owner_id = :owner
      LEFT JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key AND e.owner_id = :owner
      LEFT JOIN appointments a ON a.archived_event_id = e.id AND a.owner_id = :owner
     WHERE m.group_id = ANY(CAST(:groups AS uuid[])) AND NOT m.departed
     ORDER BY m.start_at, m.end_at, m.source_key
""")


class MonthFactsRepository:
    """Reads one owner's record. It never reads a body."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def events(self, view: View) -> list[MonthEvent]:
        """The events that start in the view's ranges, each source event once, by start."""
        parameters = await CategoryFactsRepository(self._session).parameters(view)
        rows = await self._session.execute(_EVENTS, parameters)
        return [_event(row) for row in rows.mappings()]

    async def overlaps(
        self, view: View, configuration_id: UUID | None, events: Sequence[MonthEvent]
    ) -> list[MonthOverlap]:
        """The groups that begin in the view's ranges and still have a subject, by start.

        ``events`` say which members count.
        """
        if not view.ranges:
            return []
        groups = await OverlapGroupRepository(self._session).between(
            view.owner_id,
            min(each.start for each in view.ranges),
            max(each.end for each in view.ranges),
            configuration_id,
            viewer=view.viewer,
        )
        rows = await self._session.execute(
            _MEMBERS, {"owner": view.owner_id, "groups": [group.id for group in groups]}
        )
        members: defaultdict[UUID, list[RowMapping]] = defaultdict(list)
        for row in rows.mappings():
            members[row["group_id"]].append(row)
        counting = {event.key: event.counts for event in events}
        return [_overlap(group, members[group.id], counting, view) for group in groups if members[group.id]]


def _event(row: RowMapping) -> MonthEvent:
    hidden = row["hidden"]
    return MonthEvent(
        id=row["id"],
        configuration_id=row["configuration_id"],
        key=row["key"],
        subject=PRIVATE if hidden else row["subject"],
        start=row["start_at"],
        end=row["end_at"],
        is_all_day=row["is_all_day"],
        categories=() if hidden else tuple(row["categories"]),
        why_not=None if row["why_not"] is None else WhyNot(row["why_not"]),
        hidden=hidden,
        show_as="busy" if hidden else row["show_as"],
        source_deleted=row["source_deleted"],
        unresolved=row["unresolved"] and not hidden,
        source_start=None if hidden else row["source_start_at"],
        source_end=None if hidden else row["source_end_at"],
        modifications=() if hidden else tuple(Modification.from_json(each) for each in row["modifications"]),
    )


def _overlap(
    group: OverlapGroup, rows: Sequence[RowMapping], counting: dict[str, bool], view: View
) -> MonthOverlap:
    return MonthOverlap(
        group.id,
        group.configuration_id,
        OverlapStatus(group.status),
        tuple(_member(row, counting, view.viewer) for row in rows),
    )


def _member(row: RowMapping, counting: dict[str, bool], viewer: UUID | None) -> MonthOverlapMember:
    hidden = not is_disclosed(row["sensitivity"], origin=row["origin_mailbox_id"], viewer=viewer)
    start: datetime = row["start_at"]
    facts: dict[str, Any] = {
        "subject": PRIVATE if hidden else row["subject"],
        "categories": () if hidden else tuple(row["categories"]),
        "show_as": "busy" if hidden else row["show_as"],
        "importance": "normal" if hidden else row["importance"],
    }
    # An event that starts after the month counts as its group decided.
    decided = row["kept"] is not False and row["verdict"] == Verdict.KEPT
    return MonthOverlapMember(
        key=row["source_key"],
        appointment_id=None if hidden else row["appointment_id"],
        start=start,
        end=row["end_at"],
        verdict=Verdict(row["verdict"]),
        kept=row["kept"],
        counts=counting.get(row["source_key"], decided),
        hidden=hidden,
        **facts,
    )
