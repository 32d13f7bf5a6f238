"""How a meeting really went (domain.md 4)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.planning.modifications import (
    Judged,
    Meeting,
    Modification,
    ModificationKind,
    ModificationSweep,
    modification_kind,
    modified,
)
from tests.support.modifications import apply_modifications

DAY = datetime(2026, 2, 3, tzinfo=UTC)


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def meeting(start: str, end: str, key: str = "m", category: str | None = None) -> Meeting:
    return Meeting(key, at(start), at(end), at(start), frozenset([category] if category else []))


def modification(
    kind: ModificationKind, start: str, end: str, key: str = "x", category: str | None = None
) -> Modification:
    return Modification(key, kind, at(start), at(end), frozenset([category] if category else []))


EXTENDED, SHORTENED = ModificationKind.EXTENDED, ModificationKind.SHORTENED
EARLY, LATE = ModificationKind.EARLY_START, ModificationKind.LATE_START


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("Extended", EXTENDED),
        (" extension ", EXTENDED),
        ("EARLY START", EARLY),
        ("Started  early", EARLY),
        ("Late start", LATE),
        ("started late", LATE),
        ("Shortened", SHORTENED),
        ("Meeting shortened by Anna", SHORTENED),
        ("Extended review", None),
        ("Unshortened", None),
        ("Shortenedly", None),
        ("The early start", None),
        ("", None),
    ],
)
def test_the_subject_says_what_a_modification_is(subject: str, kind: ModificationKind | None) -> None:
    assert modification_kind(subject) is kind


@pytest.mark.parametrize(
    ("kind", "start", "end", "expected"),
    [
        (EXTENDED, "11:00", "11:30", ("10:00", "11:30")),
        (EXTENDED, "11:05", "11:30", ("10:00", "11:30")),
        (EXTENDED, "10:55", "11:20", ("10:00", "11:20")),
        (EXTENDED, "11:06", "11:30", None),
        (EXTENDED, "10:54", "11:30", None),
        (SHORTENED, "10:40", "11:00", ("10:00", "10:40")),
        (SHORTENED, "10:40", "11:15", ("10:00", "10:40")),
        (SHORTENED, "11:00", "11:15", ("10:00", "11:00")),
        (SHORTENED, "09:30", "11:00", ("10:00", "10:01")),
        (SHORTENED, "10:20", "10:40", None),
        (SHORTENED, "11:01", "11:15", None),
        (EARLY, "09:45", "10:00", ("09:45", "11:00")),
        (EARLY, "09:45", "09:55", ("09:45", "11:00")),
        (EARLY, "09:45", "10:30", ("09:45", "11:00")),
        (EARLY, "09:30", "09:54", None),
        (LATE, "10:00", "10:10", ("10:10", "11:00")),
        (LATE, "09:55", "10:10", ("10:10", "11:00")),
        (LATE, "10:05", "12:00", ("10:59", "11:00")),
        (LATE, "10:06", "10:10", None),
    ],
)
def test_a_modification_beside_a_meeting_changes_its_times(
    kind: ModificationKind, start: str, end: str, expected: tuple[str, str] | None
) -> None:
    after, consumed = apply_modifications([meeting("10:00", "11:00")], [modification(kind, start, end)])
    times = (after["m"].start, after["m"].end)
    if expected is None:
        assert (times, consumed["x"]) == ((at("10:00"), at("11:00")), None)
    else:
        assert (times, consumed["x"]) == ((at(expected[0]), at(expected[1])), "m")
        assert [applied.key for applied in after["m"].applied] == ["x"]


def test_extensions_make_a_chain_and_other_kinds_join_in() -> None:
    after, consumed = apply_modifications(
        [meeting("10:00", "11:00")],
        [
            modification(EXTENDED, "11:30", "12:00", "c"),
            modification(EXTENDED, "11:00", "11:30", "b"),
            modification(LATE, "10:00", "10:15", "a"),
            modification(SHORTENED, "11:50", "12:00", "d"),
        ],
    )
    assert (after["m"].start, after["m"].end) == (at("10:15"), at("11:50"))
    assert consumed == dict.fromkeys("abcd", "m")
    assert [applied.key for applied in after["m"].applied] == ["a", "b", "c", "d"]


def test_the_nearest_meeting_wins_and_a_tie_is_an_orphan() -> None:
    extension = modification(EXTENDED, "11:00", "11:30")
    near, far = meeting("10:00", "11:01", "near"), meeting("09:00", "10:57", "far")
    assert apply_modifications([far, near], [extension])[1] == {"x": "near"}
    tied = [meeting("10:00", "11:02", "a"), meeting("09:00", "10:58", "b")]
    after, consumed = apply_modifications(tied, [extension])
    assert consumed == {"x": None}
    assert [after["a"].end, after["b"].end] == [at("11:02"), at("10:58")]


def test_both_share_the_category_when_both_have_a_valid_one() -> None:
    meetings = [meeting("10:00", "11:00", "acme", "Acme"), meeting("10:00", "11:00", "beta", "Beta")]
    for category, wins in (("Acme", "acme"), ("Beta", "beta"), ("Other", None), (None, None)):
        extension = modification(EXTENDED, "11:00", "11:30", category=category)
        assert apply_modifications(meetings, [extension])[1] == {"x": wins}
    plain = [meeting("10:00", "11:00", "plain")]
    assert apply_modifications(plain, [modification(EXTENDED, "11:00", "11:30", category="A")])[1] == {
        "x": "plain"
    }


def test_a_modification_a_day_away_from_the_start_of_its_meeting_is_an_orphan() -> None:
    long = Meeting("m", at("10:00"), at("10:00") + timedelta(days=1), at("10:00"))
    extension = Modification("x", EXTENDED, long.end, long.end + timedelta(hours=1))
    assert apply_modifications([long], [extension])[1] == {"x": None}
    endless = Modification("x", SHORTENED, at("10:30"), at("10:30") + timedelta(days=300))
    assert apply_modifications([meeting("10:00", "11:00")], [endless])[1] == {"x": None}


def test_nothing_is_left_without_time() -> None:
    dot = meeting("10:00", "10:00")
    assert modified(dot, modification(SHORTENED, "09:00", "10:00")) is None
    assert modified(dot, modification(LATE, "10:00", "10:10")) is None
    assert modified(meeting("10:00", "10:04"), modification(EXTENDED, "09:59", "10:00")) is None


MINUTES = st.integers(0, 36).map(lambda number: DAY + timedelta(hours=10, minutes=3 * number))


@st.composite
def meetings(draw: st.DrawFn) -> list[Meeting]:
    starts = draw(st.lists(MINUTES, max_size=5))
    return [
        Meeting(
            f"m{number}",
            start,
            start + timedelta(minutes=3 * draw(st.integers(0, 20))),
            start,
            frozenset(draw(st.sampled_from(((), ("Acme",), ("Beta",))))),
        )
        for number, start in enumerate(starts)
    ]


@st.composite
def modifications(draw: st.DrawFn) -> list[Modification]:
    starts = draw(st.lists(MINUTES, max_size=6))
    return [
        Modification(
            f"x{number}",
            draw(st.sampled_from(ModificationKind)),
            start,
            start + timedelta(minutes=3 * draw(st.integers(0, 12))),
            frozenset(draw(st.sampled_from(((), ("Acme",))))),
        )
        for number, start in enumerate(starts)
    ]


def oracle(
    held: Sequence[Meeting], changes: Sequence[Modification]
) -> tuple[dict[str, Meeting], dict[str, str | None]]:
    """The rules word for word: every modification in time order, against every meeting."""
    running = {item.key: item for item in held}
    consumed: dict[str, str | None] = {}
    for change in sorted(changes, key=lambda m: (m.start, m.end, m.key)):
        fitting = []
        for candidate in running.values():
            after = modified(candidate, change)
            if after is not None:
                fitting.append((edge_distance(candidate, change), after))
        best = min((distance for distance, _ in fitting), default=None)
        nearest = [after for distance, after in fitting if distance == best]
        consumed[change.key] = nearest[0].key if len(nearest) == 1 else None
        if len(nearest) == 1:
            running[nearest[0].key] = nearest[0]
    return running, consumed


def edge_distance(candidate: Meeting, change: Modification) -> timedelta:
    return {
        EXTENDED: abs(change.start - candidate.end),
        SHORTENED: min(abs(change.start - candidate.end), abs(change.end - candidate.end)),
        EARLY: abs(change.end - candidate.start),
        LATE: abs(change.start - candidate.start),
    }[change.kind]


@settings(deadline=None, max_examples=100)
@given(data=st.data(), held=meetings(), changes=modifications())
def test_any_order_of_input_gives_what_the_rules_say(
    data: st.DataObject, held: list[Meeting], changes: list[Modification]
) -> None:
    expected = oracle(held, changes)
    assert apply_modifications(held, changes) == expected
    assert (
        apply_modifications(data.draw(st.permutations(held)), data.draw(st.permutations(changes))) == expected
    )


@settings(deadline=None, max_examples=60)
@given(held=meetings(), changes=modifications())
def test_a_sweep_lets_go_early_and_still_gives_the_same(
    held: list[Meeting], changes: list[Modification]
) -> None:
    sweep = ModificationSweep()
    results: list[Meeting | Judged] = []
    everything: list[Meeting | Modification] = [*held, *changes]
    for item in sorted(everything, key=lambda item: (item.start, item.key)):
        results += sweep.advance(item.start)
        lowest = sweep.earliest_start(item.start)
        sweep.add(item)
        assert lowest <= item.start
    last = sweep.earliest_start(at("23:00"))
    rest = list(sweep.advance(at("23:00")))
    starts = [r.start if isinstance(r, Meeting) else r.modification.start for r in rest]
    assert all(start >= last for start in starts)
    results += rest
    done = {result.key: result for result in results if isinstance(result, Meeting)}
    consumed = {r.modification.key: r.meeting for r in results if isinstance(r, Judged)}
    assert (done, consumed) == oracle(held, changes)


def test_a_meeting_is_let_go_when_nothing_can_reach_it_any_more() -> None:
    sweep = ModificationSweep()
    sweep.add(meeting("10:00", "11:00"))
    assert list(sweep.advance(at("11:05"))) == []
    assert list(sweep.advance(at("11:06"))) == [meeting("10:00", "11:00")]
