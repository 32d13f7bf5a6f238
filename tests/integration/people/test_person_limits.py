"""Limits of one person are settings of their tenant (domain.md 6.6)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select

from shared.database.engine import Database
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.repositories.people import person_limits
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People
from tests.integration.archiving.world import SteppableClock
from tests.support.factories import Factory

#: Asks for one more thing of Ada's with a token; the number makes it another one than before.
type Add = Callable[[int, str], Awaitable[Response]]
SETTINGS = "v1/system/settings"
EVENT = {
    "subject": "Review",
    "start": "2026-03-02T09:00:00Z",
    "end": "2026-03-02T10:00:00Z",
    "start_zone": "UTC",
}


async def allow(api: Caller, people: People, **limits: int | None) -> None:
    answer = await api("PATCH", SETTINGS, limits, token=people.admin, headers={"if-match": "*"})
    assert answer.status == 200, answer.json


def refused(response: Response, name: str, value: int, field: str) -> None:
    document = problem(response, 422, "limit_reached")
    assert document["limit"] == {"name": name, "value": value}
    assert response.fields == [field]
    assert document["errors"][0]["code"] == "limit_reached"
    assert f"{value} " in document["detail"]


class Adding:
    """One way to add for each limit."""

    def __init__(self, api: Caller, people: People) -> None:
        self.api = api
        self.person = people.ada
        self.diary = ""

    async def max_archive_configurations(self, number: int, token: str) -> Response:
        wanted = {
            "user_id": str(self.person.id),
            "name": f"Number {number}",
            "source": f"msgraph://{self.person.address}/calendar",
            "archive": f"msgraph://{self.person.address}/calendars/Archive {number}",
            "create_archive_calendar": True,
            "time_zone": "UTC",
        }
        return await self.api("POST", "v1/archive-configurations", wanted, token=token)

    async def max_local_calendars(self, number: int, token: str) -> Response:
        body = {"store": "local", "name": f"Number {number}"}
        return await self.api("POST", f"v1/users/{self.person.id}/calendars", body, token=token)

    async def max_local_events(self, number: int, token: str) -> Response:
        path = f"v1/local-calendars/{self.diary}/events"
        return await self.api("POST", path, EVENT | {"subject": f"Number {number}"}, token=token)

    async def max_category_rules(self, number: int, token: str) -> Response:
        rule = {
            "user_id": str(self.person.id),
            "relation": "subject",
            "match": f"Number {number}",
            "category": "Acme - billable",
        }
        return await self.api("POST", "v1/category-rules", rule, token=token)


@pytest.fixture
async def adding(api: Caller, people: People) -> Adding:
    found = Adding(api, people)
    made = await found.max_local_calendars(0, people.ada.token)
    found.diary = made.json["local_calendar_id"]
    return found


#: Each limit, where the refusal names the person, and how many the fixture made.
LIMITS = (
    ("max_archive_configurations", "user_id", 0),
    ("max_local_calendars", "id", 1),
    ("max_local_events", "id", 0),
    ("max_category_rules", "user_id", 0),
)
EACH = pytest.mark.parametrize(("name", "field", "made"), LIMITS)


@EACH
async def test_one_more_than_the_limit_is_refused_until_it_is_raised(
    api: Caller, people: People, adding: Adding, name: str, field: str, made: int
) -> None:
    add: Add = getattr(adding, name)
    await allow(api, people, **{name: made + 2})
    # Entered by an Admin it counts the same.
    for number, token in ((1, people.ada.token), (2, people.admin)):
        assert (await add(number, token)).status == 201
    for token in (people.ada.token, people.admin):
        refused(await add(3, token), name, made + 2, field)
    await allow(api, people, **{name: made + 3})
    assert (await add(3, people.ada.token)).status == 201
    # Lowered below what there is, everything stays and nothing is added.
    await allow(api, people, **{name: 1})
    refused(await add(4, people.ada.token), name, 1, field)
    await allow(api, people, **{name: None})
    assert (await add(4, people.ada.token)).status == 201


@EACH
async def test_of_many_at_once_no_more_pass_than_there_is_room(
    api: Caller, people: People, adding: Adding, name: str, field: str, made: int
) -> None:
    await allow(api, people, **{name: made + 2})
    add: Add = getattr(adding, name)
    answers = await asyncio.gather(*(add(number, people.ada.token) for number in range(1, 7)))
    assert sorted(answer.status for answer in answers) == [201, 201, *[422] * 4]
    for answer in answers:
        if answer.status != 201:
            refused(answer, name, made + 2, field)


async def test_what_is_deleted_makes_room(api: Caller, people: People, adding: Adding) -> None:
    token = people.ada.token
    await allow(api, people, max_archive_configurations=1, max_local_calendars=1, max_local_events=1)
    for add, path in (
        (adding.max_archive_configurations, "v1/archive-configurations/{id}"),
        (adding.max_local_events, f"v1/local-calendars/{adding.diary}/events/{{id}}"),
    ):
        made = await add(1, token)
        assert (await add(2, token)).status == 422
        gone = await api("DELETE", path.format(**made.json), token=token, headers={"if-match": "*"})
        assert gone.status == 204
        assert (await add(2, token)).status == 201


async def test_a_refused_configuration_leaves_no_calendar_behind(
    api: Caller, people: People, adding: Adding
) -> None:
    await allow(api, people, max_archive_configurations=1)
    assert (await adding.max_archive_configurations(1, people.ada.token)).status == 201
    assert (await adding.max_archive_configurations(2, people.ada.token)).status == 422
    listed = await api("GET", f"v1/users/{people.ada.id}/calendars", token=people.ada.token)
    assert "Archive 2" not in [each["name"] for each in listed.json["items"]]


async def test_a_local_archive_calendar_that_would_be_one_too_many_is_named(
    api: Caller, people: People, adding: Adding
) -> None:
    await allow(api, people, max_local_calendars=1)
    wanted = {
        "user_id": str(people.ada.id),
        "name": "Here",
        "source": f"msgraph://{people.ada.address}/calendar",
        "archive": f"local://{people.ada.address}/calendars/Further",
        "create_archive_calendar": True,
        "time_zone": "UTC",
    }
    answer = await api("POST", "v1/archive-configurations", wanted, token=people.ada.token)
    refused(answer, "max_local_calendars", 1, "archive")


async def fill(database: Database, calendar: str, amount: int, **columns: Any) -> None:
    """Put events into a local calendar as they stand in the table."""
    async with database.session() as session:
        make = Factory(session)
        row = await session.get_one(LocalCalendar, calendar)
        sample = await make.local_event(row, **columns)
        values = {column.name: getattr(sample, column.name) for column in LocalEvent.__table__.columns}
        copies = [values | {"id": uuid4(), "transaction_id": None} for _ in range(amount - 1)]
        if copies:
            await session.execute(insert(LocalEvent), copies)


async def test_archived_copies_do_not_count(
    api: Caller, people: People, adding: Adding, database: Database
) -> None:
    await fill(database, adding.diary, 5, archive_key="a" * 64)
    await allow(api, people, max_local_events=1)
    assert (await adding.max_local_events(1, people.ada.token)).status == 201
    refused(await adding.max_local_events(2, people.ada.token), "max_local_events", 1, "id")


async def test_events_entered_far_from_the_limit_and_near_it_do_not_pass_it_together(
    api: Caller, people: People, adding: Adding, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than the transactions that there can be at a time, as it is.
    monkeypatch.setattr(person_limits, "AT_ONCE", 12)
    await allow(api, people, max_local_events=20)
    await fill(database, adding.diary, 6)
    answers = await asyncio.gather(*(adding.max_local_events(n, people.ada.token) for n in range(24)))
    assert [answer.status for answer in answers].count(201) == 14
    async with database.session() as session:
        assert len((await session.execute(select(LocalEvent.id))).all()) == 20


class TestExports:
    async def test_one_a_day_of_each_who_asks(
        self, api: Caller, people: People, clock: SteppableClock
    ) -> None:
        path = f"v1/users/{people.ada.id}/exports"
        for token in (people.admin, people.ada.token):
            assert (await api("POST", path, token=token)).status == 202
            await api.durable.prepare_export()
        for token in (people.ada.token, people.admin):
            refused(await api("POST", path, token=token), "max_exports_per_day", 1, "id")
        assert (await api("POST", f"v1/users/{people.bob.id}/exports", token=people.admin)).status == 202
        clock.advance(hours=23, minutes=59)
        assert (await api("POST", path, token=people.ada.token)).status == 422
        clock.advance(minutes=2)
        assert (await api("POST", path, token=people.ada.token)).status == 202

    async def test_a_failed_one_does_not_count_and_the_setting_does(
        self, api: Caller, people: People
    ) -> None:
        path = f"v1/users/{people.ada.id}/exports"
        failed = await api("POST", path, token=people.ada.token)
        exports = api.app.people.exports
        async with exports.acting_for(UUID(failed.json["id"])):
            await exports.fail(UUID(failed.json["id"]), "no room")
        for _ in range(2):
            await allow(api, people, max_exports_per_day=2)
            assert (await api("POST", path, token=people.ada.token)).status == 202
            await api.durable.prepare_export()
        refused(await api("POST", path, token=people.ada.token), "max_exports_per_day", 2, "id")

    async def test_of_many_at_once_one_is_made(self, api: Caller, people: People) -> None:
        path = f"v1/users/{people.ada.id}/exports"
        answers = await asyncio.gather(*(api("POST", path, token=people.ada.token) for _ in range(4)))
        assert {answer.status for answer in answers} == {202}
        assert len({answer.json["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_local_events", 0), ("max_category_rules", 2_001), ("max_exports_per_day", "1")],
)
async def test_a_limit_that_means_nothing_is_refused(
    api: Caller, people: People, name: str, value: Any
) -> None:
    answer = await api("PATCH", SETTINGS, {name: value}, token=people.admin, headers={"if-match": "*"})
    assert answer.status == 422
    assert answer.fields == [name]


async def test_the_limits_in_force_are_told(api: Caller, people: People) -> None:
    told = (await api("GET", SETTINGS, token=people.auditor)).json
    assert {name: told[name] for name in told if name.startswith("max_")} == {
        "max_archive_configurations": 20,
        "max_local_calendars": 20,
        "max_local_events": 20_000,
        "max_category_rules": 500,
        "max_exports_per_day": 1,
    }
