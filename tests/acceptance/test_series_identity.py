"""Meetings that are likely the same are asked about and answered, in the running system (domain.md 2.16)."""

import pytest

from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import ACME, Json, Person, accounted, at, meeting, starts, week, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERS = {"Moved": "one_meeting", "Twice": "two_meetings", "Replaced": "new_one_only"}


async def test_likely_meetings_are_answered(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Three meetings are deleted and entered at other times: each of the three answers and its hours."""
    days = {subject: day for day, subject in enumerate(ANSWERS)}
    person = await Person.join(
        stack, "likely", [meeting(subject, at(9, day), 60, **ACME) for subject, day in days.items()]
    )
    archived = await person.configure()
    await person.archive(archived)
    for subject, day in days.items():
        await person.delete(await person.event(subject))
        await person.add(meeting(subject, at(14, day), 120, **ACME))
    own = await person.own_api()

    async def hours() -> float:
        found: Json = (await own.request("GET", "categories/statistics", **week())).json()
        return float(found["lines"][0]["hours"])

    waiting = await person.archive(archived)
    before, items = await hours(), [item async for item in own.items("action-items", status="open")]
    for item in items:
        shown = (await own.request("GET", f"action-items/{item['id']}")).json()
        ((old,), (new,)) = shown["archived"], shown["new"]
        assert (old["subject"], old["start"] < new["start"]) == (new["subject"], True)
        answer = {"answer": ANSWERS[old["subject"]]}
        answered = (await own.request("POST", f"action-items/{item['id']}/answer", answer)).json()
        await person.over(f"archive-runs/{answered['run_id']}")
    copies = await person.events("Archive")
    counting = sorted(f"{starts(copy):%H} {copy['subject']}" for copy in copies if copy["showAs"] != "free")
    again = await person.archive(archived)
    acceptance_point(
        measured=f"{waiting['flagged']} waiting in {len(items)} items, {before} h, then {counting}, "
        f"{await hours()} h, then {written(again)} written",
        bound="3 waiting in 3 items, 3.0 h, then ['09 Twice', '14 Moved', '14 Replaced', '14 Twice'], "
        "7.0 h, then 0 written",
    )
    assert accounted(waiting)
    assert (waiting["flagged"], waiting["archived"], len(items), before) == (3, 0, 3, 3.0)
    assert counting == ["09 Twice", "14 Moved", "14 Replaced", "14 Twice"]
    assert (len(copies), await hours(), written(again)) == (5, 7.0, 0)
    done = [item async for item in own.items("action-items", status="answered")]
    assert all(item["carried_out_at"] is not None for item in done)
