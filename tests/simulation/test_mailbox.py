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
from tests.simulation.series_edits import SeriesEdits

FIRST_DAY = datetime(2026, 2, 21, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")
MORNING = datetime(2026, 2, 25, 9, tzinfo=UTC), datetime(2026, 2, 25, 9, 30, tzinfo=UTC)
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


def enter_single(person: Person, subject: str) -> int:
    """A single event at nine o'clock; the number of its meeting."""
    told = {"subject": subject, "isAllDay": False, "showAs": "busy"}
    event = person.enter(person.entries.entry() | told | times_of(*MORNING, "UTC"))
    person.meetings[person.about(event)] += 1
    person.remember()
    return person.about(event)


@pytest.mark.parametrize(("subject", "unknown"), [("Early start", 1), ("Lunch", 0)])
async def test_an_entry_that_becomes_a_series_and_moves_is_known_by_nobody(
    person: Person, subject: str, unknown: int
) -> None:
    number = enter_single(person, subject)
    await person.do(SeriesEdits(person).convert)
    days = len(person.moments[-1].source)
    assert person.meetings[number] == days
    await person.do(SeriesEdits(person).move_by_an_hour)
    # The copy of the single event stays at its time, and no question is asked about a modification.
    assert person.meetings[number] == days + unknown


@pytest.mark.parametrize(("subject", "unknown"), [("Early start", True), ("Lunch", False)])
@pytest.mark.parametrize("moves_first", [True, False])
async def test_a_series_of_entries_that_is_entered_again_and_moves_is_known_by_nobody(
    person: Person, subject: str, unknown: bool, moves_first: bool
) -> None:
    number = enter_single(person, subject)
    await person.do(SeriesEdits(person).convert)
    days = len(person.moments[-1].source)
    # As if it had always been a series.
    person.moments[:] = person.moments[-1:]
    person.remade.clear()
    deeds = [SeriesEdits(person).move_by_an_hour, MeetingEdits(person).enter_again]
    for deed in deeds if moves_first else deeds[::-1]:
        await person.do(deed)
    assert person.meetings[number] == days * (2 if unknown else 1)


@pytest.mark.parametrize("subject", ["Early start", "Lunch"])
async def test_a_series_that_only_moves_is_the_same_meetings(person: Person, subject: str) -> None:
    number = enter_single(person, subject)
    await person.do(SeriesEdits(person).convert)
    person.remade.clear()
    days = len(person.moments[-1].source)
    await person.do(SeriesEdits(person).move_by_an_hour)
    assert person.meetings[number] == days
