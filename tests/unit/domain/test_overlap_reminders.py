"""Reminders after 1, 3 and 7 days, each once, missed ones made up for by the latest alone (domain.md 5.8)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.overlaps.reminders import REMIND_AFTER, due_reminder

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def numbers(ticks: list[timedelta]) -> list[int]:
    """The reminders that a group gets which waits from ``START`` on, looked at at these times."""
    sent, remind_at = 0, START + REMIND_AFTER[0]
    found = []
    for tick in ticks:
        due = due_reminder(remind_at, sent, START + tick) if remind_at is not None else None
        if due is not None:
            assert due.waiting_since == START
            found.append(due.number)
            sent, remind_at = due.number, due.next_at  # type: ignore[assignment]
    return found


def test_each_comes_once_when_its_day_is_over() -> None:
    hours = [timedelta(hours=hour) for hour in range(24 * 40)]
    assert numbers(hours) == [1, 2, 3]
    assert numbers([DAY - timedelta(seconds=1)]) == []
    assert numbers([DAY, DAY, 3 * DAY, 7 * DAY]) == [1, 2, 3]


def test_what_was_missed_is_made_up_for_once() -> None:
    assert numbers([4 * DAY, 4 * DAY, 7 * DAY]) == [2, 3]
    assert numbers([8 * DAY, 9 * DAY]) == [3]


@given(st.lists(st.integers(0, 24 * 20), max_size=40))
def test_whenever_it_is_looked_at_each_comes_at_most_once_and_the_latest_always(hours: list[int]) -> None:
    ticks = sorted(timedelta(hours=hour) for hour in hours)
    found = numbers(ticks)
    assert found == sorted(set(found))
    passed = sum(wait <= max(ticks, default=timedelta(0)) for wait in REMIND_AFTER)
    assert (found or [0])[-1] == passed
