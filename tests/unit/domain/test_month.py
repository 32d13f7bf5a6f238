"""The month: what is added up, and what needs its owner, in words (domain.md 2.20)."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.appointments.counting import WhyNot
from shared.domain.categories.category import classify
from shared.domain.categories.issue_texts import issue_words
from shared.domain.categories.statistics import CountedEvent, tally
from shared.domain.months.attention import AttentionKind, attention_of
from shared.domain.months.month import MonthEvent, WorkingTime, month_of
from shared.domain.planning.modifications import Meeting, Modification, ModificationKind
from shared.domain.planning.orphan_modifications import NamedMeeting, why_orphan

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = date(2026, 3, 1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WORKING = WorkingTime(frozenset(range(5)), 8 * HOUR, date(2026, 1, 1), date(2026, 12, 1))
CATEGORIES = st.sampled_from(
    [(), ("Acme - billable",), ("Beta - non-billable",), ("Acme- billable",), ("Red",)]
)


def event(
    start: datetime = START, hours: float = 1, *categories: str, subject: str = "Talk", **facts: object
) -> MonthEvent:
    times = {"start": start, "end": start + timedelta(hours=hours)}
    return MonthEvent(uuid4(), UUID(int=1), f"s:{uuid4()}", subject, **times, categories=categories, **facts)  # type: ignore[arg-type]


@st.composite
def events(draw: st.DrawFn) -> list[MonthEvent]:
    first = datetime(2026, 2, 28, 23, tzinfo=UTC)
    return [
        event(
            first + draw(st.integers(0, 31 * 24 * 4 - 5)) * 15 * MINUTE,
            draw(st.integers(0, 40)) / 4,
            *draw(CATEGORIES),
            why_not=draw(st.sampled_from([None, None, None, WhyNot.FREE, WhyNot.CANCELLED])),
        )
        for _ in range(draw(st.integers(0, 25)))
    ]


@given(events())
def test_weeks_and_days_add_up_to_the_month(found: list[MonthEvent]) -> None:
    month = month_of(MARCH, found, (), BERLIN, WORKING)
    whole = tally(CountedEvent(each.start, each.end) for each in found if each.counts)
    assert month.figures.total == whole
    for parts in (month.weeks, month.days):
        for kind in ("total", "billable", "non_billable", "without_category", "ambiguous"):
            sums = [getattr(part.figures, kind) for part in parts]
            total = getattr(month.figures, kind)
            assert sum((each.net for each in sums), timedelta()) == total.net
            assert sum(each.count for each in sums) == total.count
    kinds = [month.figures.billable, month.figures.non_billable, month.figures.without_category]
    assert sum((each.time for each in kinds), month.figures.ambiguous.time) == whole.time
    customers = [each.total.time for each in month.customers]
    assert sum(customers, timedelta()) == month.figures.billable.time + month.figures.non_billable.time


@given(events())
def test_no_hour_without_a_valid_category_is_left_out_of_what_needs_its_owner(
    found: list[MonthEvent],
) -> None:
    attention = attention_of(found, (), (), {})
    assert [each.time for each in attention] == sorted((each.time for each in attention), reverse=True)
    kinds = (AttentionKind.INVALID_CATEGORY, AttentionKind.NO_CATEGORY)
    month = month_of(MARCH, found, (), BERLIN, WORKING)
    told = sum((each.time for each in attention if each.kind in kinds), timedelta())
    assert told == month.figures.without_category.time


@pytest.mark.parametrize(
    ("category", "reason", "mended"),
    [
        ("Cobalt- billable", "a space is missing before the hyphen", "Cobalt - billable"),
        ("Cobalt -non-billable", "a space is missing after the hyphen", "Cobalt - non-billable"),
        ("Cobalt-Billable", "the spaces around the hyphen are missing", "Cobalt - billable"),
        ("Billable- Cobalt", "a space is missing before the hyphen", "Cobalt - billable"),
        ("Cobalt billable", "the hyphen before the billing type is missing", "Cobalt - billable"),
        ("Cobalt - bilable", "“bilable” is misspelt", "Cobalt - billable"),
        ("Cobalt - Phase 2", "“Phase 2” is no billing type: that is billable or non-billable", None),
        ("- billable", "the customer is missing", None),
        ("billable", "the customer is missing", None),
        ("Cobalt", "it names no billing type: add “ - billable” or “ - non-billable”", None),
    ],
)
def test_what_is_wrong_with_a_category_is_told_in_words(
    category: str, reason: str, mended: str | None
) -> None:
    (issue,) = classify([category]).issues
    words = issue_words(issue)
    assert (words.reason, words.mended) == (reason, mended)


@given(st.text(max_size=40))
def test_what_is_proposed_instead_is_a_valid_category(text: str) -> None:
    for issue in classify([text]).issues:
        mended = issue_words(issue).mended
        assert mended is None or classify([mended]).category is not None


def meeting(subject: str, after: timedelta, *categories: str) -> NamedMeeting:
    start = START + after
    return NamedMeeting(subject, Meeting(subject, start, start + HOUR, start, frozenset(categories)))


@pytest.mark.parametrize(
    ("meetings", "reason"),
    [
        ([], "no meeting ends near it"),
        (
            [meeting("Talk", -20 * MINUTE)],
            "the nearest meeting, “Talk”, ends 20 minutes away; 5 are allowed",
        ),
        (
            [meeting("A", timedelta()), meeting("B", timedelta())],
            "“A” and “B” are equally near: which one it means is not clear",
        ),
        ([meeting("Talk", timedelta(), "beta - billable")], "“Talk” beside it has another category"),
    ],
)
def test_why_a_modification_changed_nothing(meetings: list[NamedMeeting], reason: str) -> None:
    categories = frozenset({"acme - billable"})
    end = START + HOUR
    extended = Modification("m", ModificationKind.EXTENDED, end, end + 30 * MINUTE, categories)
    assert why_orphan(extended, meetings) == reason
