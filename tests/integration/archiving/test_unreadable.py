"""What cannot be read fails by itself; a run that could read nothing says so (domain.md 2.12)."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.models.users import User
from shared.domain.source_event import SourceEvent
from shared.graph import calendar_adapter
from shared.graph.event_codec import decode_events
from tests.integration.archiving.test_changes import NINE, daily, on
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.world import World, event

HOUR = timedelta(hours=1)


async def test_an_exception_without_its_original_start_fails_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open([daily("Standup"), event("Review", NINE + 2 * HOUR)])
    moved = event("x", NINE + 50 * HOUR, 30)
    await world.edit((await on(world, "2026-03-04"))["id"], start=moved["start"], end=moved["end"])
    decode = decode_events

    def without_original_start(items: Iterable[dict[str, Any]]) -> list[SourceEvent]:
        return decode([each | {"originalStart": None} for each in items])

    with monkeypatch.context() as patched:
        patched.setattr(calendar_adapter, "decode_events", without_original_start)
        report = await world.archive()
        run = (await world.view((await world.rows("SELECT id FROM archive_runs"))[0]["id"])).run
    assert (report["state"], report["archived"], report["failed"]) == ("completed_with_errors", 5, 1)
    assert adds_up(report)
    (named,) = (run.plan or {})["unreadable_events"]
    assert named["code"] == "no_original_start"
    # When the value is there, the one event is archived, and nothing twice.
    again = await world.archive()
    assert (again["archived"], again["unchanged"], again["failed"]) == (1, 5, 0)
    assert set((await world.copies_by_key()).values()) == {1}


async def test_all_day_occurrences_are_archived_once_whether_their_slot_is_told_or_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair = event("Fair", NINE.replace(hour=0), 24 * 60, isAllDay=True, recurrence=daily("x", 4)["recurrence"])
    await world.open([fair])
    decode = decode_events
    with monkeypatch.context() as patched:
        patched.setattr(
            calendar_adapter,
            "decode_events",
            lambda items: decode([each | {"originalStart": None} for each in items]),
        )
        assert (await world.archive())["archived"] == 4
    assert (await world.archive())["unchanged"] == 4
    assert len(await world.copies()) == 4


async def test_a_run_whose_source_refuses_it_is_failed_and_owner_and_starter_are_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.open([event("Review", NINE)])
    assert world.admin.object_id is not None
    async with world.database.session() as session:
        owner = (await session.execute(select(User.id))).scalar_one()
        admin = User(
            tenant_id=world.tenant_id,
            object_id=world.admin.object_id,
            address="admin@example.test",
            display_name="Admin",
        )
        session.add(admin)
        await session.flush()
        starter = admin.id
    world.simulator.faults.add(
        {
            "match": {"method": "GET", "path_regex": "calendarView"},
            "kind": "status",
            "status": 403,
            "code": "ErrorAccessDenied",
        }
    )
    with caplog.at_level(logging.WARNING, logger="shared.services.archiving.finishing"):
        report = await world.archive()
    assert (report["state"], report["source"]) == ("failed", 0)
    assert report["reason"].startswith("ErrorAccessDenied")
    (run,) = await world.rows("SELECT id, plan FROM archive_runs")
    assert run["plan"]["code"] == "calendar_refused"
    (logged,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert str(run["id"]) in logged.getMessage()
    assert "ErrorAccessDenied" in logged.getMessage()
    told = await world.rows("SELECT owner_id, class, resource_id FROM notifications")
    assert {(row["owner_id"], row["class"], row["resource_id"]) for row in told} == {
        (owner, "run_failed", run["id"]),
        (starter, "run_failed", run["id"]),
    }
