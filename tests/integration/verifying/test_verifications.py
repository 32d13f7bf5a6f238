"""Source, record and archive calendar compared (domain.md 2.15)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalEvent
from shared.database.models.verifications import VerificationItem
from shared.errors import Conflict, ValidationFailed
from shared.services.archiving.matching import SourceMatcher
from shared.services.verifying import comparing
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import WEEK_END, Verifier, meetings


async def test_an_archive_that_is_as_it_should_be_has_no_findings(world: World, verifier: Verifier) -> None:
    await world.open([*meetings(3), event("Holiday", DAY, 1440, isAllDay=True)])
    await world.archive()
    verified = await verifier.verify()
    assert (verified.state, verified.progress) == ("completed", 100)
    assert verified.counts == dict.fromkeys(["missing", "doubled", "edited", "unknown", "source_changed"], 0)
    assert (verified.source_events, verified.records, verified.copies) == (4, 4, 4)
    assert (verified.window_start, verified.window_end) == (DAY, WEEK_END)
    async with world.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(VerificationItem)) == 0


async def test_each_kind_of_difference_is_found(world: World, verifier: Verifier) -> None:
    await world.open(meetings(6))
    await world.archive()
    await world.delete((await world.copy("Meeting 0"))["id"])
    await world.edit((await world.copy("Meeting 1"))["id"], subject="Meeting 1, as it was")
    await world.add_to_archive(await world.copy("Meeting 2"))
    await world.add_to_archive({**event("Not ours", DAY), "singleValueExtendedProperties": []})
    await world.edit((await world.source("Meeting 3"))["id"], subject="Meeting 3, renamed")
    await world.delete((await world.source("Meeting 4"))["id"])
    await world.add(event("Late", DAY + timedelta(days=1)))
    verified = await verifier.verify()
    assert await verifier.found(verified) == [
        ("doubled", "several_copies"),
        ("edited", "content_differs"),
        ("missing", "copy_gone"),
        ("missing", "not_archived"),
        ("source_changed", "revision_differs"),
        ("source_changed", "source_gone"),
        ("unknown", "foreign"),
    ]
    assert verified.counts == {"missing": 2, "doubled": 1, "edited": 1, "unknown": 1, "source_changed": 2}
    by_kind = {each.kind: each for each in await verifier.findings(verified)}
    assert by_kind["edited"].detail["fields"] == ["subject"]
    assert len(by_kind["doubled"].detail["copies"]) == 2


async def test_what_was_found_is_told_once_and_nothing_found_to_who_asked(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(3))
    await world.archive()
    clean = await verifier.verify()
    await world.delete((await world.copy("Meeting 0"))["id"])
    await world.edit((await world.copy("Meeting 1"))["id"], subject="Meeting 1, as it was")
    found = await verifier.verify()
    async with verifier.app.archiving.verifications.acting_for(found.id):
        await verifier.app.archiving.verifications.finish(found.id, None)
    told = await world.rows(
        "SELECT * FROM notifications WHERE resource_type = 'verification' ORDER BY created_at"
    )
    assert [(row["class"], row["resource_id"], row["version"]) for row in told] == [
        ("run_finished", clean.id, 1),
        ("verify_difference", found.id, 1),
    ]
    assert told[1]["text"] == (
        "2 differences from 2 March 2026 to 8 March 2026: 1 missing, 1 edited by hand."
    )


async def test_a_verification_that_could_not_continue_is_reported(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.archive()
    verification = await verifier.request()
    assert (await verifier.app.archiving.verifications.begin(verification.id)).mine
    async with verifier.app.archiving.verifications.acting_for(verification.id):
        await verifier.app.archiving.verifications.finish(verification.id, "it took too long")
    (row,) = await world.rows("SELECT * FROM notifications WHERE resource_type = 'verification'")
    assert (row["class"], row["state"]) == ("run_failed", "failure")


async def test_a_copy_dragged_to_another_day_is_an_edit_and_nothing_is_missing(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(2))
    await world.archive()
    far = DAY + timedelta(days=5)
    times = {
        name: {"dateTime": at.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
        for name, at in (("start", far), ("end", far + timedelta(hours=1)))
    }
    await world.edit((await world.copy("Meeting 0"))["id"], **times)
    assert await verifier.found(await verifier.verify(DAY, WEEK_END)) == [("edited", "content_differs")]


@pytest.mark.parametrize(
    "policies",
    [
        {},
        {"privacy_automation": True, "overlap_policy": "flag"},
        {"purpose": "timesheet", "overlap_policy": "auto"},
    ],
    ids=["plain", "flagged", "timesheet"],
)
async def test_what_the_rules_made_of_an_event_is_no_difference(
    world: World, verifier: Verifier, policies: dict[str, Any]
) -> None:
    billable: dict[str, Any] = {"categories": ["Acme - billable"]}
    noon = DAY + timedelta(hours=12)
    await world.open(
        [
            event("Meeting", DAY + timedelta(hours=9), **billable),
            event("Extended", DAY + timedelta(hours=10), 30),
            event("Twice", noon, **billable),
            event("Twice", noon, **billable),
            event("Private errand", DAY + timedelta(hours=15)),
            event("One", DAY + timedelta(hours=18), **billable),
            event("Other", DAY + timedelta(hours=18), showAs="tentative", **billable),
            event("Cancelled", DAY + timedelta(hours=21), isCancelled=True, **billable),
        ],
        **policies,
    )
    await world.archive()
    assert await verifier.found(await verifier.verify()) == []
    extension = await world.source("Extended")
    await world.edit(extension["id"], subject="Something else")
    await world.edit((await world.copy("Meeting"))["id"], subject="Meeting, by hand")
    kinds = {kind for kind, _ in await verifier.found(await verifier.verify())}
    assert "edited" in kinds


async def test_nothing_outside_what_was_archived_is_missing(world: World, verifier: Verifier) -> None:
    await world.open([*meetings(2), event("Before", DAY - timedelta(days=10)), event("After", WEEK_END)])
    with pytest.raises(ValidationFailed):
        await verifier.request()
    await world.archive()
    month = timedelta(days=30)
    verified = await verifier.verify(DAY - month, DAY + month)
    assert await verifier.found(verified) == []
    assert verified.source_events == 2


async def test_pages_and_chunks_do_not_matter(
    world: World, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_CHUNK", 2)
    await world.open(meetings(9))
    await world.archive()
    for number in (0, 3, 8):
        await world.delete((await world.copy(f"Meeting {number}"))["id"])
    await world.add(*[event(f"Late {n}", DAY + timedelta(hours=n)) for n in range(5)])
    verified = await verifier.verify()
    assert verified.counts is not None
    assert (verified.counts["missing"], verified.records) == (8, 9)


async def test_a_second_attempt_supersedes_the_first_and_doubles_nothing(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(3))
    await world.archive()
    await world.delete((await world.copy("Meeting 0"))["id"])
    verification = await verifier.request()
    assert (await verifier.app.archiving.verifications.begin(verification.id)).mine
    await verifier.compare(verification.id)
    # As after a crash: the same range is compared once more.
    async with world.database.session() as session:
        await session.execute(text("UPDATE verifications SET compared_until = window_start"))
    again = await verifier.drive(verification.id)
    assert await verifier.found(again) == [("missing", "copy_gone")]


async def test_one_at_a_time(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.archive()
    first = await verifier.request()
    assert (await verifier.request()).id == first.id
    with pytest.raises(Conflict) as refused:
        await verifier.request(DAY, DAY + timedelta(days=1))
    assert refused.value.code == "verification_in_progress"
    await verifier.drive(first.id)
    assert (await verifier.request()).id != first.id


async def test_an_edit_is_recorded_as_the_owners_once(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    await world.edit((await world.copy("Meeting 1"))["id"], subject="Mine")
    for _ in range(2):
        assert await verifier.found(await verifier.verify()) == [("edited", "content_differs")]
    async with world.database.session() as session:
        entries = await session.execute(
            text("SELECT count(*) FROM audit_entries WHERE action = 'archived_event.edited_by_owner'")
        )
        assert entries.scalar_one() == 1


async def test_an_archive_of_our_own_is_verified_like_one_at_graph(world: World, verifier: Verifier) -> None:
    await world.open(meetings(3))
    with telemetry.bind(caller=world.admin, correlation="local"):
        stores = verifier.app.foundations.calendar_stores.in_tenant(world.tenant_id)
        calendar = await stores.create_calendar(str(world.person_id), "Own archive", "local")
        async with world.database.session() as session:
            await session.execute(update(ArchiveConfiguration).values(archive_calendar_id=calendar.id))
    await verifier.run((await world.request()).id)
    assert await verifier.found(await verifier.verify()) == []
    async with world.database.session() as session:
        rows = (await session.execute(select(LocalEvent).order_by(LocalEvent.start_at))).scalars().all()
        await session.delete(rows[0])
        rows[1].subject = "Mine"
    verified = await verifier.verify()
    assert await verifier.found(verified) == [("edited", "content_differs"), ("missing", "copy_gone")]
    missing = next(each for each in await verifier.findings(verified) if each.kind == "missing")
    assert (await verifier.put_back(verified, missing)).state == "completed"
    assert await verifier.found(await verifier.verify()) == [("edited", "content_differs")]


async def test_what_was_found_missing_may_turn_out_to_be_a_meeting_that_has_a_copy(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(1))
    await world.archive()
    await world.delete((await world.source("Meeting 0"))["id"])
    await world.add(*meetings(1))
    run_id = await world.break_off_plan(SourceMatcher, "match")
    async with world.archiving.acting_for(run_id):
        await world.archiving.finish(run_id, "it crashed")
    verified = await verifier.verify()
    assert ("missing", "not_written") in await verifier.found(verified)
    report = await world.archive()
    assert (report["repointed"], report["archived"], len(await world.copies())) == (1, 0, 1)
    assert ("missing", "not_written") in await verifier.found(verified)
    assert await verifier.found(await verifier.verify()) == []


async def test_a_duplicate_that_went_to_another_calendar_stays_merged_whatever_it_says(
    world: World, verifier: Verifier
) -> None:
    await world.open([*meetings(1), *meetings(1)])
    await world.archive()
    (merged,) = await world.rows("SELECT source_id FROM archived_events WHERE state = 'merged'")
    await world.edit(merged["source_id"], subject="Renamed")
    await world.move(merged["source_id"], "Archive")
    report = await world.archive()
    assert (report["archived"], report["unchanged"]) == (0, 1)
    assert ("source_changed", "revision_differs") not in await verifier.found(await verifier.verify())


async def test_a_duplicate_that_leaves_the_window_is_archived_where_it_goes(
    world: World, verifier: Verifier
) -> None:
    await world.open([*meetings(1), *meetings(1)])
    await world.archive()
    (merged,) = await world.rows("SELECT source_id FROM archived_events WHERE state = 'merged'")
    before = event("x", DAY - timedelta(days=30))
    await world.edit(merged["source_id"], start=before["start"], end=before["end"])
    report = await world.archive()
    assert (report["archived"], report["unchanged"], len(await world.copies())) == (1, 1, 2)
    assert await verifier.found(await verifier.verify()) == []
