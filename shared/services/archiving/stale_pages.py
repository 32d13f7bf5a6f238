"""Finds out whether one reading showed a meeting twice: before it was entered again, and after (2.16)."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts
from shared.domain.planning.same_meeting import match_meetings
from shared.domain.runs.unread import UnreadEvents
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.source_lookup import read_sources

#: A read may be stale by at most this time (design.md, Archive).
STALE_FOR = timedelta(minutes=1)


async def shown_twice(
    ports: ArchivingPorts,
    context: RunContext,
    unread: UnreadEvents,
    new: Mapping[str, MeetingFacts],
    late: Collection[str],
) -> bool:
    """Whether a stale page showed a meeting that another page showed as it was entered again.

    Both are ``new``, by source key. ``late`` are those that were entered while pages may still be stale. What
    would be the same meeting as one of them is read by id.
    """
    again = [facts for key, facts in new.items() if key in late]
    before = [
        GoneRow(facts, counts=True, copy_start=facts.start, copy_end=facts.end)
        for key, facts in new.items()
        if key not in late
    ]
    alike = match_meetings(before, again, {row.facts.key for row in before}) if again and before else None
    if alike is None or alike.empty:
        return False
    keys = {pair.row for pair in alike.pairs} | {key for doubt in alike.doubts for key in doubt.rows}
    ids = {new[key].source_id for key in keys}
    found = await read_sources(ports, context, sorted(ids), unread)
    return any(each not in found and each not in unread.ids for each in ids)
