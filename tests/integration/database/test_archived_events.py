"""ArchivedEventRepository."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.domain.events.source_event import archive_key
from shared.domain.planning.modifications import Modification, ModificationKind
from shared.domain.runs.archived_event import ArchivedEventState
from tests.integration.database.map_rows import DAY, HOUR, WITHOUT_COPY, as_source, new_row, row_of
from tests.support.factories import START, Factory


async def test_a_key_is_entered_once_and_fixed_at_first_sight(
    events: SourceIdentityRepository, configuration: ArchiveConfiguration
) -> None:
    assert await events.add([new_row("s:a"), new_row("o:series:2026-03-02T09:00:00Z")]) == {}
    assert await events.add([new_row("s:a", source_id="another"), new_row("s:b")]) == {}
    assert await events.add([]) == {}
    found = await events.by_keys(["s:a", "s:b", "s:c", "o:series:2026-03-02T09:00:00Z"])
    assert set(found) == {"s:a", "s:b", "o:series:2026-03-02T09:00:00Z"}
    first = found["s:a"]
    assert first.archive_key == archive_key(configuration.id, "s:a")
    assert (first.source_id, first.state) == ("id of s:a", "creating")
    assert (first.original_start, first.start_at, first.generation) == (START, START, 0)
    assert (first.copy_id, first.revision, first.merged_into, first.pending_since) == (None, "", None, None)


async def test_the_map_of_a_configuration_is_its_owners_alone(
    events: SourceIdentityRepository,
    stranger: SourceIdentityRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    session: AsyncSession,
) -> None:
    mine = await make.archived_event(configuration, source_key="s:same", ical_uid="same", pending_since=START)
    await make.archived_event(source_key="s:same", ical_uid="same")
    before = await row_of(events, "s:same")
    assert before.id == mine.id
    assert [row.id for row in (await events.by_sources([before.source_id])).values()] == [mine.id]
    assert await stranger.by_keys(["s:same"]) == {}
    assert await stranger.by_sources([before.source_id]) == {}
    assert await stranger.in_range(START, START + DAY, 10) == []
    assert await stranger.identify([(before, as_source(before, "s:stolen"))], START) == set()
    await stranger.absorb({"s:same": uuid4()})
    assert await stranger.keys_in_window(START, START + DAY, 10) == []
    assert await stranger.pending_outside(START - DAY, START, START - DAY, 10) == []
    await stranger.set_state([mine.id], ArchivedEventState.REMOVED_BY_OWNER, START)
    await stranger.merge({"s:same": ("s:other", "revision")}, START)
    await stranger.separate(["s:same"], START)
    await stranger.set_present(["s:same"], START)
    await stranger.repoint(before, as_source(before, "s:stolen"), START, write=True)
    await stranger.take_over(before, before, START)
    session.expire_all()
    assert await row_of(events, "s:same") == before


async def test_the_window_shows_living_rows_in_pages_in_the_order_of_the_calendar(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    async def at(key: str, start: timedelta, state: str = "present") -> None:
        await make.archived_event(configuration, source_key=key, start_at=START + start, state=state)

    for key, start in (("s:1", timedelta(0)), ("s:2", DAY - HOUR), ("s:early", -HOUR), ("s:late", DAY)):
        await at(key, start)
    await at("s:3", HOUR, "merged")
    await at("s:4", HOUR, "creating")
    for state in ("source_deleted", "removed_by_owner"):
        await at(f"s:{state}", HOUR, state)
    first = await events.keys_in_window(START, START + DAY, 3)
    rest = await events.keys_in_window(START, START + DAY, 3, first[-1])
    assert [key for _, key in (*first, *rest)] == ["s:1", "s:3", "s:4", "s:2"]


async def test_failed_writes_outside_the_window_are_tried_again_for_a_while(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    async def failed(key: str, start: timedelta, since: timedelta | None, state: str = "creating") -> None:
        pending = None if since is None else START + since
        await make.archived_event(
            configuration, source_key=key, start_at=START + start, pending_since=pending, state=state
        )

    await failed("s:before", -DAY, timedelta(0))
    await failed("s:after", DAY, timedelta(0), "present")
    await failed("s:inside", HOUR, timedelta(0))
    await failed("s:too long ago", -DAY, -DAY)
    await failed("s:never failed", -DAY, None)
    await failed("s:removed", -DAY, timedelta(0), "removed_by_owner")
    pending = await events.pending_outside(START, START + DAY, START - HOUR, 10)
    assert [row.source_key for row in pending] == ["s:after", "s:before"]
    assert len(await events.pending_outside(START, START + DAY, START - HOUR, 1)) == 1


async def test_a_source_that_is_back_is_present_again_if_it_has_a_copy(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await make.archived_event(configuration, source_key="s:back", state="source_deleted")
    await make.archived_event(configuration, source_key="s:bare", state="source_deleted", **WITHOUT_COPY)
    await make.archived_event(configuration, source_key="s:removed", state="removed_by_owner")
    keys = ["s:back", "s:bare", "s:removed"]
    await events.set_present(keys, START)
    states = {key: str(row.state) for key, row in (await events.by_keys(keys)).items()}
    assert states == {"s:back": "present", "s:bare": "source_deleted", "s:removed": "removed_by_owner"}


async def test_a_duplicate_points_to_its_representative_until_it_differs(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await events.add([new_row("s:b"), new_row("s:c")])
    await make.archived_event(configuration, source_key="s:a")
    merges = {"s:b": ("s:a", "revision b"), "s:a": ("s:b", "revision a")}
    await events.merge(merges, START)
    merged = await row_of(events, "s:b")
    assert (merged.state, merged.merged_into, merged.revision) == ("merged", "s:a", "revision b")
    # What has a copy of its own is never merged away.
    assert (await row_of(events, "s:a")).state is ArchivedEventState.PRESENT
    await events.separate(["s:a", "s:b", "s:c"], START)
    separate = await row_of(events, "s:b")
    assert (separate.state, separate.merged_into, separate.revision) == ("creating", None, "")
    assert (await row_of(events, "s:a")).state is ArchivedEventState.PRESENT


async def test_the_heir_of_a_vanished_representative_takes_over_the_same_copy(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    applied = Modification("s:shortened", ModificationKind.SHORTENED, START, START + HOUR)
    await make.archived_event(
        configuration,
        source_key="s:former",
        generation=2,
        modifications=[applied.to_json()],
        conflict_revision="refused",
    )
    for key in ("s:heir", "s:third"):
        duplicate = {"state": "merged", "merged_into": "s:former", **WITHOUT_COPY}
        await make.archived_event(configuration, source_key=key, **duplicate)
    former, heir = await row_of(events, "s:former"), await row_of(events, "s:heir")
    await events.take_over(former, heir, START)
    rows = await events.by_keys(["s:former", "s:heir", "s:third"])
    received = rows["s:heir"]
    assert (received.state, received.merged_into) == (ArchivedEventState.PRESENT, None)
    assert (received.copy_id, received.copy_etag) == (former.copy_id, former.copy_etag)
    assert (received.archive_key, received.generation) == (former.archive_key, 2)
    assert received.revision == former.revision
    assert (received.modifications, received.conflict_revision) == ((applied,), "refused")
    released = rows["s:former"]
    assert (released.state, released.copy_id, released.revision) == ("source_deleted", None, "")
    assert (released.modifications, released.conflict_revision) == ((), None)
    assert released.archive_key != former.archive_key
    assert rows["s:third"].merged_into == "s:heir"


async def test_every_copy_keeps_an_archive_key_of_its_own_through_two_successions(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await make.archived_event(configuration, source_key="s:1")
    for key in ("s:2", "s:3"):
        await make.archived_event(
            configuration, source_key=key, state="merged", merged_into="s:1", **WITHOUT_COPY
        )
    first = await row_of(events, "s:1")
    await events.take_over(first, await row_of(events, "s:2"), START)
    await events.take_over(await row_of(events, "s:2"), await row_of(events, "s:3"), START)
    rows = await events.by_keys(["s:1", "s:2", "s:3"])
    assert [key for key, row in rows.items() if row.copy_id is not None] == ["s:3"]
    assert rows["s:3"].archive_key == first.archive_key
    assert [key for key, row in rows.items() if row.archive_key == first.archive_key] == ["s:3"]


async def test_states_are_set_by_id(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    one = await make.archived_event(configuration, source_key="s:1")
    await make.archived_event(configuration, source_key="s:2")
    await events.set_state([one.id], ArchivedEventState.SOURCE_DELETED, START)
    await events.set_state([], ArchivedEventState.SOURCE_DELETED, START)
    rows = await events.by_keys(["s:1", "s:2"])
    assert rows["s:1"].state is ArchivedEventState.SOURCE_DELETED
    assert rows["s:2"].state is ArchivedEventState.PRESENT
