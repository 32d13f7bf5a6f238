"""What a simulated person does, and what is remembered of it for the oracles."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.simulation.entries import shifted, times_of
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
    # The old copy stays at its time. The product asks no question about a modification.
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


@pytest.mark.parametrize("renamed", [True, False])
@pytest.mark.parametrize(
    ("minutes", "stays"),
    # The last two overlap, so the owner is asked (domain.md 2.16 e).
    [(60, False), (30, False), (15, True), (0, True)],
)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("becomes_series", [True, False])
async def test_what_comes_again_is_known_by_subject_or_time(
    person: Person, *, renamed: bool, minutes: int, stays: bool, first: bool, becomes_series: bool
) -> None:
    number = enter_single(person, "Lunch")

    def come_again() -> None:
        (SeriesEdits(person).convert if becomes_series else MeetingEdits(person).enter_again)()

    def change() -> None:
        (event,) = person.events()
        subject = {"subject": "Planning"} if renamed else {}
        person.patch(event, **shifted(event, timedelta(minutes=minutes)), **subject)

    for deed in (come_again, change) if first else (change, come_again):
        await person.do(deed)
    days = len(person.moments[-1].source)
    assert person.meetings[number] == days + (renamed and not stays)


async def test_the_unknown_is_counted_once_however_often_it_is_changed(person: Person) -> None:
    number = enter_single(person, "Lunch")
    await person.do(MeetingEdits(person).enter_again)
    for hours in (1, 2, 24):

        def change(by: timedelta = timedelta(hours=hours)) -> None:
            (event,) = person.events()
            person.patch(event, **shifted(event, by), subject=f"Planning {by}")

        await person.do(change)
    assert person.meetings[number] == 2


async def test_an_event_that_came_again_and_is_used_again_counts_once_more(person: Person) -> None:
    number = enter_single(person, "Lunch")
    await person.do(MeetingEdits(person).enter_again)
    await person.do(MeetingEdits(person).drag_to_next_week)
    assert person.meetings[number] == 2
    await person.do(MeetingEdits(person).enter_again_elsewhere)
    assert person.meetings[number] == 3


async def test_another_organizer_at_another_time_is_known_by_nobody(person: Person) -> None:
    number = enter_single(person, "Lunch")
    await person.do(MeetingEdits(person).enter_again)
    await person.do(MeetingEdits(person).replace_organizer)
    assert person.meetings[number] == 1
    (event,) = person.events()
    await person.do(lambda: person.patch(event, **shifted(event, timedelta(hours=1))))
    assert person.meetings[number] == 2


async def test_an_invitation_is_known_by_its_id_at_its_time(person: Person) -> None:
    number = enter_single(person, "Early start")
    await person.do(MeetingEdits(person).recreate)
    (event,) = person.events()
    await person.do(lambda: person.patch(event, subject="Planning"))
    assert person.meetings[number] == 1
    await person.do(lambda: person.patch(event, **shifted(event, timedelta(hours=1))))
    assert person.meetings[number] == 2


def enter_series(person: Person, monkeypatch: pytest.MonkeyPatch, interval: int) -> int:
    """A series of four, each day or every second one; a split leaves two of them. Its number."""
    entry = person.entries.entry() | {"subject": "Lunch", "isAllDay": False, "showAs": "busy"}
    entry |= times_of(*MORNING, "UTC")
    recurrence = person.entries.recurrence(entry)
    recurrence["pattern"]["interval"] = interval
    recurrence["range"]["numberOfOccurrences"] = 4
    event = person.enter(entry | {"recurrence": recurrence})
    person.meetings[person.about(event)] += 4
    person.remember()
    monkeypatch.setattr(person.rng, "randrange", lambda *_: 2)
    choose(person, monkeypatch, 0)
    return person.about(event)


def choose(person: Person, monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    """Whatever the person chooses from then on is the first or the last."""
    monkeypatch.setattr(person.rng, "choice", lambda those: those[which])


@pytest.mark.parametrize(("interval", "unknown"), [(1, 0), (2, 2)])
async def test_the_rest_of_a_series_that_stood_on_other_days_is_known_by_nobody(
    person: Person, monkeypatch: pytest.MonkeyPatch, interval: int, unknown: int
) -> None:
    number = enter_series(person, monkeypatch, interval)
    await person.do(SeriesEdits(person).move_by_a_day)
    # The day after may have been archived with the others.
    assert person.meetings[number] == 5
    await person.do(SeriesEdits(person).split)
    assert person.meetings[number] == 5 + unknown
    choose(person, monkeypatch, -1)
    await person.do(SeriesEdits(person).move_by_an_hour)
    assert person.meetings[number] == 5 + unknown


@pytest.mark.parametrize(("interval", "which", "unknown"), [(1, -1, 0), (2, -1, 2), (2, 0, 0)])
async def test_the_rest_of_a_series_that_moves_to_other_days_is_known_by_nobody(
    person: Person, monkeypatch: pytest.MonkeyPatch, interval: int, which: int, unknown: int
) -> None:
    number = enter_series(person, monkeypatch, interval)
    await person.do(SeriesEdits(person).split)
    assert person.meetings[number] == 4
    choose(person, monkeypatch, which)
    await person.do(SeriesEdits(person).move_by_a_day)
    # What is left of the first series has its id still.
    assert person.meetings[number] == 5 + unknown


@pytest.mark.parametrize(("interval", "unknown"), [(1, 0), (2, 4)])
async def test_a_series_that_is_entered_again_and_moves_to_other_days_is_known_by_nobody(
    person: Person, monkeypatch: pytest.MonkeyPatch, interval: int, unknown: int
) -> None:
    number = enter_series(person, monkeypatch, interval)
    await person.do(MeetingEdits(person).enter_again)
    assert person.meetings[number] == 4
    await person.do(SeriesEdits(person).move_by_a_day)
    assert person.meetings[number] == 5 + unknown
