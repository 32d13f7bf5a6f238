"""One source and one archive calendar belong to one configuration (domain.md 2.19)."""

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlalchemy import update

from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.services.configurations import saving as archive_configurations
from tests.integration.api.caller import Caller, Response, problem
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import PATH, count, create
from tests.integration.api.test_changes import audited, change
from tests.support.factories import Factory


def refused(response: Response) -> str:
    """What the refusal says."""
    problem(response, 422, "archive_in_use")
    assert response.fields == ["archive"]
    return str(response.json["errors"][0]["message"])


async def older_and_newer(api: Caller, person: Person, database: Database) -> tuple[Any, Any]:
    """Two configurations of one pair, as they stood when pairs were first refused."""
    older = (await create(api, person)).json
    newer = (
        await create(api, person, name="Newer", archive=f"msgraph://{person.address}/calendars/Team")
    ).json
    async with database.session() as session:
        await session.execute(
            update(ArchiveConfiguration)
            .where(ArchiveConfiguration.id == UUID(newer["id"]))
            .values(archive_calendar_id=older["archive_calendar_id"], archive_in_use=True)
        )
        await session.execute(
            update(Job)
            .where(Job.configuration_id == UUID(newer["id"]))
            .values(paused=True, waits_for_pair=True)
        )
    return older, newer


class TestCreating:
    async def test_the_same_pair_is_refused_however_its_calendars_are_named(
        self, api: Caller, people: People, database: Database
    ) -> None:
        first = (await create(api, people.ada)).json
        by_id = f"msgraph://{people.ada.oid}/calendars"
        for source, archive in (
            ("msgraph://ADA@example.com/calendar", "msgraph://ada@example.com/calendars/archive"),
            (
                "msgraph://ada@example.com/calendars/Calendar",
                f"{by_id}/{quote(first['archive_calendar_id'], safe='')}",
            ),
            (
                f"{by_id}/{quote(first['source_calendar_id'], safe='')}",
                "msgraph://ada@example.com/calendars/Archive",
            ),
        ):
            response = await create(api, people.ada, name="Again", source=source, archive=archive)
            assert first["id"] in refused(response)
            wanted: dict[str, Any] = {"source": source, "archive": archive, "create_archive_calendar": True}
            refused(await create(api, people.ada, name="Again", **wanted))
        assert await count(database) == 1

    async def test_an_inactive_one_holds_its_pair_and_a_deleted_one_does_not(
        self, api: Caller, people: People
    ) -> None:
        first = (await create(api, people.ada)).json
        path, token = f"{PATH}/{first['id']}", people.ada.token
        off = await change(api, "POST", f"{path}/deactivate", None, token, None)
        refused(await create(api, people.ada, name="Again"))
        gone = await change(api, "DELETE", path, None, token, off.headers["etag"])
        assert gone.status == 204
        assert (await create(api, people.ada, name="Again")).status == 201

    async def test_different_sources_may_share_an_archive_and_one_source_have_several(
        self, api: Caller, people: People
    ) -> None:
        ada = f"msgraph://{people.ada.address}"
        assert (await create(api, people.ada)).status == 201
        team = await create(api, people.ada, name="Team", source=f"{ada}/calendars/Team")
        assert team.status == 201, team.json
        second = f"{ada}/calendars/Second"
        made = await create(api, people.ada, name="Second", archive=second, create_archive_calendar=True)
        assert made.status == 201, made.json

    async def test_of_two_at_once_one_wins_and_the_other_is_told(
        self, api: Caller, people: People, database: Database
    ) -> None:
        answers = await asyncio.gather(*(create(api, people.ada, name=f"Race {n}") for n in range(4)))
        assert sorted(answer.status for answer in answers) == [201, 422, 422, 422]
        for answer in answers:
            if answer.status == 422:
                refused(answer)
        assert await count(database) == 1

    async def test_the_database_refuses_what_nobody_asked_about(
        self, api: Caller, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def ask_nobody(*_: Any, **__: Any) -> None:
            return

        await create(api, people.ada)
        monkeypatch.setattr(archive_configurations, "refuse_pair", ask_nobody)
        refused(await create(api, people.ada, name="Again"))

    async def test_a_configuration_that_the_caller_may_not_see_is_not_named(
        self, api: Caller, people: People
    ) -> None:
        bobs = f"msgraph://{people.ada.address}"
        wanted = {"source": f"{bobs}/calendar", "archive": f"{bobs}/calendars/Archive"}
        other = (await create(api, people.bob, token=people.admin, **wanted)).json
        assert other["id"] not in refused(await create(api, people.ada))
        assert other["id"] in refused(await create(api, people.ada, token=people.admin))

    async def test_our_own_calendars_are_told_apart_by_their_ids(self, api: Caller, people: People) -> None:
        token, place = people.ada.token, f"v1/users/{people.ada.id}/calendars"
        made = (await api("POST", place, {"store": "local", "name": "Kept"}, token=token)).json
        assert (await create(api, people.ada, archive=made["reference"])).status == 201
        named = f"local://{people.ada.address}/calendars/KEPT"
        refused(await create(api, people.ada, name="Again", archive=named))


class TestPairsThatWereThere:
    """Of pairs that exist the newer pauses, until the older is deleted."""

    async def test_the_newer_shows_it_and_neither_runs_nor_is_activated(
        self, api: Caller, people: People, database: Database
    ) -> None:
        older, newer = await older_and_newer(api, people.ada, database)
        path, token = f"{PATH}/{newer['id']}", people.ada.token
        seen = (await api("GET", path, token=token)).json
        assert (seen["archive_in_use"], seen["next_run_at"]) == (True, None)
        assert (await api("GET", f"{PATH}/{older['id']}", token=token)).json["archive_in_use"] is False
        window = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-03-02T00:00:00Z"}
        for method, way, body in (
            ("POST", "runs", window),
            ("POST", "activate", None),
            ("POST", "backfill", None),
            ("POST", "rebuild", None),
            ("GET", "plan", None),
        ):
            refused(await api(method, f"{path}/{way}", body, token=token))
        # What does not archive is still possible.
        renamed = await change(api, "PATCH", path, {"name": "Renamed"}, token, f'"{seen["version"]}"')
        assert renamed.status == 200
        planned = await api("GET", f"{PATH}/{older['id']}/plan", token=token)
        assert planned.status == 200, planned.json

    async def test_it_resumes_automatically_when_the_older_is_deleted(
        self, api: Caller, people: People, database: Database
    ) -> None:
        older, newer = await older_and_newer(api, people.ada, database)
        token = people.ada.token
        gone = await change(api, "DELETE", f"{PATH}/{older['id']}", None, token, '"1"')
        assert gone.status == 204
        seen = (await api("GET", f"{PATH}/{newer['id']}", token=token)).json
        assert seen["archive_in_use"] is False
        assert seen["next_run_at"] is not None
        (entry,) = await audited(database, "job.resumed")
        assert entry.resource_id == newer["id"]
        refused(await create(api, people.ada, name="Third"))

    async def test_one_that_was_paused_for_another_reason_stays_paused(
        self, api: Caller, people: People, database: Database
    ) -> None:
        older, newer = await older_and_newer(api, people.ada, database)
        async with database.session() as session:
            await session.execute(update(Job).values(waits_for_pair=False))
        await change(api, "DELETE", f"{PATH}/{older['id']}", None, people.ada.token, '"1"')
        seen = (await api("GET", f"{PATH}/{newer['id']}", token=people.ada.token)).json
        assert (seen["archive_in_use"], seen["next_run_at"]) == (False, None)

    async def test_after_the_older_was_erased_with_its_owner_activation_resumes_it(
        self, api: Caller, people: People, database: Database
    ) -> None:
        older, newer = await older_and_newer(api, people.ada, database)
        async with database.session() as session:
            await session.execute(
                update(ArchiveConfiguration)
                .where(ArchiveConfiguration.id == UUID(older["id"]))
                .values(deleted_at=ArchiveConfiguration.created_at)
            )
        on = await change(api, "POST", f"{PATH}/{newer['id']}/activate", None, people.ada.token, None)
        assert (on.status, on.json["archive_in_use"]) == (200, False)
        assert on.json["next_run_at"] is not None


async def test_the_index_is_the_databases_own_word(database: Database) -> None:
    async with database.session() as session:
        first = await Factory(session).configuration()
    same = {
        name: getattr(first, name)
        for name in (
            *("tenant_id", "owner_id", "source_mailbox_id", "source_calendar_id"),
            *("archive_mailbox_id", "archive_calendar_id", "source_reference", "archive_reference"),
            *("time_zone", "archive_from"),
        )
    }
    with pytest.raises(AlreadyExists) as refusal:
        async with database.session() as session:
            await ArchiveConfigurationRepository(session).add(ArchiveConfiguration(name="Same", **same))
    assert refusal.value.constraint == "uq_archive_configurations_pair"
    async with database.session() as session:
        marked = ArchiveConfiguration(name="Newer", archive_in_use=True, **same)
        await ArchiveConfigurationRepository(session).add(marked)
        others = await ArchiveConfigurationRepository(session).of_pair(marked)
        assert [each.id for each in others] == [first.id]
