"""What a person has of what is limited: theirs alone, without what does not count (domain.md 6.6)."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.people import UserExport
from shared.database.repositories.people.person_limits import PersonLimitRepository
from shared.domain.people.departure import ExportState
from tests.support.factories import START, Factory


async def test_deleted_configurations_and_those_of_others_do_not_count(
    session: AsyncSession, make: Factory
) -> None:
    owner = await make.user()
    gone, _, _ = [await make.configuration(owner) for _ in range(3)]
    await make.configuration()
    await session.execute(
        update(ArchiveConfiguration)
        .where(ArchiveConfiguration.id == gone.id)
        .values(deleted_at=func.now(), active=False)
    )
    assert await PersonLimitRepository(session).archive_configurations(owner.id) == 2


async def test_calendars_and_rules_of_one_owner_are_counted(session: AsyncSession, make: Factory) -> None:
    owner, other = await make.user(), await make.user()
    limits = PersonLimitRepository(session)
    for user, amount in ((owner, 2), (other, 1)):
        for _ in range(amount):
            await make.local_calendar(user)
            await make.category_rule(user.id)
    assert (await limits.local_calendars(owner.id), await limits.category_rules(owner.id)) == (2, 2)


async def test_exports_count_for_a_time_unless_they_failed(session: AsyncSession, make: Factory) -> None:
    owner, other = await make.user(), await make.user()
    for user, state, age in (
        (owner, ExportState.READY, 1),
        (owner, ExportState.READY, 25),
        (owner, ExportState.FAILED, 1),
        (other, ExportState.READY, 1),
    ):
        await make.user_export(user.id, state=state, created_at=START - timedelta(hours=age))
    limits, since = PersonLimitRepository(session), START - timedelta(hours=24)
    asked_by = await session.scalar(select(UserExport.requested_by).where(UserExport.owner_id == owner.id))
    assert asked_by is not None
    assert await limits.exports_since(owner.id, asked_by, since) == 1
    assert await limits.exports_since(owner.id, "user:another", since) == 0


async def test_there_is_room_for_events_until_the_owner_entered_as_many(
    session: AsyncSession, make: Factory
) -> None:
    owner = await make.user()
    calendar = await make.local_calendar(owner)
    limits = PersonLimitRepository(session)
    for number in range(3):
        await make.local_event(calendar)
        await make.local_event(calendar, archive_key=f"key {number}")
    await make.local_event()
    assert not await limits.has_room_for_events(owner.id, 3)
    assert await limits.has_room_for_events(owner.id, 4)
    assert await limits.has_room_for_events(owner.id, 20_000)
