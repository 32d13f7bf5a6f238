"""SourceIdentityRepository."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.domain.runs.archived_event import ArchivedEventState
from tests.integration.database.map_rows import HOUR, WITHOUT_COPY, as_source, new_row, row_of, write_copy
from tests.support.factories import START, Factory


async def test_the_copy_of_a_vanished_source_goes_to_its_successor(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    made = await make.archived_event(configuration, source_key="s:old", state="source_deleted")
    await make.archived_event(configuration, source_key="s:twin", state="merged", merged_into="s:old")
    row = await row_of(events, "s:old")
    await events.repoint(row, as_source(row, "s:new", original_start=START + HOUR), START, write=True)
    assert await events.by_keys(["s:old"]) == {}
    moved = await row_of(events, "s:new")
    assert (moved.id, moved.source_id, moved.original_start) == (made.id, "id of s:new", START + HOUR)
    assert (moved.pending_since, moved.series_id) == (START, "series")
    assert (moved.state, moved.copy_id, moved.archive_key) == ("present", row.copy_id, row.archive_key)
    assert (await row_of(events, "s:twin")).merged_into == "s:new"


async def test_a_successor_of_what_never_had_a_copy_is_created(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await make.archived_event(configuration, source_key="s:old", state="source_deleted", **WITHOUT_COPY)
    row = await row_of(events, "s:old")
    await events.repoint(row, as_source(row, "s:new"), START, write=True)
    assert (await row_of(events, "s:new")).state is ArchivedEventState.CREATING


async def test_what_was_tried_for_an_event_goes_to_the_row_that_takes_it(
    events: SourceIdentityRepository,
    make: Factory,
    configuration: ArchiveConfiguration,
    session: AsyncSession,
) -> None:
    heir = await make.archived_event(configuration, source_key="s:archived")
    run = await make.run(configuration)
    rows = {}
    for key, state in (("s:locked", "locked"), ("s:open", "sent"), ("s:recorded", "done")):
        rows[key] = await make.archived_event(configuration, source_key=key, state="creating", **WITHOUT_COPY)
        await make.operation(run, rows[key], state=state)
    await make.appointment(rows["s:recorded"])
    await events.absorb(dict.fromkeys((*rows, "s:archived"), heir.id))
    kept = await events.by_keys([*rows, "s:archived"])
    assert set(kept) == {"s:open", "s:recorded", "s:archived"}
    found = await session.execute(
        text("SELECT archived_event_id FROM archive_operations WHERE source_key = 's:locked'")
    )
    assert found.scalar_one() == heir.id


async def test_a_source_that_is_back_while_another_has_its_key_gets_one_of_its_own(
    events: SourceIdentityRepository, session: AsyncSession
) -> None:
    for heir in ("s:first heir", "s:second heir"):
        await events.add([new_row("s:a")])
        row = await row_of(events, "s:a")
        await events.set_state([row.id], ArchivedEventState.PRESENT, START)
        await write_copy(session, row)
        await events.repoint(await row_of(events, "s:a"), as_source(row, heir), START, write=False)
    back = await events.add([new_row("s:a"), new_row("s:b")])
    rows = await events.by_keys(["s:a", "s:b", "s:first heir", "s:second heir"])
    assert back == {"s:a": rows["s:a"]}
    assert {key: row.generation for key, row in rows.items()} == {
        "s:first heir": 0,
        "s:second heir": 1,
        "s:a": 2,
        "s:b": 0,
    }
    assert len({row.archive_key for row in rows.values()}) == 4


async def test_rows_are_found_by_their_sources_and_of_two_the_living_one_counts(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    for key, state in (("o:m:1", "source_deleted"), ("o:m:2", "present")):
        await make.archived_event(configuration, source_key=key, source_id="one", state=state)
    found = await events.by_sources(["one", "unheard of"])
    assert {source: row.source_key for source, row in found.items()} == {"one": "o:m:2"}


async def test_a_rewritten_key_is_rewritten_where_rows_point_to_it_and_never_taken_from_another(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await make.archived_event(configuration, source_key="o:m:former")
    await make.archived_event(configuration, source_key="o:m:taken")
    await make.archived_event(
        configuration, source_key="s:x", state="consumed", merged_into="o:m:former", **WITHOUT_COPY
    )
    row = await row_of(events, "o:m:former")
    assert await events.identify([(row, as_source(row, "o:m:taken"))], START) == set()
    assert await events.identify([(row, as_source(row, "o:m:2026-03-02"))], START) == {row.id}
    rewritten = await row_of(events, "o:m:2026-03-02")
    assert (rewritten.archive_key, rewritten.series_id) == (row.archive_key, "series")
    assert (await row_of(events, "s:x")).merged_into == "o:m:2026-03-02"


async def test_a_series_is_known_since_the_first_plan_that_entered_one_of_its_occurrences(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    planned = await make.run(configuration, planned_at=START, plan={"source": 1})
    unfinished = await make.run(configuration)
    for series, run in (("known", planned.id), ("begun", unfinished.id), ("old", None)):
        await make.archived_event(configuration, source_key=f"o:{series}:1", series_id=series, entered_by=run)
    known = await events.series_known({"known", "begun", "old", "unheard of"})
    assert known.keys() == {"known", "old"}
    assert known["old"] < known["known"] == START


async def test_a_run_forgets_what_it_alone_entered_and_nobody_wrote(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    run, other = await make.run(configuration), await make.run(configuration)
    for key, entered_by, fields in (
        ("s:own", run.id, WITHOUT_COPY),
        ("s:with copy", run.id, {}),
        ("s:of another run", other.id, WITHOUT_COPY),
        ("s:re-pointed", run.id, {**WITHOUT_COPY, "former_keys": ["s:before"]}),
    ):
        await make.archived_event(
            configuration, source_key=key, entered_by=entered_by, state="flagged", **fields
        )
    keys = ["s:own", "s:with copy", "s:of another run", "s:re-pointed"]
    own = (await events.by_keys(keys))["s:own"]
    assert await events.forget_entered(run.id, keys) == {own.id}
    assert set(await events.by_keys(keys)) == set(keys[1:])
