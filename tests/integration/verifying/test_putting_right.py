"""What a verification found, put right on its owner's word alone (domain.md 2.15)."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range

from shared import telemetry
from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.locked_periods import LockedPeriodRow
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY
from shared.errors import Conflict
from tests.integration.archiving.simulated_mailbox import event, property_of
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import WEEK_END, Verifier, meetings


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
        verified, finding = await verifier.missing()
        wanted = world.admin, verified.id, finding.id
        with telemetry.bind(caller=world.admin, correlation="twice"):
            first = await verifier.app.archiving.copy_restoring.put_back(*wanted)
            second = await verifier.app.archiving.copy_restoring.put_back(*wanted)
        assert (first.run.id, second.created) == (second.run.id, False)
        await verifier.run(first.run.id)
        with telemetry.bind(caller=world.admin, correlation="twice"), pytest.raises(Conflict):
            await verifier.app.archiving.copy_restoring.put_back(*wanted)
        assert set((await world.copies_by_key()).values()) == {1}

    async def test_one_that_was_cancelled_before_it_began_may_be_asked_for_again(
        self, world: World, verifier: Verifier
    ) -> None:
        verified, finding = await verifier.missing()
        wanted = world.admin, verified.id, finding.id
        with telemetry.bind(caller=world.admin, correlation="cancel"):
            first = await verifier.app.archiving.copy_restoring.put_back(*wanted)
            await verifier.app.archiving.runs.cancel(world.admin, first.run.id)
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
                started = await verifier.app.archiving.copy_restoring.put_back(
                    world.admin, verified.id, finding.id
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
        verified, finding = await verifier.one_finding()
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
        verified, finding = await verifier.one_finding()
        run = await verifier.put_back(verified, finding)
        assert run.mode == "normal"
        assert await world.copy("Late")
        (after,) = await verifier.findings(verified)
        assert after.state == "put_back"

    async def test_only_what_is_missing_is_put_back(self, world: World, verifier: Verifier) -> None:
        verified, finding = await verifier.edited()
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
        verified, finding = await verifier.one_finding()
        adopted = await verifier.adopt(verified, finding)
        assert adopted.state == "adopted"
        async with world.database.session() as session:
            record = (
                await session.execute(
                    select(Appointment).where(Appointment.archived_event_id == finding.archived_event_id)
                )
            ).scalar_one()
            assert (record.subject, record.categories) == ("As it was", ["Acme"])
            assert record.source_subject == "Meeting 1"
            entry = await session.execute(
                text("SELECT actor FROM audit_entries WHERE action = 'appointment.edited_by_owner'")
            )
            assert entry.scalar_one() == world.admin.actor
        assert await verifier.found(await verifier.verify()) == []
        report = await world.archive()
        assert (report["unchanged"], report["updated"], report["conflict"]) == (2, 0, 0)

    async def test_it_stays_when_the_meeting_is_entered_again(self, world: World, verifier: Verifier) -> None:
        await world.open([event("Review", DAY)])
        await world.archive()
        await world.edit((await world.copy("Review"))["id"], subject="As it was")
        await verifier.adopt(*await verifier.one_finding())
        await world.delete((await world.source("Review"))["id"])
        await world.add(event("Review", DAY))
        report = await world.archive()
        assert (report["repointed"], report["archived"], report["updated"]) == (1, 0, 0)
        assert await world.subjects() == ["As it was"]

    async def test_a_later_change_of_the_source_counts(self, world: World, verifier: Verifier) -> None:
        verified, finding = await verifier.edited()
        await verifier.adopt(verified, finding)
        await world.edit((await world.source("Meeting 0"))["id"], subject="Moved on")
        report = await world.archive()
        assert (report["updated"], report["conflict"]) == (1, 0)
        assert await world.copy("Moved on")

    async def test_a_locked_period_stays_as_it_is(self, world: World, verifier: Verifier) -> None:
        verified, finding = await verifier.edited()
        async with world.database.session() as session:
            session.add(
                LockedPeriodRow(
                    tenant_id=world.tenant_id,
                    owner_id=finding.owner_id,
                    period=Range(DAY.date(), WEEK_END.date()),
                    locked_by="system:test",
                )
            )
        with pytest.raises(Conflict) as refused:
            await verifier.adopt(verified, finding)
        assert refused.value.code == "period_locked"
