"""Ada's things, and one request for each operation that succeeds for every permitted caller."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.domain.runs.archive_run import RunState
from shared.triggers.http import leaving, started_runs, verifications
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import create, wish
from tests.support.factories import START, Factory

SAMPLE_ID = "6f1e5c0e-1111-4111-8111-111111111111"


@dataclass
class World:
    """Ada's things, which she, her tenant's Admins and Auditors may reach, and nobody else."""

    ada: Person
    configuration: UUID
    run: UUID
    appointment: UUID
    overlap: UUID
    secrets: list[str] = field(default_factory=list)
    #: What belongs to the tenant or the installation.
    things: dict[str, UUID] = field(default_factory=dict)


@dataclass
class Wish:
    """A request for an operation; ``{id}`` of its route becomes ``id``."""

    id: UUID | None = None
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    #: Values of the route's other parameters.
    ids: dict[str, UUID] = field(default_factory=dict)
    #: Values of its parameters that are no ids.
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def names_somebody(self) -> bool:
        """True if it is about a resource, or about a person's things."""
        return bool(self.id or self.ids or "user_id" in self.query or "user_id" in (self.body or {}))


def of_local_event(world: "World", body: Any = None) -> Wish:
    """Something about Ada's local event."""
    things = world.things
    return Wish(things["local_calendar"], body, ids={"event_id": things["local_event"]})


def of_finding(world: "World", name: str) -> Wish:
    """Something about a finding of Ada's archive."""
    things = world.things
    return Wish(things["verification"], ids={"finding_id": things[name]})


RANGE = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}
_RULE = {"relation": "subject", "match": "Weekly", "category": "Acme - billable"}
WINDOW = RANGE
#: Nothing that this world made up for the archive lies there: a plan asks Graph for what it knows.
_LATER = {"window_start": "2026-05-01T00:00:00Z", "window_end": "2026-06-01T00:00:00Z"}
REQUESTS: dict[str, Callable[[World], Wish]] = {
    "get_me": lambda w: Wish(),
    "list_invitations": lambda w: Wish(),
    "create_invitation": lambda w: Wish(body={"address": "guest@example.com"}),
    "get_invitation": lambda w: Wish(w.things["invitation"]),
    "revoke_invitation": lambda w: Wish(w.things["invitation"]),
    "list_tenants": lambda w: Wish(),
    "add_tenant": lambda w: Wish(body={"id": SAMPLE_ID, "name": "Contoso"}),
    "get_tenant": lambda w: Wish(w.things["tenant"]),
    "update_tenant": lambda w: Wish(w.things["tenant"], {"active": False}),
    "get_system_settings": lambda w: Wish(),
    "update_system_settings": lambda w: Wish(body={"default_lookback_days": 3}),
    "get_system_health": lambda w: Wish(),
    "get_system_doctor": lambda w: Wish(),
    "list_users": lambda w: Wish(),
    "create_user": lambda w: Wish(body={"address": "new@example.com"}),
    "get_user": lambda w: Wish(w.ada.id),
    "update_user": lambda w: Wish(w.ada.id, {"display_name": "Augusta"}),
    "add_users_in_bulk": lambda w: Wish(body={"addresses": ["new@example.com"], "dry_run": True}),
    "offboard_user": lambda w: Wish(w.ada.id),
    "get_legal_hold": lambda w: Wish(w.things["held"]),
    "set_legal_hold": lambda w: Wish(w.ada.id, {"reason": "a lawsuit"}),
    "lift_legal_hold": lambda w: Wish(w.things["held"]),
    "request_user_export": lambda w: Wish(w.ada.id),
    "get_user_export": lambda w: Wish(w.things["export"]),
    "list_user_exports": lambda w: Wish(w.ada.id),
    "get_user_export_content": lambda w: Wish(w.things["export"]),
    "open_break_glass_access": lambda w: Wish(w.ada.id, {"reason": "The police ask for it."}),
    "list_break_glass_accesses": lambda w: Wish(),
    "get_break_glass_access": lambda w: Wish(w.things["break_glass"]),
    "close_break_glass_access": lambda w: Wish(w.things["break_glass"]),
    "request_user_erasure": lambda w: Wish(w.ada.id),
    "list_user_erasures": lambda w: Wish(w.ada.id),
    "search_user_erasures": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "get_user_erasure": lambda w: Wish(w.things["erasure"]),
    "confirm_user_erasure": lambda w: Wish(w.things["erasure"]),
    "withdraw_user_erasure": lambda w: Wish(w.things["erasure"]),
    "list_calendars": lambda w: Wish(w.ada.id),
    "create_calendar": lambda w: Wish(w.ada.id, {"store": "local", "name": "New"}),
    "resolve_calendar": lambda w: Wish(w.ada.id, {"reference": f"local://{w.ada.address}/calendars/Diary"}),
    "get_local_calendar": lambda w: Wish(w.things["local_calendar"]),
    "rename_local_calendar": lambda w: Wish(w.things["local_calendar"], {"name": "Renamed"}),
    "delete_local_calendar": lambda w: Wish(w.things["local_calendar"]),
    "list_local_events": lambda w: Wish(w.things["local_calendar"], query=RANGE),
    "create_local_event": lambda w: Wish(
        w.things["local_calendar"],
        {"subject": "March", "start": RANGE["window_start"], "end": RANGE["window_end"]},
    ),
    "get_local_event": of_local_event,
    "update_local_event": lambda w: of_local_event(w, {"subject": "Changed"}),
    "delete_local_event": of_local_event,
    "list_appointments": lambda w: Wish(query=RANGE | {"user_id": str(w.ada.id)}),
    "get_appointment": lambda w: Wish(w.appointment),
    "update_appointment": lambda w: Wish(w.appointment, {"subject": "Edited"}),
    "list_archive_configurations": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "create_archive_configuration": lambda w: Wish(
        body=wish(w.ada, name="Second", source=f"msgraph://{w.ada.address}/calendars/Team")
    ),
    "get_archive_configuration": lambda w: Wish(w.configuration),
    "update_archive_configuration": lambda w: Wish(w.configuration, {"name": "Renamed"}),
    "delete_archive_configuration": lambda w: Wish(w.configuration),
    "activate_archive_configuration": lambda w: Wish(w.configuration),
    "deactivate_archive_configuration": lambda w: Wish(w.configuration),
    "make_archive_configuration_default": lambda w: Wish(w.configuration),
    "rebuild_archive_calendar": lambda w: Wish(w.things["lost"]),
    "preview_archive_run": lambda w: Wish(w.configuration, query=_LATER),
    "start_archive_run": lambda w: Wish(w.configuration),
    "list_archive_runs": lambda w: Wish(w.configuration),
    "search_archive_runs": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "get_archive_run": lambda w: Wish(w.run),
    "cancel_archive_run": lambda w: Wish(w.run),
    "retry_archive_run": lambda w: Wish(w.run),
    "list_archive_operations": lambda w: Wish(w.run),
    "get_backfill": lambda w: Wish(w.configuration),
    "start_backfill": lambda w: Wish(w.configuration, {"archive_from": "2020-01-01"}),
    "pause_backfill": lambda w: Wish(w.configuration),
    "resume_backfill": lambda w: Wish(w.configuration),
    "start_verification": lambda w: Wish(w.configuration),
    "list_verifications": lambda w: Wish(w.configuration),
    "get_verification": lambda w: Wish(w.things["verification"]),
    "list_verification_findings": lambda w: Wish(w.things["verification"]),
    "put_back_finding": lambda w: of_finding(w, "missing"),
    "adopt_finding": lambda w: of_finding(w, "adopted"),
    "request_mailbox_approval": lambda w: Wish(w.things["foreign"], {"days": 30}),
    "list_mailbox_approvals": lambda w: Wish(),
    "get_mailbox_approval": lambda w: Wish(w.things["approval"]),
    "approve_mailbox_approval": lambda w: Wish(w.things["asked"]),
    "refuse_mailbox_approval": lambda w: Wish(w.things["asked"], {"reason": "no need"}),
    "withdraw_mailbox_approval": lambda w: Wish(w.things["approval"], {"reason": "no need"}),
    "decide_mailbox_objection": lambda w: Wish(w.things["objected"], {"reason": "need", "goes_on": True}),
    "object_to_mailbox_approval": lambda w: Wish(w.things["approval"]),
    "agree_to_mailbox_approval": lambda w: Wish(w.things["approval"], {"details": True}),
    "name_mailbox_assistant": lambda w: Wish(body={"assistant_id": SAMPLE_ID}),
    "list_overlaps": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "get_overlap": lambda w: Wish(w.overlap),
    "resolve_overlap": lambda w: Wish(w.overlap, {"action": "keep_all"}),
    "resolve_overlaps": lambda w: Wish(body={"items": [{"id": str(w.overlap), "action": "keep_all"}]}),
    "list_action_items": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "get_action_item": lambda w: Wish(w.things["action_item"]),
    "answer_action_item": lambda w: Wish(w.things["action_item"], {"answer": "two_meetings"}),
    "list_notifications": lambda w: Wish(),
    "get_notification": lambda w: Wish(w.things["notification"]),
    "update_notification": lambda w: Wish(w.things["notification"], {"read": True}),
    "read_notifications": lambda w: Wish(body={"until": RANGE["window_end"]}),
    "list_categories": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "create_category": lambda w: Wish(
        body={"user_id": str(w.ada.id), "store": "local", "name": "New - billable"}
    ),
    "create_missing_categories": lambda w: Wish(body={"user_id": str(w.ada.id)}),
    "get_category": lambda w: Wish(w.things["category"]),
    "update_category": lambda w: Wish(w.things["category"], {"color": "preset1"}),
    "delete_category": lambda w: Wish(w.things["category"]),
    "validate_categories": lambda w: Wish(query=RANGE | {"user_id": str(w.ada.id)}),
    "get_month": lambda w: Wish(query={"user_id": str(w.ada.id)}, texts={"month": "2026-03"}),
    "list_needs_attention": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "get_category_statistics": lambda w: Wish(query=RANGE | {"user_id": str(w.ada.id)}),
    "suggest_categories": lambda w: Wish(query=RANGE | {"user_id": str(w.ada.id)}),
    "apply_category_suggestions": lambda w: Wish(body={"user_id": str(w.ada.id), "rules": RANGE}),
    "list_category_rules": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "create_category_rule": lambda w: Wish(body=_RULE | {"user_id": str(w.ada.id)}),
    "get_category_rule": lambda w: Wish(w.things["category_rule"]),
    "update_category_rule": lambda w: Wish(w.things["category_rule"], {"auto_apply": True}),
    "delete_category_rule": lambda w: Wish(w.things["category_rule"]),
    "list_audit_actions": lambda w: Wish(),
    "search_audit": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "export_audit": lambda w: Wish(query={"user_id": str(w.ada.id)}),
    "verify_audit": lambda w: Wish(),
}


async def lost_archive(api: Caller, person: Person) -> UUID:
    """A configuration whose archive calendar was deleted."""
    archive = f"msgraph://{person.address}/calendars/Lost"
    made = (await create(api, person, name="Lost", archive=archive, create_archive_calendar=True)).json
    mailbox = api.simulator.state.find_mailbox(person.address)
    assert mailbox is not None
    api.simulator.state.remove_calendar(mailbox.calendars[made["archive_calendar_id"]])
    return UUID(made["id"])


@pytest.fixture
async def world(api: Caller, people: People, database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    async def start(client: object, run_id: UUID) -> None:
        return

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    monkeypatch.setattr(verifications, "start_orchestration", start)
    monkeypatch.setattr(leaving, "start_exporting", start)
    monkeypatch.setattr(leaving, "start_erasing", start)
    made = (await create(api, people.ada)).json
    lost = await lost_archive(api, people.ada)
    async with database.session() as session:
        make = Factory(session)
        configuration = await session.get_one(ArchiveConfiguration, UUID(made["id"]))
        run = await make.run(configuration, state=RunState.CANCELLED, cancel_requested=True)
        run.finished_at = datetime.now(UTC)
        operation = await make.operation(run)
        event = await make.archived_event(configuration)
        appointment = await make.appointment(event, subject="Ada's secret")
        overlap = await make.overlap_group(event, await make.archived_event(configuration))
        item = await make.action_item(event)
        things = {"invitation": (await make.invitation()).id, "tenant": (await make.tenant()).id}
        things |= {"lost": lost, "action_item": item.id}
        diary = await make.local_calendar(await session.get_one(User, people.ada.id), name="Diary")
        local = await make.local_event(diary, subject="Ada's secret")
        things |= {"local_calendar": diary.id, "local_event": local.id}
        things["category"] = (await make.local_category(people.ada.id)).id
        things["category_rule"] = (await make.category_rule(people.ada.id)).id
        ada = await session.get_one(User, people.ada.id)
        things["notification"] = (await make.notification(ada)).id
        things["break_glass"] = (await make.break_glass(ada)).id
        held = await make.user(legal_hold_reason="a lawsuit", legal_hold_since=datetime.now(UTC))
        # Of the day before: another one may be asked for.
        export = await make.user_export(people.ada.id, created_at=datetime.now(UTC) - timedelta(days=2))
        things |= {"held": held.id, "export": export.id}
        things["erasure"] = (await make.user_erasure(await make.user())).id
        planned = await make.run(
            configuration, state=RunState.COMPLETED, planned_at=datetime.now(UTC), plan={}
        )
        planned.finished_at = datetime.now(UTC)
        verified = await make.verification(configuration)
        missing = await make.finding(verified, event)
        edit = {"kind": "edited", "reason": "content_differs", "state": "adopted"}
        adopted = await make.finding(verified, event, **edit)
        things |= {"verification": verified.id, "missing": missing.id, "adopted": adopted.id}
        await make.backfill(configuration)
        reader = await make.user()
        foreign = await make.configuration(
            ada, source_mailbox_id=reader.object_id, names_another=True, open_until=START
        )
        await make.job(foreign)
        things["foreign"] = foreign.id
        for name, state in (("asked", "requested"), ("approval", "approved"), ("objected", "objected")):
            over = await make.configuration(
                reader, source_mailbox_id=ada.object_id, names_another=True, open_until=START
            )
            things[name] = (await make.approval(over, state=state)).id
    async with api.app.people.exports.acting_for(export.id):
        await api.app.people.exports.prepare(export.id)
    secrets = [
        made["id"],
        str(run.id),
        str(operation.id),
        str(appointment.id),
        str(overlap.id),
        str(diary.id),
        str(things["notification"]),
        str(item.id),
        "Ada's secret",
        people.ada.address,
    ]
    return World(people.ada, configuration.id, run.id, appointment.id, overlap.id, secrets, things)
