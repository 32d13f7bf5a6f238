"""An export asked for by an Admin shows private events by their times alone (domain.md 6.3, 15.2)."""

import io
import zipfile
from typing import Any
from uuid import UUID

from shared.database.engine import Database
from shared.database.models.users import User
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.support.factories import Factory, record

SECRET = "Surgeon"


async def exported(api: Caller, people: People, token: str) -> str:
    asked = await api("POST", f"v1/users/{people.ada.id}/exports", token=token)
    assert asked.status == 202, asked.json
    export = UUID(asked.json["id"])
    async with api.app.people.exports.acting_for(export):
        await api.app.people.exports.prepare(export)
    return str(export)


async def content(api: Caller, export: str, token: str) -> str:
    got = await api("GET", f"v1/user-exports/{export}/content", token=token)
    assert got.status in (200, 206), got.body
    with zipfile.ZipFile(io.BytesIO(got.body)) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())


async def fill(people: People, database: Database) -> None:
    async with database.session() as session:
        make = Factory(session)
        ada, bob = [await session.get_one(User, each.id) for each in (people.ada, people.bob)]
        configuration = await make.configuration(ada)
        event = await make.archived_event(configuration)
        secret: dict[str, Any] = {"subject": SECRET, "body": SECRET, "sensitivity": "private"}
        await make.appointment(event, **secret)
        await make.appointment(await make.archived_event(configuration), subject="Steering")
        await make.local_event(await make.local_calendar(ada), **secret)
        await make.operation(await make.run(configuration), event, record=record(**secret), payload=secret)
        over_bob = await make.configuration(ada, source_person_id=bob.object_id)
        await make.appointment(await make.archived_event(over_bob), subject="Bob's own")


async def test_the_person_has_all_of_theirs_and_an_admin_the_times(
    api: Caller, people: People, database: Database
) -> None:
    await fill(people, database)
    own = await exported(api, people, people.ada.token)
    text = await content(api, own, people.ada.token)
    assert SECRET in text
    assert "Steering" in text
    # What she archived of Bob's calendar is about Bob.
    assert "Bob's own" not in text
    problem(await api("GET", f"v1/user-exports/{own}/content", token=people.admin), 403, "own_export")
    asked = await content(api, await exported(api, people, people.admin), people.admin)
    assert SECRET not in asked
    assert "Steering" in asked
