"""A dry run says what the run will do, and does nothing (design.md, Plan)."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared import telemetry
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.domain.planning.decision import Action
from shared.errors import NotFound
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.previewing import Preview, Previewer
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World
from tests.unit.domain.map_model import changes, end_of

WEEK = timedelta(days=7)


async def preview(world: World, *, caller: Caller | None = None, limit: int = 100) -> Preview:
    """The plan of the week."""
    ports = ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    asked_by = caller or world.admin
    with telemetry.bind(caller=asked_by, correlation="test"):
        return await Previewer(ports).preview(asked_by, world.configuration_id, DAY, DAY + WEEK, limit)


async def test_what_is_planned_is_what_the_run_does(world: World) -> None:
    noon = DAY + timedelta(hours=12)
    twin = event("Twin", DAY + timedelta(hours=18))
    await world.open(
        [
            event("Steering", noon, categories=["Acme - billable"]),
            event("Extended", noon + timedelta(hours=1), 30, categories=["Acme - billable"]),
            event("Lunch", DAY + timedelta(days=1), categories=["Acme - billable"]),
            event("Free", DAY + timedelta(days=1, minutes=10), showAs="free", categories=["Acme - billable"]),
            event("Private thing", DAY + timedelta(days=2), sensitivity="private"),
            twin,
            twin,
        ],
        overlap_policy="auto",
    )
    before = world.counts()
    planned = await preview(world)
    assert world.counts()["writes"] == before["writes"]
    assert await world.copies() == []
    assert planned.counts == {Action.CREATE: 3, Action.CONSUME: 1, Action.MERGE: 1, Action.LEAVE_OUT: 1}
    assert planned.private == 1
    named = {each.subject: each.decision for each in planned.events if each.decision is not None}
    assert end_of(named["Steering"]) == noon + timedelta(minutes=90)
    assert named["Extended"].action is Action.CONSUME
    (private,) = (each for each in planned.events if each.decision is None)
    assert (private.subject, private.start) == ("Private", DAY + timedelta(days=2))
    assert len(planned.groups) == 1
    report = await world.archive()
    assert (report["archived"], report["consumed"], report["merged"], report["left_out"]) == (4, 1, 1, 1)
    again = await preview(world)
    assert (again.counts[Action.UNCHANGED], again.private) == (3, 1)
    assert not any(changes(each.decision) for each in again.events if each.decision is not None)


async def test_a_long_plan_names_as_many_as_were_asked_for(world: World) -> None:
    await world.open([event(f"Meeting {n}", DAY + timedelta(hours=n), 30) for n in range(10)])
    planned = await preview(world, limit=3)
    assert [each.subject for each in planned.events] == ["Meeting 0", "Meeting 1", "Meeting 2"]
    assert planned.more == 7
    assert planned.counts == {Action.CREATE: 10}


async def test_what_left_the_window_is_counted(world: World) -> None:
    await world.open([event("Stays", DAY), event("Goes", DAY + timedelta(hours=2))])
    await world.archive()
    await world.delete((await world.source("Goes"))["id"])
    planned = await preview(world)
    assert (planned.unseen, planned.counts) == (1, {Action.UNCHANGED: 1})


async def test_nobody_previews_anothers_configuration(world: World) -> None:
    await world.open([event("Secret", DAY)])
    with pytest.raises(NotFound):
        await preview(world, caller=Caller.user(world.tenant_id, uuid4(), [Role.USER]))
    with pytest.raises(NotFound):
        await preview(world, caller=Caller.user(uuid4(), uuid4(), [Role.ADMIN]))
