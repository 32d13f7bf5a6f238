"""Archive configurations over HTTP: references resolved in the mailbox, every wrong field named."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration, Job
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People, Person

PATH = "v1/archive-configurations"


def wish(person: Person, **fields: Any) -> dict[str, Any]:
    """What a client sends for the person's own calendars."""
    return {
        "user_id": str(person.id),
        "name": "Nightly",
        "source": f"msgraph://{person.address}/calendar",
        "archive": f"msgraph://{person.address}/calendars/Archive",
        "time_zone": "Europe/Berlin",
    } | fields


async def create(api: Caller, person: Person, token: str | None = None, **fields: Any) -> Response:
    return await api("POST", PATH, wish(person, **fields), token=token or person.token)


async def count(database: Database) -> int:
    async with database.session() as session:
        return (await session.execute(select(func.count()).select_from(ArchiveConfiguration))).scalar_one()


async def test_defaults_are_a_nightly_run_from_the_previous_month_on(
    api: Caller, people: People, database: Database
) -> None:
    response = await create(api, people.ada)
    assert response.status == 201, response.json
    made = response.json
    assert response.headers["location"] == f"/api/{PATH}/{made['id']}"
    assert made["schedule"] == {"kind": "daily", "at": "02:00"}
    assert (made["purpose"], made["lookback_days"], made["is_default"], made["active"]) == (
        "general",
        7,
        False,
        True,
    )
    first = datetime.fromisoformat(made["archive_from"])
    assert first.day == 1
    assert timedelta(days=27) < datetime.now() - first < timedelta(days=63)  # noqa: DTZ005
    next_run = datetime.fromisoformat(made["next_run_at"])
    assert datetime.now(UTC) < next_run <= datetime.now(UTC) + timedelta(days=1, hours=1)
    assert made["source_calendar_id"] != made["archive_calendar_id"]
    assert (await api("GET", f"{PATH}/{made['id']}", token=people.ada.token)).json == made
    async with database.session() as session:
        job = (await session.execute(select(Job))).scalar_one()
        entry = (
            await session.execute(select(AuditEntry).where(AuditEntry.action.like("archive_conf%")))
        ).scalar_one()
    assert (str(job.configuration_id), job.time_zone) == (made["id"], "Europe/Berlin")
    assert entry.on_behalf_of == people.ada.id
    assert entry.changes["after"]["archive_calendar_id"] == made["archive_calendar_id"]
    assert people.ada.address not in str(entry.changes)


@pytest.mark.parametrize(
    ("schedule", "stored"),
    [
        ({"kind": "daily", "at": "23:30"}, {"kind": "daily", "at": "23:30"}),
        (
            {"kind": "weekly", "at": "01:00", "days": ["friday", "monday"]},
            {"kind": "weekly", "at": "01:00", "days": ["monday", "friday"]},
        ),
        (
            {"kind": "monthly", "at": "01:00", "day_of_month": 31},
            {"kind": "monthly", "at": "01:00", "day_of_month": 31},
        ),
        ({"kind": "manual"}, {"kind": "manual"}),
    ],
)
async def test_every_kind_of_schedule_is_kept(
    api: Caller, people: People, schedule: dict[str, Any], stored: dict[str, Any]
) -> None:
    made = (await create(api, people.ada, schedule=schedule)).json
    assert made["schedule"] == stored
    assert (made["next_run_at"] is None) == (stored["kind"] == "manual")


async def test_a_windows_zone_name_is_understood(api: Caller, people: People) -> None:
    made = (await create(api, people.ada, time_zone="W. Europe Standard Time")).json
    assert made["time_zone"] == "Europe/Berlin"


async def test_the_policies_of_an_archive_are_set_and_have_defaults_for_its_purpose(
    api: Caller, people: People
) -> None:
    general = (await create(api, people.ada)).json
    assert (general["purpose"], general["overlap_policy"]) == ("general", "keep_all")
    assert (general["all_day_counts"], general["privacy_automation"]) == (False, False)
    timesheet = (
        await create(
            api,
            people.ada,
            name="Hours",
            source=f"msgraph://{people.ada.address}/calendars/Team",
            purpose="timesheet",
            privacy_automation=True,
            out_of_office=True,
        )
    ).json
    assert (timesheet["purpose"], timesheet["overlap_policy"]) == ("timesheet", "auto")
    assert (timesheet["privacy_automation"], timesheet["out_of_office"]) == (True, True)


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"source": "msgraph://ada@example.com/calendars/Nowhere"}, ["source"]),
    ({"archive": "msgraph://ada@example.com/calendars/Nowhere"}, ["archive"]),
    ({"archive": "local://ada@example.com/calendars/Archive"}, ["archive"]),
    ({"source": "https://ada@example.com/calendar"}, ["source"]),
    ({"source": "msgraph://ada@example.com/calendars/%ZZ"}, ["source"]),
    ({"archive": "msgraph://ada@example.com/calendar"}, ["archive"]),
    ({"time_zone": "Mars/Olympus"}, ["time_zone"]),
    ({"time_zone": "../../etc/passwd"}, ["time_zone"]),
    ({"overlap_policy": "guess"}, ["overlap_policy"]),
    ({"privacy_automation": "yes"}, ["privacy_automation"]),
    ({"purpose": "backup"}, ["purpose"]),
    ({"lookback_days": 61}, ["lookback_days"]),
    ({"lookback_days": -1}, ["lookback_days"]),
    ({"lookback_days": "7"}, ["lookback_days"]),
    ({"archive_from": "2999-01-01"}, ["archive_from"]),
    ({"archive_from": "2099-01-01"}, ["archive_from"]),
    ({"archive_from": "yesterday"}, ["archive_from"]),
    ({"archive_from": 20260101}, ["archive_from"]),
    ({"schedule": {"kind": "hourly"}}, ["schedule"]),
    ({"schedule": {"kind": "daily", "at": "25:00"}}, ["schedule.at"]),
    ({"schedule": {"kind": "daily"}}, ["schedule.at"]),
    ({"schedule": {"kind": "weekly", "at": "02:00", "days": ["monday", "monday"]}}, ["schedule.days"]),
    ({"schedule": {"kind": "weekly", "at": "02:00", "days": ["someday"]}}, ["schedule.days.0"]),
    ({"schedule": {"kind": "monthly", "at": "02:00", "day_of_month": 32}}, ["schedule.day_of_month"]),
    ({"name": ""}, ["name"]),
    ({"name": "a\u0000b"}, ["name"]),
    ({"name": None}, ["name"]),
    ({"user_id": "ada"}, ["user_id"]),
    ({"owner": "ada"}, ["owner"]),
    (
        {"time_zone": "Mars", "source": "x", "archive": "y", "archive_from": "2099-01-01"},
        ["source", "archive", "time_zone", "archive_from"],
    ),
]


async def test_every_wrong_field_is_422_naming_it_and_nothing_is_written(
    api: Caller, people: People, database: Database
) -> None:
    for fields, named in WRONG:
        response = await create(api, people.ada, **fields)
        problem(response, 422, "validation_failed")
        assert response.fields == named, fields
    assert await count(database) == 0


async def test_an_unknown_calendar_lists_those_there_are(api: Caller, people: People) -> None:
    response = await create(api, people.ada, source="msgraph://ada@example.com/calendars/Teem")
    problem(response, 422)
    message = response.json["errors"][0]["message"]
    assert all(name in message for name in ("Calendar", "Archive", "Team"))


async def test_a_calendar_is_found_by_id_by_any_case_and_by_slug(api: Caller, people: People) -> None:
    first = (await create(api, people.ada, source="msgraph://ADA@example.com/calendars/team")).json
    by_id = f"msgraph://{people.ada.oid}/calendars/{first['source_calendar_id']}"
    archive = f"msgraph://{people.ada.address}/calendars/Second"
    second = (
        await create(
            api, people.ada, name="By id", source=by_id, archive=archive, create_archive_calendar=True
        )
    ).json
    assert second["source_calendar_id"] == first["source_calendar_id"]


async def test_the_archive_calendar_is_created_only_on_request(api: Caller, people: People) -> None:
    archive = f"msgraph://{people.ada.address}/calendars/New%20Archive"
    problem(await create(api, people.ada, archive=archive), 422)
    made = await create(api, people.ada, archive=archive, create_archive_calendar=True)
    assert made.status == 201
    team = f"msgraph://{people.ada.address}/calendars/Team"
    again = await create(
        api, people.ada, name="Again", source=team, archive=archive, create_archive_calendar=True
    )
    assert again.json["archive_calendar_id"] == made.json["archive_calendar_id"]
    mailbox = api.simulator.state.find_mailbox(people.ada.address)
    assert mailbox is not None
    assert [each.name for each in mailbox.calendars.values()].count("New Archive") == 1


async def test_no_calendar_is_created_for_a_configuration_that_cannot_be(api: Caller, people: People) -> None:
    archive = f"msgraph://{people.ada.address}/calendars/New"
    await create(api, people.ada)
    response = await create(api, people.ada, archive=archive, create_archive_calendar=True)
    problem(response, 409, "already_exists")
    mailbox = api.simulator.state.find_mailbox(people.ada.address)
    assert mailbox is not None
    assert "New" not in [each.name for each in mailbox.calendars.values()]


async def test_an_archive_cannot_be_a_source_nor_a_source_an_archive(
    api: Caller, people: People, database: Database
) -> None:
    calendar, team, archive = (
        f"msgraph://{people.ada.address}/{path}"
        for path in ("calendar", "calendars/Team", "calendars/Archive")
    )
    assert (await create(api, people.ada, source=calendar, archive=archive)).status == 201
    response = await create(api, people.ada, name="Two", source=archive, archive=team)
    problem(response, 422)
    assert response.fields == ["source"]
    response = await create(api, people.ada, name="Three", source=team, archive=calendar)
    problem(response, 422)
    assert response.fields == ["archive"]
    responses = await asyncio.gather(
        create(api, people.bob, name="Four", source=f"msgraph://{people.bob.oid}/calendar"),
        create(
            api,
            people.bob,
            name="Five",
            source=f"msgraph://{people.bob.oid}/calendars/Team",
            archive=f"msgraph://{people.bob.oid}/calendar",
        ),
    )
    assert sorted(response.status for response in responses) == [201, 422]
    assert await count(database) == 2


async def test_names_and_the_default_are_unique_for_one_owner(api: Caller, people: People) -> None:
    assert (await create(api, people.ada, is_default=True)).status == 201
    problem(await create(api, people.ada), 409, "already_exists")
    team = f"msgraph://{people.ada.address}/calendars/Team"
    other = await create(api, people.ada, name="Other", source=team, is_default=True)
    problem(other, 409, "already_exists")
    assert (await create(api, people.bob, is_default=True)).status == 201


class TestWhoMay:
    async def test_a_user_cannot_configure_for_another(
        self, api: Caller, people: People, database: Database
    ) -> None:
        response = await create(api, people.bob, token=people.ada.token)
        problem(response, 404, "not_found")
        response = await api("POST", PATH, wish(people.ada, user_id=str(uuid4())), token=people.ada.token)
        problem(response, 404, "not_found")
        assert await count(database) == 0

    async def test_a_user_who_names_anothers_mailbox_learns_nothing(
        self, api: Caller, people: People
    ) -> None:
        answers = [
            await create(api, people.ada, source=f"msgraph://{mailbox}/calendar")
            for mailbox in (people.bob.address, people.bob.oid, "nobody@example.com", uuid4())
        ]
        documents = [problem(answer, 404, "not_found") for answer in answers]
        assert len({document["detail"] for document in documents}) == 1

    async def test_an_admin_may_configure_for_anyone_with_any_mailbox(
        self, api: Caller, people: People
    ) -> None:
        shared = api.mailbox("reception@example.com", "Archive")
        response = await create(
            api,
            people.ada,
            token=people.admin,
            source="msgraph://reception@example.com/calendar",
            archive=f"msgraph://{shared}/calendars/Archive",
        )
        assert response.status == 201
        assert response.json["user_id"] == str(people.ada.id)
        response = await create(
            api, people.ada, token=people.admin, name="No", source="msgraph://nobody@example.com/calendar"
        )
        problem(response, 422)
        assert response.fields == ["source"]

    async def test_the_admin_who_named_anothers_mailbox_is_kept_for_the_runs_to_judge_by(
        self, api: Caller, people: People, database: Database
    ) -> None:
        shared = api.mailbox("reception@example.com", "Archive")
        source = "msgraph://reception@example.com/calendar"
        await create(api, people.ada, token=people.admin, source=source)
        await create(api, people.ada, name="Own", source=f"msgraph://{people.ada.oid}/calendars/Team")
        async with database.session() as session:
            rows = (
                await session.execute(select(ArchiveConfiguration).order_by(ArchiveConfiguration.created_at))
            ).scalars()
            kept = [
                ([str(each) for each in row.approved_mailbox_ids], row.mailboxes_approved_by) for row in rows
            ]
        admin = "user:aaaaaaaa-0000-4000-8000-000000000001"
        assert kept == [([str(shared)], admin), ([], None)]

    async def test_an_application_with_the_role_user_configures_nothing(
        self, api: Caller, people: People
    ) -> None:
        token = api.token("User", app_only=True, oid=str(people.ada.oid))
        problem(await create(api, people.ada, token=token), 404)

    async def test_others_configurations_do_not_exist_for_a_user(self, api: Caller, people: People) -> None:
        mine = (await create(api, people.ada)).json["id"]
        theirs = (await create(api, people.bob)).json["id"]
        problem(await api("GET", f"{PATH}/{theirs}", token=people.ada.token), 404, "not_found")
        listed = (await api("GET", PATH, token=people.ada.token)).json["items"]
        assert [each["id"] for each in listed] == [mine]
        problem(await api("GET", PATH, token=people.ada.token, user_id=people.bob.id), 404)
        for token in (people.admin, people.auditor):
            listed = (await api("GET", PATH, token=token)).json["items"]
            assert [each["id"] for each in listed] == [mine, theirs]
            listed = (await api("GET", PATH, token=token, user_id=people.bob.id)).json["items"]
            assert [each["id"] for each in listed] == [theirs]

    async def test_a_mailbox_outside_our_permission_is_named(self, api: Caller, people: People) -> None:
        api.simulator.settings.allowed_mailboxes = ["bob@example.com"]
        response = await create(api, people.ada)
        problem(response, 422)
        assert response.fields == ["source"]
        assert "ErrorAccessDenied" in response.json["errors"][0]["message"]
