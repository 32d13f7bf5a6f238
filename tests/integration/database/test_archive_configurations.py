"""ArchiveConfigurationRepository."""

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from tests.support.factories import START, TENANT, Factory

OTHER = uuid.uuid4()


@pytest.fixture
def configurations(session: AsyncSession) -> ArchiveConfigurationRepository:
    return ArchiveConfigurationRepository(session)


def _configuration(owner_id: uuid.UUID, **columns: object) -> ArchiveConfiguration:
    mailbox = uuid.uuid4()
    defaults = {
        "tenant_id": TENANT,
        "owner_id": owner_id,
        "name": "Work",
        "source_reference": "msgraph://ann@example.com/calendar",
        "source_mailbox_id": mailbox,
        "source_calendar_id": "source",
        "archive_reference": "msgraph://ann@example.com/calendars/Archive",
        "archive_mailbox_id": mailbox,
        "archive_calendar_id": "archive",
        "time_zone": "Europe/Berlin",
        "archive_from": date(2026, 2, 1),
    }
    return ArchiveConfiguration(**(defaults | columns))


async def test_an_added_configuration_has_the_defaults_of_the_rules(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    owner = await make.user()
    added = await configurations.add(_configuration(owner.id))
    assert (added.purpose, added.lookback_days, added.active) == ("general", 7, True)
    assert added.archived_until is None
    assert await configurations.get(TENANT, added.id) is added


async def test_a_configuration_is_found_by_tenant_and_owner_only(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    mine, others = await make.configuration(), await make.configuration()
    assert await configurations.get(TENANT, mine.id, mine.owner_id) is mine
    assert await configurations.get(TENANT, mine.id, others.owner_id) is None
    assert await configurations.get(OTHER, mine.id) is None
    assert await configurations.list(TENANT, None, 10, mine.owner_id) == [mine]
    assert {c.id for c in await configurations.list(TENANT, None, 10)} == {mine.id, others.id}
    assert await configurations.list(OTHER, None, 10) == []


async def test_the_list_pages_in_the_order_of_adding(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    owner = await make.user()
    made = [await make.configuration(owner, created_at=START + timedelta(days=day)) for day in (1, 0, 2)]
    first = await configurations.list(TENANT, None, 2, owner.id)
    rest = await configurations.list(TENANT, (first[-1].created_at, first[-1].id), 2, owner.id)
    assert first + rest == sorted(made, key=lambda row: row.created_at)


async def test_a_name_is_taken_once_for_each_owner(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    owner, other = await make.user(), await make.user()
    await configurations.add(_configuration(owner.id))
    await configurations.add(_configuration(other.id))
    with pytest.raises(AlreadyExists, match="name"):
        await configurations.add(_configuration(owner.id))


async def test_an_owner_has_one_default(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    owner = await make.user()
    default = await configurations.add(_configuration(owner.id, is_default=True))
    await configurations.add(_configuration(owner.id, name="Second"))
    assert await configurations.get_default(TENANT, owner.id) is default
    with pytest.raises(AlreadyExists, match="default"):
        await configurations.add(_configuration(owner.id, name="Third", is_default=True))


async def test_a_calendar_is_not_archived_into_itself(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    owner = await make.user()
    with pytest.raises(IntegrityError, match="source_is_not_archive"):
        await configurations.add(_configuration(owner.id, archive_calendar_id="source"))


async def test_the_archived_instant_never_goes_back(
    configurations: ArchiveConfigurationRepository, make: Factory, session: AsyncSession
) -> None:
    made = await make.configuration()
    assert await configurations.set_archived_until(made.owner_id, made.id, START)
    assert not await configurations.set_archived_until(made.owner_id, made.id, START - timedelta(days=1))
    assert not await configurations.set_archived_until(made.owner_id, made.id, START)
    assert not await configurations.set_archived_until(OTHER, made.id, START + timedelta(days=1))
    await session.refresh(made)
    assert made.archived_until == START


async def test_the_archived_instant_does_not_jump_over_a_gap(
    configurations: ArchiveConfigurationRepository, make: Factory, session: AsyncSession
) -> None:
    made = await make.configuration(time_zone="Europe/Berlin", archive_from=date(2026, 2, 1))
    first = datetime(2026, 1, 31, 23, tzinfo=UTC)
    second, third = first + timedelta(days=10), first + timedelta(days=20)

    async def advance(start: datetime, end: datetime) -> bool:
        return await configurations.set_archived_until(made.owner_id, made.id, end, covered_from=start)

    assert not await advance(first + timedelta(seconds=1), second)
    assert await advance(first, second)
    assert not await advance(second + timedelta(days=1), third)
    assert await advance(second - timedelta(days=7), third)
    await session.refresh(made)
    assert made.archived_until == third


async def test_a_calendar_has_one_role_in_the_whole_tenant(
    configurations: ArchiveConfigurationRepository, make: Factory
) -> None:
    made = await make.configuration(active=False)
    source = (made.source_mailbox_id, made.source_calendar_id)
    archive = (made.archive_mailbox_id, made.archive_calendar_id)
    assert await configurations.uses_calendar_as_source(TENANT, *source)
    assert await configurations.uses_calendar_as_archive(TENANT, *archive)
    assert not await configurations.uses_calendar_as_source(TENANT, *archive)
    assert not await configurations.uses_calendar_as_archive(TENANT, *source)
    assert not await configurations.uses_calendar_as_source(OTHER, *source)
    assert not await configurations.uses_calendar_as_archive(TENANT, uuid.uuid4(), archive[1])
    assert not await configurations.uses_calendar_as_archive(TENANT, *archive, except_for=made.id)


async def test_two_people_cannot_give_one_calendar_two_roles_at_the_same_moment(
    database: Database,
) -> None:
    async with database.session() as session:
        owner = await Factory(session).user()
    mailbox, shared_calendar = uuid.uuid4(), "shared"

    async def add(name: str, source: str, archive: str) -> bool:
        async with database.session() as session:
            configurations = ArchiveConfigurationRepository(session)
            if await configurations.uses_calendar_as_archive(TENANT, mailbox, source):
                return False
            if await configurations.uses_calendar_as_source(TENANT, mailbox, archive):
                return False
            await configurations.add(
                _configuration(
                    owner.id,
                    name=name,
                    source_mailbox_id=mailbox,
                    source_calendar_id=source,
                    archive_mailbox_id=mailbox,
                    archive_calendar_id=archive,
                )
            )
            return True

    added = await asyncio.gather(
        add("reads it", shared_calendar, "b"), add("writes to it", "c", shared_calendar)
    )
    assert sorted(added) == [False, True]


async def test_what_a_run_judges_calendars_by_is_of_the_tenant_and_of_what_is_not_deleted(
    configurations: ArchiveConfigurationRepository, make: Factory, session: AsyncSession
) -> None:
    mine = await make.configuration()
    place: dict[str, Any] = {
        "source_mailbox_id": mine.archive_mailbox_id,
        "source_calendar_id": mine.archive_calendar_id,
    }
    stranger = await make.user(tenant_id=OTHER)
    await make.configuration(stranger, **place)
    chained = await make.configuration(**place, deleted_at=START)
    facts = await configurations.reference_facts(TENANT, mine.id)
    assert facts is not None
    assert (facts.owner, facts.approved, facts.two_roles) == (mine.source_mailbox_id, False, False)
    chained.deleted_at = None
    await session.flush()
    for each in (mine, chained):
        facts = await configurations.reference_facts(TENANT, each.id)
        assert facts is not None
        assert facts.two_roles
    assert await configurations.reference_facts(OTHER, mine.id) is None
