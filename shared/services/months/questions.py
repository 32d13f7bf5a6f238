"""Open questions about meetings that changed since they were archived, for a month (2.4, 2.16, 2.17)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.repositories.action_items.action_items import (
    ActionItemRepository,
    ItemContent,
    ItemFilter,
)
from shared.domain.action_items.items import ActionItemStatus, Question
from shared.domain.categories.statistics import CountedEvent, tally
from shared.domain.identity.disclosure import PRIVATE, is_record_disclosed
from shared.domain.months.attention import NO_SUBJECT, Attention, AttentionKind

_WORDS: Final = {
    Question.LIKELY_SAME: (
        "its event is gone, and a new one may be the same meeting",
        "Say whether it is one meeting, or two.",
    ),
    Question.MOVED_ON: (
        "it was archived, and its event stands at a later time now",
        "Say whether it took place, or was postponed.",
    ),
    Question.SERIES_CHANGED: (
        "its series does not show any more what is archived",
        "Keep what is archived, or take the series as it is now.",
    ),
}


async def open_questions(
    session: AsyncSession,
    owner_id: UUID,
    start: datetime,
    end: datetime,
    configuration_id: UUID | None,
    *,
    viewer: UUID | None,
    limit: int,
) -> list[Attention]:
    """The owner's open items that begin in ``[start, end)``. Subjects of hidden events are masked (6.3)."""
    items = ActionItemRepository(session)
    wanted = ItemFilter(
        viewer,
        status=ActionItemStatus.OPEN,
        configuration_id=configuration_id,
        begins_in=(start, end),
    )
    found = await items.list(owner_id, wanted, None, limit)
    return [_attention(item, await items.contents(owner_id, item.id), viewer) for item in found]


def _attention(item: ActionItem, contents: Sequence[ItemContent], viewer: UUID | None) -> Attention:
    reason, action = _WORDS[Question(item.question)]
    first = min(contents, key=lambda each: each.start_at, default=None)
    time = tally(CountedEvent(each.start_at, each.end_at) for each in contents).net
    return Attention(
        AttentionKind.QUESTION,
        NO_SUBJECT if first is None else _subject(first, viewer),
        reason,
        action,
        max(time, timedelta()),
        len(contents),
        item.start_at,
        item.end_at,
        about=item.id,
    )


def _subject(content: ItemContent, viewer: UUID | None) -> str:
    event = content.event
    if not is_record_disclosed(content, viewer):
        return PRIVATE
    return (event.subject if event else "") or NO_SUBJECT
