"""The questions that a plan asks the owner of its archive (domain.md 2.4, 2.16, 2.17)."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.services.archiving.action_item_keeping import ActionItemKeeper
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.drafting import OperationDrafter
from shared.services.archiving.dragging import DraggedMeetings
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.series_reset_keeping import SeriesResetKeeper
from shared.services.archiving.source_reading import SourceReader
from shared.services.archiving.superseding import Superseding


class PlanQuestions:
    """The likely meetings, moved meetings and changed series of one plan, from its pages to its items."""

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        expiry: timedelta,
        matcher: SourceMatcher,
        drafter: OperationDrafter,
        open_keys: frozenset[str],
    ) -> None:
        self._matcher = matcher
        self._drafter = drafter
        self._open_keys = open_keys
        self._dragged = DraggedMeetings(context, ActionItemKeeper(ports, context, expiry))
        superseding = Superseding(ports, context, drafter, open_keys)
        self._series = SeriesResetKeeper(ports, context, expiry, superseding)

    @property
    def asked_about_series(self) -> int:
        """How many changed series the plan asks about."""
        return self._series.asked

    async def begin(self, session: AsyncSession) -> SourceReader:
        """The reader for one reading of the pages. It knows which series the owner decided to take."""
        return self._matcher.reader(self._dragged, await self._series.begin(session))

    async def pair(self, turn: PlanTurn, reader: SourceReader) -> bool:
        """Pair rows and dates of series that the owner takes. Whether to read the pages once more."""
        return await self._series.pair(turn, self._matcher, reader.resets, reader.met)

    async def keep(self, session: AsyncSession, reader: SourceReader) -> None:
        """Draft the writes that the answers require, and store the questions that are asked now."""
        await self._matcher.doubts.supersede(session, self._drafter, self._open_keys)
        await self._matcher.doubts.keep(session)
        await self._dragged.keep(session, self._drafter, self._open_keys)
        await self._series.finish(session, reader.resets, reader.met)
