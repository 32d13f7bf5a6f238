"""The comparison with ical.js: what RFC 5545 explains passes, all else is told."""

from collections import Counter
from datetime import date

import pytest

from tests.support.icaljs_differences import KINDS, unexplained
from tests.support.icaljs_oracle import Occurrence
from tests.support.random_calendars import RandomCalendar

BERLIN = "Europe/Berlin"


def calendar(rule: str = "FREQ=DAILY") -> RandomCalendar:
    text = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n"
    return RandomCalendar(1, text, text.encode(), BERLIN, date(2025, 1, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("start", "theirs", "ours", "kind"),
    [
        ("2025-03-30T02:15", "2025-03-30T00:15", "2025-03-30T01:15", "time in a gap"),
        ("2025-10-26T02:15", "2025-10-26T01:15", "2025-10-26T00:15", "time that occurs twice"),
    ],
)
def test_a_time_beside_a_change_of_the_clock_is_explained(
    start: str, theirs: str, ours: str, kind: str
) -> None:
    seen: Counter[str] = Counter()
    assert unexplained(calendar(), [("a", ours)], [Occurrence("a", start, BERLIN, theirs)], seen) is None
    assert seen == {kind: 1}


@pytest.mark.parametrize("rule", ["FREQ=YEARLY;BYDAY=20MO", "FREQ=YEARLY;BYWEEKNO=20,30;BYDAY=MO"])
def test_a_rule_that_it_cannot_read_is_explained_for_its_own_event_alone(rule: str) -> None:
    wrong = Occurrence("a", "2025-06-02T10:00", BERLIN, "2025-06-02T08:00")
    seen: Counter[str] = Counter()
    assert unexplained(calendar(rule), [], [wrong], seen) is None
    assert sum(seen.values()) == 1
    other = Occurrence("b", wrong.start, BERLIN, wrong.instant)
    assert "only in ical.js [('b', '2025-06-02T08:00')]" in str(
        unexplained(calendar(rule), [], [other], seen)
    )


def test_all_else_is_told() -> None:
    wrong = Occurrence("a", "2025-06-02T10:00", BERLIN, "2025-06-02T09:00")
    told = unexplained(calendar(), [("a", "2025-06-02T08:00")], [wrong], Counter())
    assert told == (
        "seed 1: only loaded [('a', '2025-06-02T08:00')], only in ical.js [('a', '2025-06-02T09:00')]"
    )


def test_each_kind_has_the_words_that_decide() -> None:
    assert all(kind.section.startswith("3.") and kind.words.endswith(".") for kind in KINDS)


def test_a_date_of_both_rule_and_rdate_counts_once() -> None:
    dated = calendar("FREQ=DAILY\nRDATE;VALUE=DATE:20250302")
    one = Occurrence("a", "2025-03-02", "date", "2025-03-02")
    seen: Counter[str] = Counter()
    assert unexplained(dated, [("a", "2025-03-02")], [one, one], seen) is None
    assert seen == {"date of both RRULE and RDATE": 1}
    assert unexplained(calendar(), [("a", "2025-03-02")], [one, one], Counter()) is not None
