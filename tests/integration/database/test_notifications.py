"""NotificationRepository."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.notifications import Notification
from shared.database.models.users import User
from shared.database.repositories.notifications.notifications import Addressee, NotificationRepository
from shared.domain.notifications.notification import (
    Audience,
    Notice,
    NotificationClass,
    NotificationState,
    NotificationSubject,
    Recipient,
)
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)
NOTICE = Notice(
    notification_class=NotificationClass.RUN_FINISHED,
    transaction_id="backfill:1",
    state=NotificationState.PROGRESS,
    title="Backfill under way",
    text="1 of 3 months",
    resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
    resource_id=uuid.uuid4(),
    percent=33,
)


@pytest.fixture
def notifications(session: AsyncSession) -> NotificationRepository:
    return NotificationRepository(session)


@pytest.fixture
async def ada(make: Factory) -> User:
    return await make.user()


def to(user: User) -> Recipient:
    return Recipient(user.tenant_id, user.id)


async def rows(notifications: NotificationRepository, user: User) -> list[Notification]:
    found = await notifications.list(Addressee(user.id), None, 100)
    for row in found:
        await notifications._session.refresh(row)
    return found


async def test_telling_the_same_again_changes_what_was_told_and_never_doubles_it(
    notifications: NotificationRepository, ada: User, make: Factory
) -> None:
    bob = await make.user()
    await notifications.tell([(to(ada), NOTICE), (to(bob), NOTICE)], START)
    await notifications.tell([(to(ada), NOTICE)], START + HOUR)
    (first,) = await rows(notifications, ada)
    assert (first.version, first.updated_at, first.percent) == (1, START, 33)
    await notifications.tell([(to(ada), replace(NOTICE, percent=66, text="2 of 3 months"))], START + HOUR)
    (again,) = await rows(notifications, ada)
    assert (again.id, again.version, again.created_at, again.updated_at) == (
        first.id,
        2,
        START,
        START + HOUR,
    )
    assert (again.percent, again.text) == (66, "2 of 3 months")
    (other,) = await rows(notifications, bob)
    assert (other.percent, other.version) == (33, 1)


async def test_progress_stays_read_and_another_state_or_more_things_are_news(
    notifications: NotificationRepository, ada: User
) -> None:
    async def told(notice: Notice) -> bool:
        await notifications.mark_read(Addressee(ada.id), START + HOUR, START)
        await notifications.tell([(to(ada), notice)], START)
        (row,) = await rows(notifications, ada)
        return row.read_at is not None

    assert not await told(NOTICE)
    assert await told(replace(NOTICE, percent=66, text="2 of 3 months"))
    assert not await told(replace(NOTICE, percent=100, state=NotificationState.INFO))
    assert not await told(replace(NOTICE, percent=100, state=NotificationState.INFO, count=2))


async def test_what_was_told_so_far_is_known_by_its_transaction(
    notifications: NotificationRepository, ada: User
) -> None:
    assert await notifications.told_count(ada.id, "backfill:1") == 0
    await notifications.tell([(to(ada), replace(NOTICE, count=7))], START)
    assert await notifications.told_count(ada.id, "backfill:1") == 7
    assert await notifications.told_count(uuid.uuid4(), "backfill:1") == 0


async def test_newest_first_in_pages_narrowed_by_class_and_reading(
    notifications: NotificationRepository, ada: User, make: Factory
) -> None:
    made = [await make.notification(ada, created_at=START + number * HOUR) for number in range(4)]
    made[1].class_, made[2].read_at = NotificationClass.RUN_FAILED, START
    await make.notification(await make.user())
    own = Addressee(ada.id)
    first = await notifications.list(own, None, 3)
    assert first == [made[3], made[2], made[1]]
    assert await notifications.list(own, (first[-1].created_at, first[-1].id), 3) == [made[0]]
    assert await notifications.list(own, None, 9, unread=True) == [made[3], made[1], made[0]]
    assert await notifications.list(own, None, 9, unread=False) == [made[2]]
    assert await notifications.list(own, None, 9, of_class=NotificationClass.RUN_FAILED) == [made[1]]
    assert await notifications.unread(own) == 3


async def test_only_who_it_is_addressed_to_finds_it(
    notifications: NotificationRepository, ada: User, make: Factory
) -> None:
    bob = await make.user()
    own = await make.notification(ada)
    admins = await make.notification(ada, audience=Audience.ADMINS)
    elsewhere = await make.user(tenant_id=uuid.uuid4())
    await make.notification(elsewhere, audience=Audience.ADMINS)
    assert await notifications.get(Addressee(ada.id), own.id, lock=True) is own
    assert await notifications.get(Addressee(ada.id), admins.id) is None
    assert await notifications.get(Addressee(bob.id), own.id) is None
    admin = Addressee(bob.id, bob.tenant_id)
    assert await notifications.get(admin, own.id) is None
    assert await notifications.list(admin, None, 9) == [admins]
    assert await notifications.unread(admin) == 1


async def test_all_of_ones_own_is_read_up_to_an_instant(
    notifications: NotificationRepository, ada: User, make: Factory
) -> None:
    early = await make.notification(ada, updated_at=START)
    await make.notification(ada, updated_at=START + 2 * HOUR)
    await make.notification(await make.user(), updated_at=START)
    own = Addressee(ada.id)
    assert list(await notifications.mark_read(own, START + HOUR, START + 3 * HOUR)) == [early.id]
    assert list(await notifications.mark_read(own, START + HOUR, START + 3 * HOUR)) == []
    assert await notifications.unread(own) == 1
