"""Hours that people see are hours that they would count (domain.md 2.18, 3.3), in the running system."""

import pytest

from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.person import ACME, Json, Person, at, meeting, week

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH: Json = {"categories": ["Acme - billable", "Beta - billable"]}


async def test_what_counts(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Hours are those a person would count: by modification, resolution, category, archive and deletion."""
    events = [
        # Monday: "Extended" is archived alone, and its meeting is entered later.
        meeting("Extended", at(10), 30, **ACME),
        # Tuesday: the owner says that the call inside the workshop did not take place.
        meeting("Workshop", at(9, 1), 120, **ACME),
        meeting("Call", at(10, 1), 30, **ACME),
        # Wednesday: two customers. Thursday: deleted after it was archived. Friday: no hours.
        meeting("Whose", at(9, 2), 540, **BOTH),
        meeting("Deleted", at(9, 3), 60, **ACME),
        meeting("Fair", at(0, 4), 1440, isAllDay=True, **ACME),
        meeting("Focus", at(9, 4), 60, showAs="free", **ACME),
    ]
    person = await Person.join(stack, "counted", events)
    first, second = await person.configure(), await person.configure("Second archive")
    await person.archive(first)
    await person.archive(second)
    own = await person.own_api()

    async def hours(**query: object) -> Json:
        found: Json = (await own.request("GET", "categories/statistics", **(week() | query))).json()
        return found

    alone = (await hours())["lines"][0]["hours"]
    await person.add(meeting("Meeting", at(9), 60, **ACME))
    await person.delete(await person.event("Deleted"))
    await person.archive(first)
    extended = await hours()
    (group,) = [each async for each in own.items("overlaps", configuration_id=first.id)]
    members = (await own.request("GET", f"overlaps/{group['id']}")).json()["members"]
    kept = [member["source_key"] for member in members if member["subject"] == "Workshop"]
    await own.request("POST", f"overlaps/{group['id']}/resolution", {"action": "keep", "kept": kept})
    resolved = await hours(group_by="day")
    (line,) = resolved["lines"]
    by_day = [each["total"]["hours"] for each in resolved["periods"]]
    acceptance_point(
        measured=f"{alone} h, {extended['lines'][0]['hours']} h (net {extended['lines'][0]['net_hours']}), "
        f"{line['hours']} h by customer, {resolved['ambiguous']['hours']} h ambiguous, by day {by_day}",
        bound="4.0 h, 5.0 h (net 4.5), 4.5 h by customer, 9.0 h ambiguous, by day [1.5, 2.0, 9.0, 1.0, …]",
    )
    assert alone == 0.5 + 2 + 0.5 + 1
    assert (extended["lines"][0]["hours"], extended["lines"][0]["net_hours"]) == (5.0, 4.5)
    assert (line["customer"], line["count"], line["hours"], line["net_hours"]) == ("Acme", 3, 4.5, 4.5)
    assert (resolved["ambiguous"]["count"], resolved["ambiguous"]["hours"]) == (1, 9.0)
    assert by_day == [1.5, 2.0, 9.0, 1.0, 0.0, 0.0, 0.0]
    assert resolved["source_deleted"]["hours"] == 1.0
    reasons = {each["reason_code"]: each["count"] for each in resolved["not_counted"]}
    assert reasons == {"consumed": 1, "left_out_by_resolution": 1, "all_day": 1, "free": 1}
    listed = [each async for each in own.items("appointments", configuration_id=first.id, **week())]
    told = {each["subject"]: each["reason_code"] for each in listed}
    assert told == {
        "Extended": "consumed",
        "Meeting": None,
        "Workshop": None,
        "Call": "left_out_by_resolution",
        "Whose": None,
        "Deleted": None,
        "Fair": "all_day",
        "Focus": "free",
    }
    counting = [
        each async for each in own.items("appointments", configuration_id=first.id, counts="true", **week())
    ]
    assert {each["subject"] for each in counting} == {name for name, reason in told.items() if reason is None}
    attention = [each async for each in own.items("categories/validation", **week())]
    assert [each["subject"] for each in attention] == ["Whose", "Fair", "Focus"]
    asked = [each async for each in own.items("categories/suggestions", **week())]
    assert [each["subject"] for each in asked] == ["Whose"]
    assert [each["category"] for each in asked[0]["suggestions"]] == BOTH["categories"]
    export = (await own.request("GET", "categories/statistics", format="csv", **week())).text
    assert "total,,,4,13.50,13.50" in export
