"""SourceIdentityRepository."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archived_events import MapRow
from shared.database.repositories.source_identity import SourceIdentityRepository
from shared.domain.archived_event import ArchivedEventState
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WITHOUT_COPY = {"copy_id": None, "copy_etag": None, "revision": ""}


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


@pytest.fixture
def events(session: AsyncSession, configuration: ArchiveConfiguration) -> SourceIdentityRepository:
    return SourceIdentityRepository(session, configuration.owner_id, configuration.id)


@pytest.fixture
def stranger(session: AsyncSession, configuration: ArchiveConfiguration) -> SourceIdentityRepository:
    """The same configuration, asked for by somebody who does not own it."""
    return SourceIdentityRepository(session, uuid.uuid4(), configuration.id)


def _new(key: str, **columns: Any) -> dict[str, Any]:
    defaults = {
        "source_key": key,
        "source_id": f"id of {key}",
        "ical_uid": f"uid of {key}",
        "original_start": START.isoformat(),
        "state": "creating",
        "start_at": START.isoformat(),
    }
    return defaults | columns


def _source(row: MapRow, key: str, **columns: Any) -> MapRow:
    """The row as that of another source."""
    return row._replace(source_key=key, source_id=f"id of {key}", series_id="series", **columns)


async def _write_copy(session: AsyncSession, row: MapRow) -> None:
    await session.execute(
        text("UPDATE archived_events SET copy_id = :copy WHERE id = :id"),
        {"copy": f"copy of {row.id}", "id": row.id},
    )


async def _row(events: SourceIdentityRepository, key: str) -> MapRow:
    return (await events.by_keys([key]))[key]


async def test_the_copy_of_a_vanished_source_goes_to_its_successor(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    made = await make.archived_event(configuration, source_key="s:old", state="source_deleted")
    await make.archived_event(configuration, source_key="s:twin", state="merged", merged_into="s:old")
    row = await _row(events, "s:old")
    await events.repoint(row, _source(row, "s:new", original_start=START + HOUR), START, write=True)
    assert await events.by_keys(["s:old"]) == {}
    moved = await _row(events, "s:new")
    assert (moved.id, moved.source_id, moved.original_start) == (made.id, "id of s:new", START + HOUR)
    assert (moved.pending_since, moved.series_id) == (START, "series")
    assert (moved.state, moved.copy_id, moved.archive_key) == ("present", row.copy_id, row.archive_key)
    assert (await _row(events, "s:twin")).merged_into == "s:new"


async def test_a_successor_of_what_never_had_a_copy_is_created(
    events: SourceIdentityRepository, make: Factory, configuration: ArchiveConfiguration
) -> None:
    await make.archived_event(configuration, source_key="s:old", state="source_deleted", **WITHOUT_COPY)
    row = await _row(events, "s:old")
    await events.repoint(row, _source(row, "s:new"), START, write=True)
    assert (await _row(events, "s:new")).state is ArchivedEventState.CREATING


async def test_a_source_that_is_back_while_another_has_its_key_gets_one_of_its_own(
    events: SourceIdentityRepository, session: AsyncSession
) -> None:
    for heir in ("s:first heir", "s:second heir"):
        await events.add([_new("s:a")])
        row = await _row(events, "s:a")
        await events.set_state([row.id], ArchivedEventState.PRESENT, START)
        await _write_copy(session, row)
        await events.repoint(await _row(events, "s:a"), _source(row, heir), START, write=False)
    back = await events.add([_new("s:a"), _new("s:b")])
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
    row = await _row(events, "o:m:former")
    assert await events.identify([(row, _source(row, "o:m:taken"))], START) == set()
    assert await events.identify([(row, _source(row, "o:m:2026-03-02"))], START) == {row.id}
    rewritten = await _row(events, "o:m:2026-03-02")
    assert (rewritten.archive_key, rewritten.series_id) == (row.archive_key, "series")
    assert (await _row(events, "s:x")).merged_into == "o:m:2026-03-02"


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
