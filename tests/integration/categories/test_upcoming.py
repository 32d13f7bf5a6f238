"""Suggestions for events that are in the calendar and not in the archive, and applying them there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import RANGE, Record
from tests.support.factories import START, Factory

PATH = "v1/categories/suggestions"
DAY = timedelta(days=1)
ACME = "Acme - billable"

type Put = Callable[..., Any]


@pytest.fixture
async def configuration(api: Caller, database: Database, people: People) -> ArchiveConfiguration:
    """Ada's archive of her primary calendar."""
    mailbox = api.simulator.state.find_mailbox(str(people.ada.oid))
    assert mailbox is not None
    async with database.session() as session:
        return await Factory(session).configuration(
            await session.get_one(User, people.ada.id),
            source_mailbox_id=people.ada.oid,
            source_calendar_id=mailbox.default_calendar.id,
        )


def query(configuration: ArchiveConfiguration, **more: Any) -> dict[str, Any]:
    return RANGE | {"source": "calendar", "configuration_id": configuration.id} | more


async def test_what_the_archive_does_not_hold_is_suggested_for(
    api: Caller, people: People, record: Record, in_outlook: Put, configuration: ArchiveConfiguration
) -> None:
    await record(ACME, subject="Weekly")
    in_outlook("weekly", START + DAY)
    in_outlook("Done", START + 2 * DAY, categories=[ACME])
    in_outlook("Extended", START + 3 * DAY)
    archived = in_outlook("Archived", START + 4 * DAY)
    left_out = in_outlook("Left out", START + 5 * DAY, categories=["Red"])
    in_outlook("Later", START + 60 * DAY)
    for event, state in ((archived, "present"), (left_out, "left_out")):
        source_id = event.id(immutable=True)
        await record(
            event={"source_id": source_id, "source_key": f"s:{source_id}", "state": state},
            start=START - 400 * DAY,
        )
    found = (await api("GET", PATH, token=people.ada.token, **query(configuration))).json
    assert [
        (item["subject"], item["appointment_id"], [each["category"] for each in item["suggestions"]])
        for item in found["items"]
    ] == [("weekly", None, [ACME]), ("Left out", None, [])]
    assert found["items"][1]["event_id"] == left_out.id(immutable=True)
    first = (await api("GET", PATH, token=people.ada.token, **query(configuration, limit=1))).json
    rest = await api(
        "GET", PATH, token=people.ada.token, **query(configuration, limit=1, cursor=first["next"])
    )
    assert first["items"] + rest.json["items"] == found["items"]
    assert rest.json["next"] is None


async def test_a_choice_reaches_the_event_in_its_calendar(
    api: Caller,
    people: People,
    in_outlook: Put,
    configuration: ArchiveConfiguration,
    database: Database,
) -> None:
    event = in_outlook("Weekly")
    choice = {
        "event_id": event.id(immutable=True),
        "configuration_id": str(configuration.id),
        "category": ACME,
    }
    response = await api("POST", f"{PATH}/apply", {"choices": [choice]}, token=people.ada.token)
    (item,) = response.json["items"]
    assert (item["outcome"], item["appointment_id"], item["event_id"]) == (
        "applied",
        None,
        choice["event_id"],
    )
    assert event.fields["categories"] == [ACME]
    async with database.session() as session:
        entry = (
            await session.execute(select(AuditEntry).where(AuditEntry.action == "category.applied"))
        ).scalar_one()
    assert (entry.resource_type, entry.resource_id) == ("event", choice["event_id"])


async def test_only_events_of_the_source_calendar_are_reached(
    api: Caller, people: People, in_outlook: Put, configuration: ArchiveConfiguration
) -> None:
    copy = in_outlook("Copy")
    mailbox = copy.calendar.mailbox
    other = next(each for each in mailbox.calendars.values() if each.name == "Archive")
    api.simulator.state.move(copy, other)

    async def apply(token: str, **fields: Any) -> Any:
        choice = {"event_id": copy.id(immutable=True), "configuration_id": str(configuration.id)}
        body = {"choices": [choice | {"category": ACME} | fields]}
        return await api("POST", f"{PATH}/apply", body, token=token)

    assert (await apply(people.ada.token)).json["items"][0]["outcome"] == "gone"
    assert (await apply(people.bob.token)).json["items"][0]["outcome"] == "not_found"
    assert copy.fields["categories"] == []
    malformed = await apply(people.ada.token, event_id="nonsense")
    problem(malformed, 422, "validation_failed")
    assert malformed.fields == ["choices"]
    alone = await apply(people.ada.token, configuration_id=None)
    assert alone.fields == ["choices.0.configuration_id"]


async def test_anothers_private_events_are_left_out(
    api: Caller, people: People, in_outlook: Put, configuration: ArchiveConfiguration
) -> None:
    secret = in_outlook("Surgeon", sensitivity="private")
    found = await api("GET", PATH, token=people.admin, **query(configuration))
    assert found.json["items"] == []
    choice = {"event_id": secret.id(immutable=True), "configuration_id": str(configuration.id)}
    body = {"user_id": str(people.ada.id), "choices": [choice | {"category": ACME}]}
    applied = await api("POST", f"{PATH}/apply", body, token=people.admin)
    assert applied.json["items"][0]["outcome"] == "not_found"
    mine = await api("GET", PATH, token=people.ada.token, **query(configuration))
    assert [item["subject"] for item in mine.json["items"]] == ["Surgeon"]


async def test_a_calendar_is_named_and_the_range_is_short(
    api: Caller, people: People, configuration: ArchiveConfiguration
) -> None:
    unnamed = await api("GET", PATH, token=people.ada.token, source="calendar", **RANGE)
    assert unnamed.fields == ["configuration_id"]
    long = query(configuration, window_end="2026-06-01T00:00:00Z")
    assert (await api("GET", PATH, token=people.ada.token, **long)).fields == ["window_end"]
    problem(await api("GET", PATH, token=people.bob.token, **query(configuration)), 404)
