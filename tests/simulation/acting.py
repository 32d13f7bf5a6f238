"""Which of all the things that people do comes next."""

from tests.simulation.mailbox import Deed, Person
from tests.simulation.meeting_edits import MeetingEdits
from tests.simulation.series_edits import SeriesEdits


class Acting:
    """Draws what the person does, some kinds of edits more often than others."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._meetings = meetings = MeetingEdits(person)
        series = SeriesEdits(person)
        self._weights: tuple[tuple[Deed, int], ...] = (
            (meetings.create, 8),
            (meetings.edit, 9),
            (meetings.shift, 5),
            (meetings.delete, 4),
            (meetings.move_to_calendar, 4),
            (meetings.duplicate, 5),
            (meetings.modify, 6),
            (meetings.rezone, 2),
            (meetings.cancel, 2),
            (meetings.decline, 1),
            (meetings.recreate, 2),
            (meetings.enter_again, 7),
            (meetings.enter_again_elsewhere, 4),
            (meetings.call_three_times, 2),
            (meetings.enter_calls_again, 3),
            (meetings.invite_again, 3),
            (meetings.replace_organizer, 2),
            (meetings.drag_to_next_week, 2),
            (series.split, 5),
            (series.split_and_rename, 2),
            (series.except_one, 5),
            (series.drag_onto_another_day, 2),
            (series.move_by_an_hour, 3),
            (series.move_by_a_day, 3),
            (series.change_pattern, 2),
            (series.change_range, 3),
            (series.reset_exceptions, 2),
            (series.convert, 2),
            (series.convert_back, 1),
        )

    def populate(self, count: int) -> None:
        """The first events."""
        for _ in range(count):
            self._meetings.create()
        self._person.remember()

    async def act(self, touch_copy: Deed) -> None:
        """Do one thing to the mailbox, or to some copy by ``touch_copy``."""
        deeds = [deed for deed, _ in self._weights]
        weights = [weight for _, weight in self._weights]
        (deed,) = self._person.rng.choices([*deeds, touch_copy], weights=[*weights, 2])
        await self._person.do(deed)
