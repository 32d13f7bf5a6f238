"""What a simulated person does, and what is remembered of it for the oracles."""

import random
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.simulation.entries import times_of
from tests.simulation.graph_faults import GraphFaults, Weather
from tests.simulation.graph_world import GraphWorld
from tests.simulation.mailbox import Person
from tests.simulation.meeting_edits import MeetingEdits

FIRST_DAY = datetime(2026, 2, 21, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")
EVENING = (datetime(2026, 2, 25, 16, 30, tzinfo=ZONE), datetime(2026, 2, 25, 17, tzinfo=ZONE))


@pytest.fixture
def person() -> Person:
    rng = random.Random(1)
    return Person(rng, GraphWorld(rng, GraphFaults(rng, Weather())), UUID(int=1), FIRST_DAY)


def enter_daily_series(person: Person) -> None:
    """A series whose local date is another than that of UTC."""
    entry = person.entries.entry() | {"isAllDay": False, **times_of(*EVENING, ZONE.key)}
    person.enter(entry | {"recurrence": person.entries.recurrence(entry)})
    person.remember()


async def test_what_a_refused_deed_did_before_is_remembered(person: Person) -> None:
    enter_daily_series(person)

    def delete_and_enter_nonsense() -> None:
        person.delete(person.events()[0])
        person.enter({"subject": "No times"})

    await person.do(delete_and_enter_nonsense)
    assert "refused" in person.log[-1]
    assert person.events() == []
    assert person.moments[-1].source == ()


async def test_a_series_is_entered_again_whatever_its_zone(person: Person) -> None:
    enter_daily_series(person)
    before = person.moments[-1].source
    await person.do(MeetingEdits(person).enter_again)
    after = person.moments[-1].source
    assert person.log == ["enter_again"]
    assert before
    assert {each["id"] for each in after}.isdisjoint(each["id"] for each in before)
    told = ("subject", "start", "end", "originalStartTimeZone", "originalStart")
    assert [[each[name] for name in told] for each in after] == [
        [each[name] for name in told] for each in before
    ]
