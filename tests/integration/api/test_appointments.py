"""Appointments over HTTP: one's own in full, another's private ones as times only (domain.md 6.3)."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.schemas.appointments import AppointmentSummary
from shared.schemas.paging import Page
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import START, Factory

DAY = timedelta(days=1)
RANGE: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}


@pytest.fixture
async def recorded(database: Database, people: People) -> dict[str, UUID]:
    """An ordinary, a private and a later appointment of Ada, and one of Bob."""
    async with database.session() as session:
        make = Factory(session)
        ada = await make.configuration(await session.get_one(User, people.ada.id))
        bob = await make.configuration(await session.get_one(User, people.bob.id))

        async def appointment(configuration: object, start: datetime, **columns: object) -> Appointment:
            event = await make.archived_event(configuration, start_at=start)  # type: ignore[arg-type]
            return await make.appointment(event, **columns)

        rows = {
            "ordinary": await appointment(ada, START, subject="Planning"),
            "private": await appointment(
                ada, START + timedelta(hours=2), subject="Surgeon", sensitivity="private", show_as="oof"
            ),
            "later": await appointment(ada, START + timedelta(days=60), subject="Later"),
            "bob": await appointment(bob, START, subject="Bob's"),
        }
        return {name: row.id for name, row in rows.items()} | {"ada configuration": ada.id}


async def test_people_read_all_of_their_own(api: Caller, people: People, recorded: dict[str, UUID]) -> None:
    listed = (await api("GET", "v1/appointments", token=people.ada.token, **RANGE)).json
    assert [item["subject"] for item in listed["items"]] == ["Planning", "Surgeon"]
    assert listed["next"] is None
    one = (await api("GET", f"v1/appointments/{recorded['private']}", token=people.ada.token)).json
    assert (one["subject"], one["body"], one["show_as"]) == ("Surgeon", "<p>Notes</p>", "oof")
    assert one["attendees"][0]["address"] == "bob@example.com"


async def test_an_admin_sees_the_times_of_anothers_private_one_only(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    for token in (people.admin, people.auditor):
        listed = await api("GET", "v1/appointments", token=token, user_id=people.ada.id, **RANGE)
        ordinary, private = listed.json["items"]
        assert ordinary["subject"] == "Planning"
        assert (private["subject"], private["location"], private["categories"]) == ("Private", "", [])
        assert private["start"] == "2026-03-02T11:00:00Z"
        one = await api("GET", f"v1/appointments/{recorded['private']}", token=token)
        assert (one.json["subject"], one.json["body"]) == ("Private", "")
        assert (one.json["organizer"], one.json["attendees"]) == (None, [])
        assert b"Surgeon" not in listed.body + one.body


async def test_every_reader_gets_the_documents_that_the_contract_describes(
    api: Caller, people: People, database: Database
) -> None:
    """Those of a person's own list are written by the database, the others by the model."""
    odd = timedelta(microseconds=120)
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        for columns in (
            {"subject": 'Żółć "quoted" \\ <b>\u2028 \x7f \U0001f600', "categories": []},
            {"start_at": START + odd, "end_at": START + timedelta(hours=1) + odd, "source_deleted_at": START},
            {"location": "line\nbreak\ttab", "categories": ['A, "b"', "{c}", "NULL", ""]},
            {"is_all_day": True, "is_cancelled": True, "attachment_count": 3},
        ):
            await make.appointment(await make.archived_event(configuration, start_at=START), **columns)
    mine = await api("GET", "v1/appointments", token=people.ada.token, **RANGE)
    anothers = await api("GET", "v1/appointments", token=people.admin, user_id=people.ada.id, **RANGE)
    page = Page[AppointmentSummary].model_validate_json(mine.body)
    assert len(page.items) == 4
    assert mine.json == anothers.json
    assert mine.json == json.loads(page.model_dump_json())
    assert [list(item) for item in mine.json["items"]] == [list(AppointmentSummary.model_fields)] * 4
    first = await api("GET", "v1/appointments", token=people.ada.token, limit=3, **RANGE)
    following = await api(
        "GET", "v1/appointments", token=people.ada.token, limit=3, cursor=first.json["next"], **RANGE
    )
    assert [*first.json["items"], *following.json["items"]] == mine.json["items"]
    assert following.json["next"] is None


async def test_an_admin_who_is_the_owner_sees_their_own(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    token = api.person(people.ada.oid, "Admin")
    listed = (await api("GET", "v1/appointments", token=token, **RANGE)).json["items"]
    assert [item["subject"] for item in listed] == ["Planning", "Surgeon"]


async def test_anothers_appointments_do_not_exist_for_a_user(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    token = people.bob.token
    problem(await api("GET", f"v1/appointments/{recorded['ordinary']}", token=token), 404, "not_found")
    problem(await api("GET", f"v1/appointments/{uuid4()}", token=token), 404, "not_found")
    problem(await api("GET", "v1/appointments", token=token, user_id=people.ada.id, **RANGE), 404)
    configuration = recorded["ada configuration"]
    problem(await api("GET", "v1/appointments", token=token, configuration_id=configuration, **RANGE), 404)


async def test_a_configuration_names_its_owner_too(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    configuration = recorded["ada configuration"]
    listed = await api("GET", "v1/appointments", token=people.admin, configuration_id=configuration, **RANGE)
    assert len(listed.json["items"]) == 2
    response = await api(
        "GET",
        "v1/appointments",
        token=people.admin,
        configuration_id=configuration,
        user_id=people.bob.id,
        **RANGE,
    )
    problem(response, 404)


async def test_an_admin_without_appointments_must_say_whose(api: Caller, people: People) -> None:
    response = await api("GET", "v1/appointments", token=people.admin, **RANGE)
    problem(response, 422, "validation_failed")
    assert response.fields == ["user_id"]


async def test_a_stranger_with_a_valid_token_has_none(api: Caller) -> None:
    listed = await api("GET", "v1/appointments", token=api.token(), **RANGE)
    assert listed.json == {"items": [], "next": None}


async def test_pages_follow_the_start(api: Caller, people: People, recorded: dict[str, UUID]) -> None:
    long: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-06-01T00:00:00Z"}
    subjects: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = await api("GET", "v1/appointments", token=people.ada.token, limit=1, **long, **cursor)
        subjects += [item["subject"] for item in page.json["items"]]
        cursor = {"cursor": page.json["next"]}
    assert subjects == ["Planning", "Surgeon", "Later"]
    assert cursor == {"cursor": None}


async def test_a_list_is_narrowed_by_category_status_and_text(
    api: Caller, database: Database, people: People
) -> None:
    async with database.session() as session:
        make = Factory(session)
        configuration = await make.configuration(await session.get_one(User, people.ada.id))
        events: tuple[dict[str, Any], ...] = (
            {"subject": "Review 100%", "categories": ["Online", "Umbrella - billable"]},
            {"subject": "Review 100", "location": "Hall_B"},
            {"subject": "Called off", "is_cancelled": True},
            {"subject": "Not me", "is_declined": True},
            {"subject": "Gone", "source_deleted_at": START},
        )
        for hour, columns in enumerate(events):
            event = await make.archived_event(configuration, start_at=START + timedelta(hours=hour))
            await make.appointment(event, **columns)

    async def subjects(**query: Any) -> list[str]:
        listed = await api("GET", "v1/appointments", token=people.ada.token, **RANGE, **query)
        assert listed.status == 200, listed.body
        return [item["subject"] for item in listed.json["items"]]

    assert await subjects(category="UMBRELLA - billable") == ["Review 100%"]
    assert await subjects(category="Umbrella") == []
    assert await subjects(text="100%") == ["Review 100%"]
    assert await subjects(text="hall_b") == ["Review 100"]
    assert await subjects(text="l_b", status="live") == ["Review 100"]
    assert await subjects(status="live", order="-start") == ["Review 100", "Review 100%"]
    assert await subjects(status="cancelled") == ["Called off"]
    assert await subjects(status="declined") == ["Not me"]
    assert await subjects(status="source_deleted") == ["Gone"]
    refused = await api("GET", "v1/appointments", token=people.ada.token, **RANGE, status="lost")
    problem(refused, 422, "validation_failed")
    assert refused.fields == ["status"]


async def test_a_search_does_not_tell_what_anothers_private_appointment_is_about(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    query: dict[str, Any] = {"user_id": people.ada.id, "text": "surgeon", **RANGE}
    assert (await api("GET", "v1/appointments", token=people.admin, **query)).json["items"] == []
    del query["user_id"]
    found = (await api("GET", "v1/appointments", token=people.ada.token, **query)).json["items"]
    assert [item["subject"] for item in found] == ["Surgeon"]


async def test_pages_go_back_in_time_when_asked(
    api: Caller, people: People, recorded: dict[str, UUID]
) -> None:
    first = await api("GET", "v1/appointments", token=people.ada.token, limit=1, order="-start", **RANGE)
    assert [item["subject"] for item in first.json["items"]] == ["Surgeon"]
    following = await api(
        *("GET", "v1/appointments"),
        token=people.ada.token,
        order="-start",
        cursor=first.json["next"],
        **RANGE,
    )
    assert [item["subject"] for item in following.json["items"]] == ["Planning"]
    assert following.json["next"] is None


async def test_an_appointment_tells_whether_it_counts_and_why_not(
    api: Caller, people: People, recorded: dict[str, UUID], database: Database
) -> None:
    async with database.session() as session:
        make = Factory(session)
        ordinary = await session.get_one(Appointment, recorded["ordinary"])
        ordinary.excluded, ordinary.unresolved = "resolution", True
        configuration = await session.get_one(ArchiveConfiguration, recorded["ada configuration"])
        event = await make.archived_event(configuration, state="source_deleted", start_at=START + DAY)
        await make.appointment(event, subject="Gone", source_deleted_at=START)

    async def subjects(token: str, **query: Any) -> list[str]:
        listed = await api("GET", "v1/appointments", token=token, **RANGE, **query)
        return [item["subject"] for item in listed.json["items"]]

    for wanted, found in (
        ({"counts": "true"}, ["Surgeon", "Gone"]),
        ({"counts": "false"}, ["Planning"]),
        ({"reason_code": "left_out_by_resolution"}, ["Planning"]),
        ({"reason_code": "consumed"}, []),
        ({"source_deleted": "true"}, ["Gone"]),
        ({"source_deleted": "false"}, ["Planning", "Surgeon"]),
        ({"unresolved": "true"}, ["Planning"]),
    ):
        assert await subjects(people.ada.token, **wanted) == found, wanted
    shown = [
        (item["counts"], item["reason_code"], item["source_deleted"], item["unresolved"])
        for item in (await api("GET", "v1/appointments", token=people.ada.token, **RANGE)).json["items"]
    ]
    assert shown == [
        (False, "left_out_by_resolution", False, True),
        (True, None, False, False),
        (True, None, True, False),
    ]
    one = await api("GET", f"v1/appointments/{recorded['ordinary']}", token=people.admin)
    assert (one.json["counts"], one.json["reason_code"]) == (False, "left_out_by_resolution")
    # Of another's private one nothing but its times is told, nor found by a filter (6.3).
    private = await api("GET", f"v1/appointments/{recorded['private']}", token=people.admin)
    assert [private.json[name] for name in ("counts", "reason_code", "unresolved")] == [None] * 3
    assert await subjects(people.admin, user_id=people.ada.id, counts="true") == ["Gone"]
    for name, value in (("reason_code", "bored"), ("counts", "perhaps")):
        query: dict[str, Any] = {**RANGE, name: value}
        refused = await api("GET", "v1/appointments", token=people.ada.token, **query)
        assert (refused.status, refused.fields) == (422, [name])
