"""A person is erased by two Admins, completely and resumably, and cannot be read afterwards (15.3)."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from durabletask.client import OrchestrationStatus
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.locked_periods import LockedPeriodRow
from shared.database.models.people import UserErasure
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.database.repositories.people.person_data import holdings
from shared.domain.people.departure import ErasureStep
from shared.domain.runs.archive_run import RunState
from shared.errors import Unavailable
from shared.schemas.audit import AuditVerificationQuery
from shared.services.people import erasing
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import create
from tests.integration.archiving.world import SteppableClock
from tests.integration.people import everything
from tests.support.factories import Factory

SECOND = "bbbbbbbb-0000-4000-8000-000000000001"


def second(api: Caller) -> str:
    """The token of another Admin."""
    return api.token("Admin", oid=SECOND)


async def asked(api: Caller, people: People, **wish: Any) -> Any:
    answer = await api("POST", f"v1/users/{people.ada.id}/erasures", wish, token=people.admin)
    assert answer.status == 201, answer.json
    return answer.json


async def confirmed(api: Caller, people: People, **wish: Any) -> Any:
    erasure = await asked(api, people, **wish)
    answer = await api("POST", f"v1/user-erasures/{erasure['id']}/confirm", token=second(api))
    assert answer.status == 202, answer.json
    return answer.json


async def erased(api: Caller, people: People, **wish: Any) -> Any:
    erasure = await confirmed(api, people, **wish)
    await api.durable.erase()
    return (await api("GET", f"v1/user-erasures/{erasure['id']}", token=people.admin)).json


async def ada(database: Database, people: People) -> User:
    async with database.session() as session:
        return await session.get_one(User, people.ada.id)


def files_below(folder: Path) -> str:
    """Names and contents of every file."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path} {path.read_bytes().decode('latin-1')}" for path in found)


class TestBefore:
    async def test_the_preview_counts_and_nothing_is_deleted(
        self, api: Caller, people: People, database: Database
    ) -> None:
        await everything.fill(database, await ada(database, people))
        erasure = await asked(api, people)
        assert erasure["status"] == "requested"
        assert erasure["preview"]["rows"]["appointments"] == 1
        assert erasure["preview"]["rows"]["users"] == 1
        assert erasure["preview"]["copies"] == 1
        assert "audit_entries" in erasure["preview"]["kept"]
        assert (await api("GET", "v1/users", token=people.ada.token)).status == 200

    async def test_a_second_admin_confirms_or_the_same_after_seven_days(
        self, api: Caller, people: People, clock: SteppableClock
    ) -> None:
        erasure = await asked(api, people)
        path = f"v1/user-erasures/{erasure['id']}/confirm"
        refused = problem(await api("POST", path, token=people.admin), 409, "second_admin_needed")
        assert erasure["confirmable_alone_at"][:16] in refused["detail"]
        clock.advance(days=6, hours=23)
        problem(await api("POST", path, token=people.admin), 409, "second_admin_needed")
        clock.advance(hours=2)
        assert (await api("POST", path, token=people.admin)).json["status"] == "erasing"
        problem(await api("GET", "v1/users", token=people.ada.token), 403, "user_deactivated")

    async def test_a_hold_and_finalised_periods_block_it_and_are_named(
        self, api: Caller, people: People, database: Database
    ) -> None:
        erasure = await asked(api, people)
        hold = f"v1/users/{people.ada.id}/legal-hold"
        problem(await api("GET", hold, token=people.admin), 404)
        answer = await api("PUT", hold, {"reason": "Smith v. Jones"}, token=people.admin)
        assert answer.json["reason"] == "Smith v. Jones"
        assert (await api("GET", f"v1/users/{people.ada.id}", token=people.ada.token)).json["legal_hold"]
        async with database.session() as session:
            january = Range(date(2026, 1, 1), date(2026, 2, 1))
            session.add(
                LockedPeriodRow(
                    tenant_id=TENANT,
                    owner_id=people.ada.id,
                    customer_key="acme",
                    period=january,
                    locked_by="x",
                )
            )
        confirm = f"v1/user-erasures/{erasure['id']}/confirm"
        told = problem(await api("POST", confirm, token=second(api)), 409, "erasure_blocked")
        assert "Smith v. Jones" in told["detail"]
        assert "2026-01-01 to 2026-02-01" in told["detail"]
        assert "acme" in told["detail"]
        assert (await api("DELETE", hold, token=people.admin)).status == 204
        problem(await api("POST", confirm, token=second(api)), 409, "erasure_blocked")
        async with database.session() as session:
            (await session.execute(select(LockedPeriodRow))).scalar_one().reopened_at = datetime.now(UTC)
        assert (await api("POST", confirm, token=second(api))).status == 202
        problem(await api("PUT", hold, {"reason": "late"}, token=people.admin), 409, "erasure_begun")

    async def test_it_can_be_withdrawn_until_it_has_begun(self, api: Caller, people: People) -> None:
        erasure = await asked(api, people)
        again = await api("POST", f"v1/users/{people.ada.id}/erasures", token=people.admin)
        assert erasure["id"] in problem(again, 409, "erasure_open")["detail"]
        path = f"v1/user-erasures/{erasure['id']}"
        assert (await api("POST", f"{path}/withdraw", token=people.admin)).json["status"] == "withdrawn"
        problem(await api("POST", f"{path}/confirm", token=second(api)), 409, "erasure_over")
        begun = await confirmed(api, people)
        late = await api("POST", f"v1/user-erasures/{begun['id']}/withdraw", token=people.admin)
        problem(late, 409, "erasure_begun")
        user, back = f"v1/users/{people.ada.id}", {"active": True}
        refused = await api("PATCH", user, back, token=people.admin, headers={"if-match": "*"})
        problem(refused, 409, "erasure_begun")
        bulk = {"addresses": [people.ada.address], "reactivate": True}
        again = (await api("POST", "v1/users/bulk", bulk, token=people.admin)).json["items"][0]
        assert (again["outcome"], again["reason_code"]) == ("failed", "erasure_begun")


async def test_nothing_of_the_person_can_be_read_and_the_chain_is_whole(
    api: Caller,
    people: People,
    database: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a row of hers in every table, an export in storage, audit of her values, mentions at others'."""
    caplog.set_level("DEBUG", "shared")
    admin, path = people.admin, f"v1/users/{people.ada.id}"
    await api("PATCH", path, {"display_name": "Augusta Lovelace"}, token=admin, headers={"if-match": "*"})
    async with database.session() as session:
        user = await session.get_one(User, people.ada.id)
        user.address = "augusta@example.com"
    await create(api, people.ada, source=f"msgraph://{people.ada.oid}/calendar")
    await everything.fill(database, user)
    await mentioned_by_bob(api, people, database)
    await api("POST", f"{path}/exports", token=people.ada.token)
    await api.durable.prepare_export()
    await api("PUT", f"{path}/legal-hold", {"reason": "Lovelace v. Babbage"}, token=admin, headers=keyed())
    problem(await api("POST", f"{path}/erasures", token=admin, headers=keyed()), 409, "erasure_blocked")
    await api("DELETE", f"{path}/legal-hold", token=admin)
    await api.app.operation.audit_sealer.seal()
    before = await everything.dump(database)
    assert all(needle in before for needle in everything.NEEDLES)
    assert str(people.ada.id) in files_below(tmp_path / "storage")

    report = await erased(api, people)

    assert (report["status"], report["reason"]) == ("completed", None)
    assert report["report"]["rows"]["appointments"] == 1
    assert report["report"]["files"] == 1
    after = await everything.dump(database)
    for needle in everything.NEEDLES:
        found = [line for line in after.splitlines() if needle.casefold() in line.casefold()]
        assert not found, needle
        assert needle not in files_below(tmp_path)
        assert needle not in caplog.text
    assert str(people.ada.id) not in files_below(tmp_path / "storage")
    for holding in holdings():
        if not holding.kept:
            assert not [
                line
                for line in after.splitlines()
                if line.startswith(f"{holding.name}: ") and str(people.ada.id) in line
            ], holding.name
    await api.app.operation.audit_sealer.seal()
    verified = await api.app.operation.audit_verifier.verify(auditor(), AuditVerificationQuery())
    assert verified.intact
    audit = await api("GET", "v1/audit", token=people.auditor, user_id=str(people.ada.id), limit=200)
    shown = next(row for row in audit.json["items"] if row["action"] == "user.updated")
    (name,) = [each for each in shown["changes"] if each["field"] == "display_name"]
    assert (name["before"], name["after"]) == ("[erased]", "[erased]")
    assert any(row["action"] == "user.erased" for row in audit.json["items"])


def keyed() -> dict[str, str]:
    return {"idempotency-key": str(uuid4())}


def auditor() -> Any:
    from shared.domain.identity.caller import Caller as Acting
    from shared.domain.identity.roles import Role

    return Acting.user(TENANT, uuid4(), [Role.AUDITOR])


async def mentioned_by_bob(api: Caller, people: People, database: Database) -> None:
    """Bob met her, so Bob's own archive names her."""
    her = {"name": "Augusta Lovelace", "address": "Augusta@example.com", "kind": "required"}
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.bob.id))
        event = await make.archived_event(configuration)
        bob = {"name": "Bob", "address": people.bob.address}
        await make.appointment(event, organizer=her, attendees=[bob, her])
        run = await make.run(configuration)
        operation = await make.operation(run)
        operation.record = dict(operation.record or {}) | {"organizer": her, "attendees": [her, bob]}
    bulk = {"addresses": ["augusta@example.com"], "dry_run": True}
    await api("POST", "v1/users/bulk", bulk, token=people.admin, headers=keyed())


async def test_others_keep_their_record_without_them(api: Caller, people: People, database: Database) -> None:
    async with database.session() as session:
        (await session.get_one(User, people.ada.id)).address = "augusta@example.com"
    await mentioned_by_bob(api, people, database)
    await erased(api, people)
    async with database.session() as session:
        appointment = (await session.execute(select(Appointment))).scalar_one()
    assert appointment.organizer == {"name": "", "address": "", "kind": "required"}
    assert [each["name"] for each in appointment.attendees] == ["Bob", ""]


async def test_who_is_added_again_is_a_new_person(api: Caller, people: People) -> None:
    await erased(api, people)
    problem(await api("GET", f"v1/users/{people.ada.id}", token=people.admin), 404)
    added = await api("POST", "v1/users", {"address": people.ada.address}, token=people.admin)
    assert added.status == 201
    assert added.json["id"] != str(people.ada.id)
    path = f"v1/users/{added.json['id']}"
    await api("PATCH", path, {"display_name": "New Ada"}, token=people.admin, headers={"if-match": "*"})
    audit = await api("GET", "v1/audit", token=people.admin, user_id=added.json["id"])
    assert "New Ada" in audit.body.decode()


async def test_it_waits_for_runs_and_purges_their_histories(
    api: Caller, people: People, database: Database
) -> None:
    made = (await create(api, people.ada)).json
    async with database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, UUID(made["id"]))
        make = Factory(session)
        running = (await make.run(configuration, state=RunState.RUNNING)).id
        done = (await make.run(configuration, state=RunState.COMPLETED)).id
    erasure = UUID((await confirmed(api, people))["id"])
    assert (await api.durable.advance(erasure))[-1] == ErasureStep.WAIT
    async with database.session() as session:
        run = await session.get_one(ArchiveRun, running)
        assert run.cancel_requested
        run.state, run.finished_at = RunState.CANCELLED, datetime.now(UTC)
    instance = f"archive-{running}"
    api.durable.living[instance] = OrchestrationStatus.RUNNING
    assert (await api.durable.advance(erasure))[-1] == ErasureStep.HISTORY
    assert (await api.durable.advance(erasure, force=True))[-1] == ErasureStep.HISTORY
    assert api.durable.terminated == [instance]
    await api.durable.advance(erasure)
    assert {instance, f"archive-{done}"} <= set(api.durable.purged)
    report = (await api("GET", f"v1/user-erasures/{erasure}", token=people.admin)).json
    assert (report["status"], report["report"]["histories"]) == ("completed", 2)


async def test_it_continues_where_it_was_interrupted(
    api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await everything.fill(database, await ada(database, people))
    async with database.session() as session:
        make = Factory(session)
        configuration = (await session.execute(select(ArchiveConfiguration))).scalars().one()
        for _ in range(7):
            await make.appointment(await make.archived_event(configuration))
    monkeypatch.setattr(erasing, "CHUNK_ROWS", 3)
    erasure = UUID((await confirmed(api, people))["id"])
    keys = api.app.foundations.person_keys
    assert keys is not None
    destroy = keys.destroy

    async def away(person: UUID) -> None:
        raise Unavailable("the store of personal keys is away")

    monkeypatch.setattr(keys, "destroy", away)
    with pytest.raises(Unavailable):
        await api.durable.advance(erasure)
    async with database.session() as session:
        half = await session.get_one(UserErasure, erasure)
        assert half.step == ErasureStep.KEY
        assert await session.get(User, people.ada.id) is not None
    monkeypatch.setattr(keys, "destroy", destroy)
    assert (await api.durable.advance(erasure))[-1] == ErasureStep.PERSON
    # Another delivery of the same activity finds nothing to do.
    assert await api.durable.advance(erasure) == [""]
    report = (await api("GET", f"v1/user-erasures/{erasure}", token=people.admin)).json
    assert report["report"]["rows"]["appointments"] == 8


async def test_a_failed_one_is_reported_and_continues_when_it_is_confirmed_again(
    api: Caller, people: People
) -> None:
    erasure = (await confirmed(api, people))["id"]
    async with api.app.people.eraser.acting_for(UUID(erasure)):
        await api.app.people.eraser.fail(UUID(erasure), "StoreRefused: no permission")
    path = f"v1/user-erasures/{erasure}"
    told = (await api("GET", path, token=people.admin)).json
    assert (told["status"], told["reason"]) == ("failed", "StoreRefused: no permission")
    api.durable.started.clear()
    assert (await api("POST", f"{path}/confirm", token=people.admin)).status == 202
    await api.durable.erase()
    assert (await api("GET", path, token=people.admin)).json["status"] == "completed"


async def test_copies_in_the_mailbox_go_only_if_asked(
    api: Caller, people: People, database: Database
) -> None:
    for remove, left in ((False, 3), (True, 1)):
        await copies(api, people, database)
        api.simulator.counters.reset()
        report = await erased(api, people, remove_copies=remove)
        assert report["report"].get("copies", 0) == (2 if remove else 0)
        mailbox = api.simulator.state.mailbox(people.ada.address)
        assert len(mailbox.events) == left
        if not remove:
            added = await api("POST", "v1/users", {"address": people.ada.address}, token=people.admin)
            people = People(
                type(people.ada)(
                    UUID(added.json["id"]), people.ada.oid, people.ada.address, people.ada.token
                ),
                people.bob,
                people.admin,
                people.auditor,
            )


async def copies(api: Caller, people: People, database: Database) -> None:
    """Two copies of ours and an event of her own in her mailbox; one copy is gone already."""
    from infra.local.graph_simulator.loading.mailboxes import Loader

    state = api.simulator.state
    mailbox = state.mailbox(people.ada.address)
    for event in list(mailbox.events.values()):
        state.remove(event)
    loader = Loader(state, api.simulator.settings)
    time = {"dateTime": "2026-03-02T09:00:00", "timeZone": "UTC"}
    wish = {"start": time, "end": {**time, "dateTime": "2026-03-02T10:00:00"}}
    archive = loader.calendar(mailbox, "Archive")
    ours = [loader.load_event(archive, {"subject": f"Copy {n}", **wish}) for n in range(2)]
    loader.load_event(archive, {"subject": "Her own", **wish})
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        for event in ours:
            await make.archived_event(configuration, copy_id=event.id(immutable=True))
        await make.archived_event(configuration, copy_id=ours[0].id(immutable=True)[:-4] + "AAA=")


async def test_what_an_audit_row_names_are_object_ids_alone(
    api: Caller, people: People, database: Database
) -> None:
    await erased(api, people)
    async with database.session() as session:
        rows = (await session.execute(select(AuditEntry.actor, AuditEntry.changes))).all()
    assert all("@" not in actor and actor.count("-") >= 4 for actor, _ in rows)
