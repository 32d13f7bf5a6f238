"""Nobody tests a word of another person's private event by changing what the product goes by (6.3)."""

from typing import Any

import pytest

from tests.integration.api.caller import Caller
from tests.integration.api.conftest import People, Person
from tests.integration.api.test_archive_configurations import create
from tests.integration.privacy.conftest import RANGE, WINDOW, Drive, Enter, archive

#: One that tells nothing of the private events, and one that every private subject holds.
WORDS = (["rail"], ["surgeon"])
#: What differs between two people, and the place of a write, which the order of ids decides.
_OF_EACH = {"requested_by", "source_keys", "position"}


@pytest.fixture
def diary(people: People, enter: Enter) -> None:
    """Ada's month: two customers' meetings, and private events beside and over them."""
    acme = {"categories": ["Acme - billable"]}
    enter(people.ada, "Steering", 2, 9, **acme)
    enter(people.ada, "Board", 3, 9, **acme, importance="high")
    enter(people.ada, "Surgeon", 4, 9, sensitivity="private")
    enter(people.ada, "Surgeon again", 5, 9, sensitivity="personal", categories=["Zenith - billable"])
    enter(people.ada, "Surgeon, free", 6, 9, sensitivity="confidential", showAs="free")
    enter(people.ada, "Extended", 2, 10, sensitivity="private")
    enter(people.ada, "Train", 9, 9)


async def timesheet(api: Caller, people: People) -> str:
    made = await create(
        api, people.ada, name="Timesheet", purpose="timesheet", overlap_policy="auto", time_zone="UTC"
    )
    assert made.status == 201, made.json
    return str(made.json["id"])


async def set_words(api: Caller, people: People, words: list[str]) -> None:
    changed = await api(
        "PATCH",
        "v1/system/settings",
        {"travel_words": words},
        token=people.admin,
        headers={"if-match": "*"},
    )
    assert changed.status == 200, changed.json


async def test_the_plan_for_others_is_the_same_whatever_the_words(
    api: Caller, people: People, diary: None
) -> None:
    configuration = await timesheet(api, people)
    path = f"v1/archive-configurations/{configuration}/plan"
    shown, own = [], []
    for words in WORDS:
        await set_words(api, people, words)
        shown.append((await api("GET", path, token=people.admin, **WINDOW)).json)
        own.append((await api("GET", path, token=people.ada.token, **WINDOW)).json)
    assert shown[0] == shown[1]
    assert "urgeon" not in str(shown)
    plan = shown[0]
    assert plan["private"] == 4
    private = [event for event in plan["events"] if event["subject"] == "Private"]
    assert len(private) == 4
    told = [{key: value for key, value in event.items() if key not in ("start", "end")} for event in private]
    assert told == [dict.fromkeys(told[0]) | {"subject": "Private"}] * 4
    assert sum(plan["actions"].values()) == 3
    # An Admin's words are tried on no private event, with any reader of the plan.
    assert own[0] == own[1]
    assert own[0]["private"] == 0


async def test_a_run_and_its_record_tell_others_the_same_whatever_the_words(
    api: Caller, people: People, diary: None, drive: Drive
) -> None:
    configuration = await timesheet(api, people)
    answers: list[Any] = []
    for words in WORDS:
        await set_words(api, people, words)
        run = await archive(api, configuration, people.admin, drive)
        got = (await api("GET", f"v1/archive-runs/{run}", token=people.admin)).json
        operations = (await api("GET", f"v1/archive-runs/{run}/operations", token=people.admin)).json
        listed = await api(
            "GET", "v1/appointments", token=people.admin, configuration_id=configuration, **RANGE
        )
        statistics = await api(
            "GET", "v1/categories/statistics", token=people.admin, configuration_id=configuration, **RANGE
        )
        audit = (await api("GET", "v1/audit", token=people.admin, resource_id=run)).json["items"]
        assert "urgeon" not in str((got, operations, listed.json, audit))
        report = {
            name: got["report"].get(name) for name in ("private", "source_events", "left_out", "failed")
        }
        answers.append(
            (report, got["writes_total"] + got["report"]["unchanged"], listed.json, statistics.json)
        )
    assert answers[0] == answers[1]
    assert answers[0][0] == {"private": 4, "source_events": 7, "left_out": 1, "failed": 0}
    assert {each["subject"] for each in answers[0][2]["items"]} == {"Steering", "Board"}
    # An Admin's words are tried on no private event: nothing of it is archived for Ada herself either.
    own = await api("GET", "v1/appointments", token=people.ada.token, **RANGE)
    assert "Surgeon" not in {each["subject"] for each in own.json["items"]}


@pytest.mark.parametrize("policy", ["auto", "flag", "keep_all"])
async def test_a_private_journey_over_a_meeting_tells_others_nothing(
    api: Caller, people: People, enter: Enter, drive: Drive, policy: str
) -> None:
    answers = []
    for person, subject in ((people.ada, "Flight to the surgeon"), (people.bob, "At the surgeon")):
        enter(person, "Steering", 2, 9, categories=["Acme - billable"])
        enter(person, "Board", 2, 9, categories=["Zenith - billable"], showAs="tentative")
        enter(person, "Review", 3, 9, categories=["Acme - billable"], showAs="tentative")
        for day in (2, 3):
            enter(person, subject, day, 9, sensitivity="private", importance="high")
        fields = {"purpose": "timesheet", "overlap_policy": policy, "time_zone": "UTC"}
        made = await create(api, person, name="Timesheet", **fields)
        run = await archive(api, str(made.json["id"]), people.admin, drive)
        answers.append(await everything_told(api, people.admin, person, str(made.json["id"]), run))
    assert answers[0] == answers[1]


async def everything_told(api: Caller, token: str, person: Person, configuration: str, run: str) -> Any:
    """All that others get to know of a run, without ids and clocks."""
    paths: dict[str, dict[str, Any]] = {
        f"v1/archive-configurations/{configuration}/plan": WINDOW,
        f"v1/archive-runs/{run}": {},
        f"v1/archive-runs/{run}/operations": {},
        "v1/appointments": {"configuration_id": configuration, **RANGE},
        "v1/overlaps": {"user_id": str(person.id)},
        "v1/categories/statistics": {"user_id": str(person.id), **RANGE},
        "v1/categories/suggestions": {"user_id": str(person.id), **RANGE},
        "v1/categories/validation": {"user_id": str(person.id), **RANGE},
        "v1/notifications": {},
    }
    told = {}
    for path, query in paths.items():
        answer = await api("GET", path, token=token, **query)
        assert answer.status == 200, (path, answer.json)
        told[path.replace(configuration, "").replace(run, "")] = _without_ids(answer.json)
    return told


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if not key.endswith(("_at", "id", "key"))}
        return {key: _without_ids(each) for key, each in kept.items() if key not in _OF_EACH}
    # The order of what starts together follows the ids.
    return sorted(map(_without_ids, value), key=str) if isinstance(value, list) else value


async def test_a_rule_that_somebody_else_makes_is_never_tried_on_a_private_event(
    api: Caller, people: People, diary: None, drive: Drive
) -> None:
    configuration = str((await create(api, people.ada, time_zone="UTC")).json["id"])
    await archive(api, configuration, people.ada.token, drive)
    answers = []
    for number, word in enumerate(("Surgeon", "Nothing")):
        rule = {
            "user_id": str(people.ada.id),
            "relation": "subject",
            "match": word,
            "category": f"Probe {number} - billable",
            "auto_apply": True,
        }
        made = await api("POST", "v1/category-rules", rule, token=people.admin)
        assert made.status == 201, made.json
        wanted = {"user_id": str(people.ada.id), "rules": RANGE}
        applied = await api("POST", "v1/categories/suggestions/apply", wanted, token=people.admin)
        suggested = await api(
            "GET", "v1/categories/suggestions", token=people.admin, user_id=str(people.ada.id), **RANGE
        )
        answers.append((applied.status, applied.json, [each["subject"] for each in suggested.json["items"]]))
    assert answers[0] == answers[1]
    assert answers[0][1]["items"] == []
