"""What changes in the source after it was archived (domain.md 2.2 to 2.4)."""

from datetime import timedelta
from typing import Any

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
WEEK = timedelta(days=7)


def daily(subject: str, count: int = 5, every: int = 1) -> dict[str, Any]:
    """A series of short meetings in the morning, with this many days from one to the next."""
    return event(
        subject,
        NINE,
        15,
        recurrence={
            "pattern": {"type": "daily", "interval": every},
            "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": count},
        },
    )


async def on(world: World, day: str) -> dict[str, Any]:
    """The source event of a day."""
    return next(e for e in await world.events("Calendar") if e["start"]["dateTime"].startswith(day))


async def test_an_occurrence_turned_exception_updates_its_own_copy(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    moved = event("x", NINE + 50 * HOUR, 30)
    await world.edit((await on(world, "2026-03-04"))["id"], start=moved["start"], end=moved["end"])
    report = await world.archive()
    assert (report["updated"], report["unchanged"], report["archived"]) == (1, 4, 0)
    assert set((await world.copies_by_key()).values()) == {1}
    starts = sorted(copy["start"]["dateTime"][:13] for copy in await world.copies())
    assert starts[2] == "2026-03-04T11"


async def test_a_changed_series_updates_every_occurrence(world: World) -> None:
    await world.open([daily("Standup")])
    await world.archive()
    master = (await on(world, "2026-03-04"))["seriesMasterId"]
    await world.edit(master, subject="Daily")
    report = await world.archive()
    assert (report["updated"], report["archived"]) == (5, 0)
    assert set(await world.subjects()) == {"Daily"}


async def test_an_exception_moved_across_the_windows_edge_is_archived_once_in_its_new_window(
    world: World,
) -> None:
    await world.open([daily("Standup", 4, every=2)])
    first = await world.archive(DAY, DAY + timedelta(days=3))
    assert first["archived"] == 2
    moved = event("x", DAY + timedelta(days=3, hours=15), 15)
    await world.edit((await on(world, "2026-03-04"))["id"], start=moved["start"], end=moved["end"])
    assert (await world.archive(DAY, DAY + timedelta(days=3)))["updated"] == 1
    rest = await world.archive(DAY + timedelta(days=3), DAY + WEEK)
    assert (rest["archived"], rest["unchanged"]) == (2, 1)
    assert (len(await world.copies()), set((await world.copies_by_key()).values())) == (4, {1})
    assert (await world.archive(DAY, DAY + timedelta(days=3)))["source"] == 1


async def test_an_event_moved_into_a_window_that_runs_first_is_archived_once(world: World) -> None:
    await world.open([event("Wanders", NINE), event("Stays", NINE + HOUR)])
    await world.archive(DAY, DAY + timedelta(days=1))
    later = event("x", NINE + 48 * HOUR)
    await world.edit((await world.source("Wanders"))["id"], start=later["start"], end=later["end"])
    second = await world.archive(DAY + timedelta(days=1), DAY + timedelta(days=4))
    assert (second["updated"], second["archived"]) == (1, 0)
    first = await world.archive(DAY, DAY + timedelta(days=1))
    assert (first["source"], first["unchanged"], first["source_deleted"]) == (1, 1, 0)
    assert len(await world.copies()) == 2


async def test_a_waiting_event_that_moved_to_a_later_window_is_decided_there(world: World) -> None:
    await world.open([event("Early", NINE), event("Late", NINE + HOUR / 2)], overlap_policy="flag")
    await world.archive(DAY, DAY + timedelta(days=1))
    later = event("x", NINE + 72 * HOUR)
    await world.edit((await world.source("Late"))["id"], start=later["start"], end=later["end"])
    report = await world.archive(DAY, DAY + timedelta(days=1))
    assert (report["archived"], report["flagged"]) == (1, 1)
    assert (await world.archive(DAY, DAY + timedelta(days=1)))["source"] == 1
    assert (await world.archive(DAY + timedelta(days=1), DAY + WEEK))["archived"] == 1
    assert await world.subjects() == ["Early", "Late"]


async def test_rezoned_recategorised_and_cancelled_events_are_updated(world: World) -> None:
    await world.open([event("Zone", NINE), event("Label", NINE + 2 * HOUR), event("Off", NINE + 4 * HOUR)])
    await world.archive()
    local = {"dateTime": "2026-03-02T10:00:00", "timeZone": "Europe/Berlin"}
    until = {"dateTime": "2026-03-02T11:00:00", "timeZone": "Europe/Berlin"}
    await world.edit((await world.source("Zone"))["id"], start=local, end=until)
    await world.edit((await world.source("Label"))["id"], categories=["Acme - billable"])
    await world.edit((await world.source("Off"))["id"], isCancelled=True)
    report = await world.archive()
    assert (report["updated"], report["archived"]) == (3, 0)
    assert (await world.copy("Zone"))["originalStartTimeZone"] == "Europe/Berlin"
    assert (await world.copy("Label"))["categories"] == ["Acme - billable"]
    (row,) = await world.rows("SELECT is_cancelled FROM appointments WHERE subject = 'Off'")
    assert row["is_cancelled"]


async def test_a_single_event_that_became_a_series_keeps_its_copy(world: World) -> None:
    await world.open([event("Standup", NINE, 15, iCalUId="uid-1")])
    await world.archive()
    copy = await world.copy("Standup")
    source = await world.source("Standup")
    await world.delete(source["id"])
    await world.add({**daily("Standup"), "iCalUId": "uid-1"})
    report = await world.archive()
    assert (report["archived"], report["repointed"], adds_up(report)) == (4, 1, True)
    assert copy["id"] in {each["id"] for each in await world.copies()}
    assert len(await world.copies()) == 5


async def test_every_event_of_a_busy_week_is_in_exactly_one_outcome(world: World) -> None:
    await world.open(
        [
            event("Twin", NINE, 30),
            event("Twin", NINE, 30),
            event("Meeting", NINE + 2 * HOUR),
            event("Extended", NINE + 3 * HOUR, 15),
            event("Extended", NINE + 9 * HOUR, 15),
            event("Free", NINE + 24 * HOUR, 60, showAs="free", categories=["Acme - billable"]),
            event("One", NINE + 26 * HOUR, 60, categories=["Acme - billable"]),
            event("Two", NINE + 26.5 * HOUR, 60, categories=["Acme - billable"]),
            event("Maybe", NINE + 48 * HOUR, 60, showAs="tentative", categories=["Acme - billable"]),
            event("Sure", NINE + 48.5 * HOUR, 60, categories=["Acme - billable"]),
            event("Trip", NINE + 72 * HOUR),
            event("Private", NINE + 73 * HOUR),
            daily("Standup", 7) | {"categories": ["Admin - non-billable"]},
        ],
        purpose="timesheet",
        overlap_policy="auto",
    )
    first = await world.archive()
    second = await world.archive()
    assert (adds_up(first), adds_up(second)) == (True, True)
    assert first["source"] == second["source"] == 19
    assert (second["archived"], second["updated"]) == (0, 0)
    assert second["unchanged"] == first["archived"]
    for name in ("merged", "consumed", "left_out", "flagged"):
        assert first[name] == second[name]


async def test_every_occurrence_of_a_series_is_archived_under_its_slot(world: World) -> None:
    series = event(
        "Standup",
        DAY + timedelta(hours=9),
        15,
        recurrence={
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 5},
        },
    )
    await world.open([series])
    assert (await world.archive())["archived"] == 5
    assert set((await world.copies_by_key()).values()) == {1}
    occurrence = next(
        e for e in await world.events("Calendar") if e["start"]["dateTime"].startswith("2026-03-04")
    )
    await world.edit(occurrence["id"], subject="Standup, short")
    report = await world.archive()
    assert (report["archived"], report["updated"], report["unchanged"]) == (0, 1, 4)


async def test_a_touched_but_unchanged_copy_is_updated(world: World) -> None:
    await world.open([event("Draft", DAY)])
    await world.archive()
    copy = await world.copy("Draft")
    await world.edit(copy["id"], subject="Draft ")
    await world.edit(copy["id"], subject="Draft")
    await world.edit((await world.source("Draft"))["id"], subject="Final")
    report = await world.archive()
    assert (report["conflict"], report["updated"]) == (0, 1)


async def test_a_day_that_its_series_brings_back_is_not_told_as_gone_although_its_copy_was_edited(
    world: World,
) -> None:
    await world.open([series := daily("Standup")])
    await world.archive()
    master = (await on(world, "2026-03-02"))["seriesMasterId"]
    await world.edit(master, recurrence=daily("Standup", 4)["recurrence"])
    assert (await world.archive())["source_deleted"] == 1
    last = max(await world.copies(), key=lambda copy: str(copy["start"]["dateTime"]))
    await world.edit(last["id"], subject="By hand")
    await world.edit(master, subject="Daily", recurrence=series["recurrence"])
    for _ in range(2):
        assert (await world.archive())["conflict"] == 1
        (found,) = await world.rows(
            "SELECT e.state, a.source_deleted_at FROM appointments a"
            " JOIN archived_events e ON e.id = a.archived_event_id WHERE a.subject = 'Standup'"
        )
        assert dict(found) == {"state": "present", "source_deleted_at": None}
    assert sorted(await world.subjects()) == ["By hand", *["Daily"] * 4]
