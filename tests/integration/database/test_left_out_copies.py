"""LeftOutCopyRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.overlaps import OverlapMember
from shared.database.repositories.overlaps.left_out_copies import LeftOutCopyRepository
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory

HALF = timedelta(minutes=30)


class Overlaps:
    """A copy of one hour that its owner left out, and others of the same configuration."""

    def __init__(self, session: AsyncSession, make: Factory, events: list[ArchivedEvent]) -> None:
        self._session = session
        self._make = make
        self.left_out, *self.others = events

    async def decide(self, status: OverlapStatus, other: ArchivedEvent) -> None:
        """Their group as it is after a decision for the other one."""
        group = await self._make.overlap_group(self.left_out, other, status=status)
        kept = update(OverlapMember).where(OverlapMember.group_id == group.id)
        await self._session.execute(kept.values(kept=OverlapMember.source_key == other.source_key))

    async def counts_again(self, record: Appointment, owner_id: uuid.UUID | None = None) -> bool:
        """Whether the copy that was left out counts again."""
        await self._session.flush()
        event = self.left_out
        copies = LeftOutCopyRepository(self._session, owner_id or event.owner_id, event.configuration_id)
        await copies.count_again(START)
        await self._session.refresh(record)
        return record.excluded is None


@pytest.fixture
async def overlaps(session: AsyncSession, make: Factory) -> Overlaps:
    configuration = await make.configuration()
    events = [await make.archived_event(configuration, start_at=START + n * HALF) for n in range(4)]
    return Overlaps(session, make, events)


@pytest.fixture
async def record(make: Factory, overlaps: Overlaps) -> Appointment:
    return await make.appointment(overlaps.left_out, excluded="resolution")


@pytest.mark.parametrize(
    ("state", "excluded", "halves_later", "expected"),
    [
        (ArchivedEventState.SOURCE_DELETED, None, 1, False),
        # Its owner said that it was postponed, or another event represents it.
        (ArchivedEventState.SUPERSEDED, "superseded", 1, True),
        (ArchivedEventState.REMOVED_BY_OWNER, None, 1, True),
        # It took the copy of a new event.
        (ArchivedEventState.PRESENT, None, 1, True),
        # It does not count, so the hour would be lost.
        (ArchivedEventState.SOURCE_DELETED, "resolution", 1, True),
        # Its owner moved the copy. Touching is no overlap.
        (ArchivedEventState.SOURCE_DELETED, None, 2, True),
    ],
)
async def test_a_decision_stands_while_the_copy_of_a_vanished_event_counts_and_overlaps(
    overlaps: Overlaps,
    record: Appointment,
    make: Factory,
    state: ArchivedEventState,
    excluded: str | None,
    halves_later: int,
    *,
    expected: bool,
) -> None:
    other = overlaps.others[0]
    other.state = state
    start = START + halves_later * HALF
    await make.appointment(other, excluded=excluded, start_at=start, end_at=start + 2 * HALF)
    await overlaps.decide(OverlapStatus.CLOSED, other)
    assert await overlaps.counts_again(record) is expected


@pytest.mark.parametrize("status", [OverlapStatus.SETTLED, OverlapStatus.CLOSED])
async def test_another_decision_that_stands_leaves_it_out(
    overlaps: Overlaps, record: Appointment, make: Factory, status: OverlapStatus
) -> None:
    over, standing = overlaps.others[:2]
    over.state = ArchivedEventState.SUPERSEDED
    await make.appointment(over, excluded="superseded")
    await overlaps.decide(OverlapStatus.CLOSED, over)
    standing.state = ArchivedEventState.SOURCE_DELETED
    await make.appointment(standing, start_at=START, end_at=START + HALF)
    await overlaps.decide(status, standing)
    assert not await overlaps.counts_again(record)


async def test_the_copy_of_a_vanished_event_stays_as_decided(
    overlaps: Overlaps, record: Appointment, make: Factory
) -> None:
    overlaps.left_out.state = ArchivedEventState.SOURCE_DELETED
    await make.appointment(overlaps.others[0])
    await overlaps.decide(OverlapStatus.CLOSED, overlaps.others[0])
    assert not await overlaps.counts_again(record)


async def test_nobody_changes_copies_of_another_owner(overlaps: Overlaps, record: Appointment) -> None:
    await overlaps.decide(OverlapStatus.CLOSED, overlaps.others[0])
    assert not await overlaps.counts_again(record, uuid.uuid4())
    assert await overlaps.counts_again(record)
