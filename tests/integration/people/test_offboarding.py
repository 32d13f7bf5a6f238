"""A person leaves: their work stops at once and cleanly, and their archive stays (domain.md 15.1)."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.overlaps import OverlapGroup
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archive_run import RunKind, RunState
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.api.test_archive_configurations import create
from tests.support.factories import Factory


async def test_runs_end_jobs_pause_and_the_person_is_deactivated(
    api: Caller, people: People, database: Database
) -> None:
    made = (await create(api, people.ada)).json
    async with database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, UUID(made["id"]))
        make = Factory(session)
        running = (await make.run(configuration, state=RunState.RUNNING)).id
        queued = (await make.run(configuration, kind=RunKind.RETRY)).id
        appointment = (await make.appointment(await make.archived_event(configuration))).id
        events = [await make.archived_event(configuration) for _ in range(2)]
        group = (await make.overlap_group(*events, expires_at=datetime(2099, 1, 1, tzinfo=UTC))).id
    answer = await api("POST", f"v1/users/{people.ada.id}/offboard", token=people.admin)
    assert answer.status == 200, answer.json
    told = answer.json
    assert (told["runs_cancelled"], told["runs_ending"], told["jobs_paused"]) == (1, 1, 1)
    assert told["deactivated"] is True
    assert told["overlaps_expiring"] == 1
    await api.app.review.overlap_resolving.expire_due()
    assert told["export"] == f"/api/v1/users/{people.ada.id}/exports"
    async with database.session() as session:
        user = await session.get_one(User, people.ada.id)
        assert not user.active
        assert (await session.get_one(OverlapGroup, group)).status == OverlapStatus.EXPIRED
        assert user.offboarded_at is not None
        first, second = await session.get_one(ArchiveRun, running), await session.get_one(ArchiveRun, queued)
        # The run itself reconciles what it sent.
        assert (first.state, first.cancel_requested) == (RunState.RUNNING, True)
        assert second.state == RunState.CANCELLED
        assert (await session.get_one(Job, await _job(session, configuration.id))).paused
    problem(await api("GET", "v1/users", token=people.ada.token), 403, "user_deactivated")
    kept = await api("GET", f"v1/appointments/{appointment}", token=people.admin)
    assert kept.status == 200
    api.durable = object()
    asked = await api("POST", f"v1/archive-configurations/{made['id']}/runs", token=people.admin)
    problem(asked, 409, "user_deactivated")


async def test_again_changes_nothing_and_an_old_version_is_refused(api: Caller, people: People) -> None:
    path = f"v1/users/{people.ada.id}/offboard"
    problem(await api("POST", path, token=people.admin, headers={"if-match": '"7"'}), 412)
    first = await api("POST", path, token=people.admin, headers={"if-match": '"1"'})
    assert first.headers["etag"] == '"2"'
    again = await api("POST", path, token=people.admin)
    assert (again.json["deactivated"], again.headers["etag"]) == (False, '"2"')
    assert again.json["offboarded_at"] == first.json["offboarded_at"]
    audit = await api("GET", "v1/audit", token=people.admin, action="user.offboarded")
    assert len(audit.json["items"]) == 1


async def test_who_comes_back_is_offboarded_no_more(api: Caller, people: People) -> None:
    path = f"v1/users/{people.ada.id}"
    await api("POST", f"{path}/offboard", token=people.admin)
    back = await api("PATCH", path, {"active": True}, token=people.admin, headers={"if-match": "*"})
    assert (back.json["active"], back.json["offboarded_at"]) == (True, None)


@pytest.mark.parametrize("path", ["offboard", "erasures"])
async def test_nobody_offboards_or_erases_themself(api: Caller, people: People, path: str) -> None:
    own = api.person(people.ada.oid, "Admin")
    answer = await api("POST", f"v1/users/{people.ada.id}/{path}", token=own)
    if path == "erasures":
        answer = await api("POST", f"v1/user-erasures/{answer.json['id']}/confirm", token=own)
    problem(answer, 409, "own_account")


async def _job(session: object, configuration_id: UUID) -> UUID:
    from sqlalchemy import select

    statement = select(Job.id).where(Job.configuration_id == configuration_id)
    return (await session.execute(statement)).scalars().first()  # type: ignore[attr-defined, no-any-return]
