"""UserRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from tests.support.factories import START, TENANT, Factory

OTHER_TENANT = uuid.uuid4()


@pytest.fixture
def users(session: AsyncSession) -> UserRepository:
    return UserRepository(session)


def _user(**columns: object) -> User:
    defaults = {"tenant_id": TENANT, "object_id": uuid.uuid4(), "display_name": "Ann"}
    return User(**(defaults | {"address": "ann@example.com"} | columns))


async def test_an_added_user_is_found_by_every_name(users: UserRepository) -> None:
    user = await users.add(_user())
    assert user.active
    assert user.created_at.utcoffset() == timedelta(0)
    assert await users.get(TENANT, user.id) is user
    assert await users.get_by_object_id(TENANT, user.object_id) is user
    assert await users.get_by_address(TENANT, " ANN@Example.com") is user


async def test_a_user_of_another_tenant_is_not_found(users: UserRepository) -> None:
    user = await users.add(_user())
    assert await users.get(OTHER_TENANT, user.id) is None
    assert await users.get_by_object_id(OTHER_TENANT, user.object_id) is None
    assert await users.get_by_address(OTHER_TENANT, user.address) is None
    assert await users.list(OTHER_TENANT, None, 10) == []


async def test_an_object_id_is_taken_once_in_a_tenant(users: UserRepository) -> None:
    user = await users.add(_user())
    await users.add(_user(tenant_id=OTHER_TENANT, object_id=user.object_id))
    with pytest.raises(AlreadyExists, match="object id"):
        await users.add(_user(object_id=user.object_id, address="other@example.com"))


async def test_an_address_is_taken_once_in_a_tenant_whatever_its_case(users: UserRepository) -> None:
    await users.add(_user())
    await users.add(_user(tenant_id=OTHER_TENANT))
    with pytest.raises(AlreadyExists, match="address"):
        await users.add(_user(address="Ann@EXAMPLE.com"))


async def test_the_list_pages_in_the_order_of_adding_without_gaps(
    users: UserRepository, make: Factory
) -> None:
    # Three were added at the same instant: the id decides.
    made = [await make.user(created_at=START + timedelta(seconds=second)) for second in (2, 1, 1, 1, 0)]
    seen: list[User] = []
    after = None
    while page := await users.list(TENANT, after, 2):
        seen.extend(page)
        after = (page[-1].created_at, page[-1].id)
    assert seen == sorted(made, key=lambda user: (user.created_at, user.id))


async def test_the_list_is_narrowed_to_an_address(users: UserRepository, make: Factory) -> None:
    await make.user()
    wanted = await make.user(address="Wanted@example.com")
    assert await users.list(TENANT, None, 10, address="wanted@EXAMPLE.com") == [wanted]
