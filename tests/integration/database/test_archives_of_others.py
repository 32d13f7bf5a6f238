"""ArchivesOfOthers: what other people's configurations hold of a person, and nothing else."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archives_of_others import ArchivesOfOthers
from shared.database.repositories.people.person_data import DataSubject
from tests.support.factories import Factory


async def test_only_what_others_archived_of_the_person_is_theirs(
    session: AsyncSession, make: Factory
) -> None:
    ada, bob = await make.user(), await make.user()
    person = DataSubject(ada.id, ada.tenant_id, ada.object_id, ada.address, ada.display_name)
    read = await make.configuration(bob, source_mailbox_id=ada.object_id)
    shared = await make.configuration(bob, source_person_id=ada.object_id, deleted_at=datetime.now(UTC))
    own, others = await make.configuration(ada), await make.configuration(bob)
    for configuration in (read, shared, own, others):
        await make.appointment(await make.archived_event(configuration))
    archives = ArchivesOfOthers(session)
    assert {each.id for each in await archives.configurations(person)} == {read.id, shared.id}
    assert await archives.count(person) == 2
    assert len(await archives.some_copies(person, 10)) == 2
    assert not await archives.any_running(person)
    await make.run(read)
    assert await archives.any_running(person)
    assert set(await archives.close(person, datetime.now(UTC))) == {read.id, shared.id}
    deleted = []
    while (found := await archives.delete_some(person, 1)) is not None:
        deleted.append(found)
    assert deleted == [("appointments", 1)] * 2 + [("archived_events", 1)] * 2
    assert await archives.count(person) == 0
    assert await archives.configurations(DataSubject(uuid4(), ada.tenant_id, uuid4(), "", "")) == []
