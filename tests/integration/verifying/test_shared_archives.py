"""An archive calendar is judged as a whole, with all its writers (domain.md 2.19)."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY, ARCHIVE_SOURCE_PROPERTY
from tests.integration.archiving.simulated_mailbox import event, property_of
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import Verifier, meetings


async def other_configuration(world: World, **columns: Any) -> UUID:
    """Another configuration of the same person, into the same archive calendar."""
    async with world.database.session() as session:
        main = await session.get_one(ArchiveConfiguration, world.configuration_id)
        kept = {c.key: getattr(main, c.key) for c in ArchiveConfiguration.__mapper__.column_attrs}
        other = {"id": uuid4(), "name": "Other", "is_default": False, "archive_in_use": True}
        session.add(ArchiveConfiguration(**(kept | other | columns)))
    return other["id"]  # type: ignore[return-value]


async def copied(world: World, copy: dict[str, Any], writer: UUID, **changed: Any) -> str:
    """The copy of the same event that another configuration would have written; its key."""
    key = uuid4().hex * 2
    source = json.loads(property_of(copy, ARCHIVE_SOURCE_PROPERTY)) | {"configuration": str(writer)}
    source |= changed.pop("source", {})
    properties = [
        {"id": ARCHIVE_KEY_PROPERTY, "value": key},
        {"id": ARCHIVE_SOURCE_PROPERTY, "value": json.dumps(source)},
    ]
    await world.add_to_archive({**copy, **changed, "singleValueExtendedProperties": properties})
    return key


async def recorded(world: World, configuration_id: UUID, key: str, copy: dict[str, Any]) -> None:
    """The other configuration's own record of its copy of what ``copy`` is of."""
    of = ArchivedEvent.archive_key == property_of(copy, ARCHIVE_KEY_PROPERTY)
    async with world.database.session() as session:
        ours = (await session.execute(select(ArchivedEvent).where(of))).scalar_one()
        kept = {c.key: getattr(ours, c.key) for c in ArchivedEvent.__mapper__.column_attrs}
        new = {
            "id": uuid4(),
            "configuration_id": configuration_id,
            "archive_key": key,
            "source_key": f"s:{key}",
        }
        session.add(ArchivedEvent(**(kept | new)))


async def test_two_configurations_copies_of_one_event_are_doubled(world: World, verifier: Verifier) -> None:
    await world.open(meetings(3))
    await world.archive()
    other = await other_configuration(world)
    for number in range(3):
        copy = await world.copy(f"Meeting {number}")
        key = await copied(world, copy, other)
        if number:
            await recorded(world, other, key, copy)
    verified = await verifier.verify()
    assert verified.counts == {"missing": 0, "doubled": 3, "edited": 0, "unknown": 0, "source_changed": 0}
    assert verified.copies == 6
    for finding in await verifier.findings(verified):
        assert finding.archived_event_id is not None
        assert len(finding.detail["copies"]) == 2
        assert finding.copy_id in finding.detail["copies"]


async def test_what_another_configuration_writes_into_a_shared_archive_is_not_unknown(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(2))
    await world.archive()
    sharing = await other_configuration(world, source_calendar_id="another", archive_in_use=False)
    gone = await other_configuration(world, name="Gone", deleted_at=DAY)
    for writer in (sharing, gone):
        copy = await world.copy("Meeting 0")
        source = {"source": f"event of {writer}"}
        await copied(world, copy, writer, subject=f"By {writer}", source=source)
    assert await verifier.found(await verifier.verify()) == []


async def test_a_copy_of_a_configuration_that_nobody_knows_is_unknown_and_doubled(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    await world.archive()
    await copied(world, await world.copy("Meeting 0"), uuid4())
    found = await verifier.found(await verifier.verify())
    assert found == [("doubled", "several_copies"), ("unknown", "key_not_in_record")]


@pytest.mark.parametrize(
    "changed",
    [
        {"showAs": "free"},
        {"source": {"superseded": True}},
        {"source": {"originalStart": "2026-01-01T00:00:00Z"}, "start": None},
        {"source": {"source": "another event"}},
    ],
)
async def test_copies_that_do_not_count_or_are_of_other_days_are_not_doubled(
    world: World, verifier: Verifier, changed: dict[str, Any]
) -> None:
    await world.open(meetings(1))
    await world.archive()
    other = await other_configuration(world)
    if "start" in changed:
        later = event("Later", DAY + timedelta(days=2))
        changed = changed | {"start": later["start"], "end": later["end"]}
    await copied(world, await world.copy("Meeting 0"), other, **changed)
    assert await verifier.found(await verifier.verify()) == []


async def test_an_event_that_moved_before_it_was_archived_again_stands_twice_all_the_same(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    await world.archive()
    other = await other_configuration(world)
    await copied(
        world, await world.copy("Meeting 0"), other, source={"originalStart": "2026-01-01T00:00:00Z"}
    )
    assert await verifier.found(await verifier.verify()) == [("doubled", "several_copies")]


async def test_what_stands_twice_of_another_configuration_is_told_without_a_record_of_ours(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    await world.archive()
    other = await other_configuration(world, source_calendar_id="another", archive_in_use=False)
    copy = await world.copy("Meeting 0")
    for _ in range(2):
        await copied(world, copy, other, source={"source": "theirs"}, subject="Theirs")
    verified, finding = await verifier.one_finding()
    assert (finding.kind, finding.archived_event_id, finding.source_key) == ("doubled", None, None)
    assert len(finding.detail["copies"]) == 2
    assert verified.counts is not None
    assert verified.counts["doubled"] == 1


async def test_each_lost_copy_is_known_by_its_key(world: World, verifier: Verifier) -> None:
    await world.open([event(f"Meeting {n}", DAY + timedelta(minutes=40 * n), 30) for n in range(40)])
    await world.archive()
    lost = {f"Meeting {number}" for number in range(0, 40, 3)}
    keys = set()
    for copy in await world.copies():
        if copy["subject"] in lost:
            keys.add(property_of(copy, ARCHIVE_KEY_PROPERTY))
            await world.delete(copy["id"])
    verified = await verifier.verify()
    findings = await verifier.findings(verified)
    assert {(each.kind, each.reason) for each in findings} == {("missing", "copy_gone")}
    async with world.database.session() as session:
        rows = await session.execute(
            select(ArchivedEvent.archive_key).where(
                ArchivedEvent.id.in_([each.archived_event_id for each in findings])
            )
        )
        assert set(rows.scalars()) == keys
    assert len(findings) == len(lost)


async def test_a_copy_that_passed_to_another_source_is_not_doubled_by_what_it_was_written_for(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(2))
    await world.archive()
    first, second = [await world.copy(f"Meeting {number}") for number in range(2)]
    written_for = property_of(first, ARCHIVE_SOURCE_PROPERTY)
    other = await other_configuration(world)
    # The other configuration has a copy that was written for the first meeting and is the second one's now.
    source = json.loads(written_for)
    key = await copied(world, second, other, source=source | {"configuration": str(other)})
    await recorded(world, other, key, second)
    async with world.database.session() as session:
        of = ArchivedEvent.archive_key == property_of(second, ARCHIVE_KEY_PROPERTY)
        of_second = (await session.execute(select(ArchivedEvent.id).where(of))).scalar_one()
    verified, finding = await verifier.one_finding()
    assert (finding.kind, finding.archived_event_id) == ("doubled", of_second)
    assert verified.counts is not None
    assert verified.counts["doubled"] == 1
