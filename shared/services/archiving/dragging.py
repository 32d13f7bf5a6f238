"""Meetings whose event moved to a later time after they were archived: took place, or postponed? (2.4)

The question is opened in the transaction that leaves the row behind. A plan over the row's window checks
whether it is still open. If the row's event came back, or its copy is gone, the question is closed.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.action_items.plan_items import AskedItem, ItemEvent, StoredItem
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.action_items.items import Answer, CloseReason, Question, Side, about
from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent, is_detached
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.action_item_keeping import ActionItemKeeper, shown_in_item
from shared.services.archiving.context import RunContext
from shared.services.archiving.superseding import supersede

if TYPE_CHECKING:
    from shared.services.archiving.drafting import OperationDrafter


class DraggedMeetings:
    """The questions of one configuration about meetings whose event moved to a later time."""

    def __init__(self, context: RunContext, keeper: ActionItemKeeper) -> None:
        self._context = context
        self._keeper = keeper

    async def ask(self, session: AsyncSession, row: MapRow, key: str, event: SourceEvent) -> None:
        """Ask about a row that now has the key ``key``, because its event moved on."""
        source_id = row.source_id + key.removeprefix(row.source_key)
        start = self._context.window.owning_start(event)
        old = ItemEvent(Side.ARCHIVED, key, source_id, row.revision, row.start_at, row.start_at, row.id)
        new = ItemEvent(
            Side.NEW,
            row.source_key,
            event.id,
            revision(event),
            start,
            max(start, event.end),
            record=shown_in_item(event),
        )
        asked = AskedItem(Question.MOVED_ON, about(Question.MOVED_ON, [source_id], [event.id]), (old, new))
        await self._keeper.keep(session, [asked], ())

    async def keep(
        self, session: AsyncSession, drafter: "OperationDrafter", open_keys: Collection[str]
    ) -> None:
        """Close questions that have no subject left. Plan to supersede the copies of postponed meetings."""
        window = self._context.window
        items = await self._keeper.live(session, window.start, window.end, (Question.MOVED_ON,))
        items = [
            item for item in items if all(window.start <= row.start < window.end for row in item.archived)
        ]
        over = [item for item in items if not _stands(item)]
        await self._keeper.close(session, [item.id for item in over], CloseReason.SETTLED_ITSELF)
        standing = [item for item in items if _stands(item)]
        postponed = [item for item in standing if item.answer is Answer.WAS_POSTPONED]
        keys = {row.key for item in postponed for row in item.archived} - set(open_keys)
        await supersede(session, self._context, drafter, keys)


def _stands(item: StoredItem) -> bool:
    """Whether the copy still represents a meeting whose event moved on."""
    return all(
        is_detached(row.key) and row.state is ArchivedEventState.SOURCE_DELETED for row in item.archived
    )
