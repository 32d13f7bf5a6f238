"""MemberPlaceRepository."""

import uuid

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.repositories.overlaps.member_places import MemberPlaceRepository
from shared.database.repositories.overlaps.overlap_members import (
    OverlapMemberRepository,
)
from shared.domain.overlaps.status import OverlapStatus
from tests.integration.database.overlap_rows import (
    members_of,
    store,
    stored_group,
)
from tests.support.factories import START, Factory


@pytest.fixture
def places(session: AsyncSession, flagged: list[ArchivedEvent]) -> MemberPlaceRepository:
    return MemberPlaceRepository(session, flagged[0].owner_id, flagged[0].configuration_id)


async def test_a_repointed_member_keeps_its_place(
    overlaps: OverlapMemberRepository, places: MemberPlaceRepository
) -> None:
    group_id = uuid.uuid4()
    await store(overlaps, group_id, "s:0", "s:1")
    await places.repoint("s:0", "o:series")
    assert set(await overlaps.known(["o:series", "s:0"])) == {"o:series"}


async def test_an_event_that_takes_the_place_of_another_one_leaves_its_own_group(
    overlaps: OverlapMemberRepository, places: MemberPlaceRepository, session: AsyncSession
) -> None:
    old, own = uuid.uuid4(), uuid.uuid4()
    await store(overlaps, old, "s:0", "s:1")
    await store(overlaps, own, "s:2", "s:3")
    await places.take_place("s:0", "s:2", START)
    known = await overlaps.known(["s:2", "s:3"])
    assert {key: each.group_id for key, each in known.items()} == {"s:2": old, "s:3": own}
    await places.take_place("s:1", "s:3", START)
    known = await overlaps.known(["s:2", "s:3"])
    assert {each.group_id for each in known.values()} == {old}
    group = await stored_group(session, own)
    await session.refresh(group)
    assert (group.status, group.merged_into) == ("merged", old)
    # Without a place to take, an event keeps its own.
    await places.take_place("s:9", "s:2", START)
    assert set(await overlaps.known(["s:2"])) == {"s:2"}


@pytest.mark.parametrize(
    ("member", "status", "kept", "excluded"),
    [
        (True, OverlapStatus.RECORDED, None, None),
        (True, OverlapStatus.SETTLED, True, None),
        (True, OverlapStatus.SETTLED, False, "resolution"),
        # It takes the place of the other, and so the decision about that.
        (False, OverlapStatus.SETTLED, None, "resolution"),
    ],
)
async def test_a_copy_that_was_handed_on_counts_as_is_decided_of_its_new_event(
    overlaps: OverlapMemberRepository,
    places: MemberPlaceRepository,
    session: AsyncSession,
    make: Factory,
    flagged: list[ArchivedEvent],
    *,
    member: bool,
    status: OverlapStatus,
    kept: bool | None,
    excluded: str | None,
) -> None:
    group_id = uuid.uuid4()
    appointment = await make.appointment(flagged[2])
    await store(overlaps, group_id, "s:0", "s:1", *(["s:2"] if member else []))
    (await stored_group(session, group_id)).status = status
    members = await members_of(session, group_id)
    members["s:0"].kept = False
    if member:
        members["s:2"].kept = kept
    # That of the former event, which left its copy.
    appointment.excluded = "resolution"
    await session.flush()
    await places.repoint("s:0", "s:2")
    await places.follow("s:2", START)
    await session.refresh(appointment)
    assert (appointment.excluded, "s:2" in await members_of(session, group_id)) == (excluded, True)
