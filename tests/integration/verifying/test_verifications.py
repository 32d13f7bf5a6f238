"""Source, record and archive calendar compared (domain.md 2.15)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import Range

from shared import telemetry
from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalEvent
from shared.database.models.period_locks import PeriodLock
from shared.database.models.verifications import VerificationItem
from shared.domain.archive_copy import ARCHIVE_KEY_PROPERTY
from shared.errors import Conflict, ValidationFailed
from shared.services.verifying import comparing
from tests.integration.archiving.world import DAY, World, event, property_of
from tests.integration.verifying.verifier import Verifier

WEEK_END = DAY + timedelta(days=7)


def meetings(count: int) -> list[dict[str, Any]]:
    return [event(f"Meeting {n}", DAY + timedelta(hours=10 * n)) for n in range(count)]


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
    async with verifier.app.verifications.acting_for(found.id):
        await verifier.app.verifications.finish(found.id, None)
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


async def test_a_verification_that_could_not_go_on_is_told(world: World, verifier: Verifier) -> None:
    await world.open(meetings(1))
    await world.archive()
    verification = await verifier.request()
    assert await verifier.app.verifications.begin(verification.id)
    async with verifier.app.verifications.acting_for(verification.id):
        await verifier.app.verifications.finish(verification.id, "it took too long")
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


async def test_nothing_beyond_what_was_archived_is_missing(world: World, verifier: Verifier) -> None:
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
    assert await verifier.app.verifications.begin(verification.id)
    await verifier.compare(verification.id)
    # As after a crash: the same stretch is compared once more.
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


class TestPutBack:
    """Nothing is put back but on the owner's word, and then exactly once."""

    async def test_a_deleted_copy_comes_back_with_its_key_and_the_next_generation(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(2))
        await world.archive()
        copy = await world.copy("Meeting 0")
        await world.delete(copy["id"])
        verified = await verifier.verify()
        assert len(await world.copies()) == 1
        (finding,) = await verifier.findings(verified)
        run = await verifier.put_back(verified, finding)
        assert (run.state, run.mode, run.kind) == ("completed", "put_back", "manual")
        back = await world.copy("Meeting 0")
        assert back["id"] != copy["id"]
        key = property_of(copy, ARCHIVE_KEY_PROPERTY)
        assert property_of(back, ARCHIVE_KEY_PROPERTY) == key
        async with world.database.session() as session:
            row = (
                await session.execute(select(ArchivedEvent).where(ArchivedEvent.archive_key == key))
            ).scalar_one()
            assert (row.state, row.generation, row.copy_id) == ("present", 1, back["id"])
        (after,) = await verifier.findings(verified)
        assert (after.state, after.run_id) == ("put_back", run.id)
        assert await verifier.found(await verifier.verify()) == []
        report = await world.archive()
        assert (report["unchanged"], report["archived"], report["updated"]) == (2, 0, 0)

    async def test_asking_twice_makes_one_copy(self, world: World, verifier: Verifier) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.delete((await world.copy("Meeting 0"))["id"])
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        wanted = world.admin, world.configuration_id, verified.id, finding.id
        with telemetry.bind(caller=world.admin, correlation="twice"):
            first = await verifier.app.copy_restoring.put_back(*wanted)
            second = await verifier.app.copy_restoring.put_back(*wanted)
        assert (first.run.id, second.created) == (second.run.id, False)
        await verifier.run(first.run.id)
        with telemetry.bind(caller=world.admin, correlation="twice"), pytest.raises(Conflict):
            await verifier.app.copy_restoring.put_back(*wanted)
        assert set((await world.copies_by_key()).values()) == {1}

    async def test_one_that_was_cancelled_before_it_began_may_be_asked_for_again(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.delete((await world.copy("Meeting 0"))["id"])
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        wanted = world.admin, world.configuration_id, verified.id, finding.id
        with telemetry.bind(caller=world.admin, correlation="cancel"):
            first = await verifier.app.copy_restoring.put_back(*wanted)
            await verifier.app.archive_runs.cancel(world.admin, first.run.id)
        run = await verifier.put_back(verified, finding)
        assert (run.id != first.run.id, run.state) == (True, "completed")
        assert len(await world.copies()) == 1

    async def test_two_copies_of_one_day_are_put_back_by_one_run(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(2))
        await world.archive()
        for number in range(2):
            await world.delete((await world.copy(f"Meeting {number}"))["id"])
        verified = await verifier.verify()
        runs = set()
        with telemetry.bind(caller=world.admin, correlation="both"):
            for finding in await verifier.findings(verified):
                started = await verifier.app.copy_restoring.put_back(
                    world.admin, world.configuration_id, verified.id, finding.id
                )
                runs.add(started.run.id)
        (run_id,) = runs
        await verifier.run(run_id)
        assert len(await world.copies()) == 2

    async def test_one_whose_source_is_gone_comes_back_from_our_record(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(2))
        await world.archive()
        await world.delete((await world.source("Meeting 0"))["id"])
        await world.archive()
        await world.delete((await world.copy("Meeting 0"))["id"])
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        await verifier.put_back(verified, finding)
        assert "<p>Meeting 0</p>" in (await world.copy("Meeting 0"))["body"]["content"]
        async with world.database.session() as session:
            row = await session.get_one(ArchivedEvent, finding.archived_event_id)
            assert row.state == "source_deleted"

    async def test_what_stands_there_after_all_is_not_made_a_second_time(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(1))
        await world.archive()
        copy = await world.copy("Meeting 0")
        await world.delete(copy["id"])
        verified = await verifier.verify()
        await world.add_to_archive(copy)
        (finding,) = await verifier.findings(verified)
        run = await verifier.put_back(verified, finding)
        assert run.report is not None
        assert (run.state, run.report["archived"], run.report["unchanged"]) == ("completed", 0, 1)
        assert len(await world.copies()) == 1

    async def test_what_was_never_archived_is_archived(self, world: World, verifier: Verifier) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.add(event("Late", DAY + timedelta(days=2)))
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        run = await verifier.put_back(verified, finding)
        assert run.mode == "normal"
        assert await world.copy("Late")
        (after,) = await verifier.findings(verified)
        assert after.state == "put_back"

    async def test_only_what_is_missing_is_put_back(self, world: World, verifier: Verifier) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.edit((await world.copy("Meeting 0"))["id"], subject="Mine")
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        with pytest.raises(Conflict) as refused:
            await verifier.put_back(verified, finding)
        assert refused.value.code == "not_missing"


class TestAdopt:
    """A hand edit becomes the record on its owner's word."""

    async def test_the_record_says_what_the_owner_made_of_the_copy(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(2))
        await world.archive()
        await world.edit((await world.copy("Meeting 1"))["id"], subject="As it was", categories=["Acme"])
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        adopted = await verifier.adopt(verified, finding)
        assert adopted.state == "adopted"
        async with world.database.session() as session:
            record = (
                await session.execute(
                    select(Appointment).where(Appointment.archived_event_id == finding.archived_event_id)
                )
            ).scalar_one()
            assert (record.subject, record.categories) == ("As it was", ["Acme"])
            entry = await session.execute(
                text("SELECT actor FROM audit_entries WHERE action = 'appointment.edited_by_owner'")
            )
            assert entry.scalar_one() == world.admin.actor
        assert await verifier.found(await verifier.verify()) == []
        report = await world.archive()
        assert (report["unchanged"], report["updated"], report["conflict"]) == (2, 0, 0)

    async def test_a_later_change_of_the_source_counts(self, world: World, verifier: Verifier) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.edit((await world.copy("Meeting 0"))["id"], subject="Mine")
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        await verifier.adopt(verified, finding)
        await world.edit((await world.source("Meeting 0"))["id"], subject="Moved on")
        report = await world.archive()
        assert (report["updated"], report["conflict"]) == (1, 0)
        assert await world.copy("Moved on")

    async def test_a_locked_period_stays_as_it_is(self, world: World, verifier: Verifier) -> None:
        await world.open(meetings(1))
        await world.archive()
        await world.edit((await world.copy("Meeting 0"))["id"], subject="Mine")
        verified = await verifier.verify()
        (finding,) = await verifier.findings(verified)
        async with world.database.session() as session:
            session.add(
                PeriodLock(
                    tenant_id=world.tenant_id,
                    owner_id=finding.owner_id,
                    period=Range(DAY.date(), WEEK_END.date()),
                    locked_by="system:test",
                )
            )
        with pytest.raises(Conflict) as refused:
            await verifier.adopt(verified, finding)
        assert refused.value.code == "period_locked"


async def test_an_archive_of_our_own_is_verified_like_one_at_graph(world: World, verifier: Verifier) -> None:
    await world.open(meetings(3))
    with telemetry.bind(caller=world.admin, correlation="local"):
        stores = verifier.app.calendar_stores
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
