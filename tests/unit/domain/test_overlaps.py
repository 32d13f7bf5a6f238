"""Overlaps: what overlaps, in what groups, and what the automatic rules keep (domain.md 5.1-5.4)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.overlaps.groups import Interval, OverlapSweep, may_overlap, overlap_groups
from shared.domain.overlaps.rules import Member, OverlapPolicy, OverlapRule, Resolution, Verdict, resolve

DAY = datetime(2026, 2, 3, tzinfo=UTC)


def interval(key: str, start: float, end: float) -> Interval:
    return Interval(key, DAY + timedelta(hours=start), DAY + timedelta(hours=end))


def keys(groups: Sequence[Sequence[Interval]]) -> list[list[str]]:
    return [[member.key for member in group] for group in groups]


def test_touching_is_not_overlapping() -> None:
    assert overlap_groups([interval("a", 9, 10), interval("b", 10, 11)]) == []
    assert keys(overlap_groups([interval("a", 9, 10.1), interval("b", 10, 11)])) == [["a", "b"]]


def test_a_group_is_found_by_the_running_maximum_end() -> None:
    day = [interval("c", 12, 13), interval("a", 9, 17), interval("b", 10, 11), interval("d", 17, 18)]
    assert keys(overlap_groups(day)) == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("show_as", "all_day", "takes_place", "counts", "may"),
    [
        ("busy", False, True, False, True),
        ("free", False, True, False, True),
        ("busy", False, False, True, False),
        ("busy", True, True, False, False),
        ("busy", True, True, True, True),
        ("oof", True, True, True, True),
        ("unknown", True, True, True, True),
        ("tentative", True, True, True, False),
        ("free", True, True, True, False),
        ("workingElsewhere", True, True, True, False),
    ],
)
def test_what_can_overlap_at_all(
    show_as: str, all_day: bool, takes_place: bool, counts: bool, may: bool
) -> None:
    end = DAY + timedelta(days=1)
    kinds = {"is_all_day": all_day, "takes_place": takes_place, "all_day_counts": counts}
    assert may_overlap(DAY, end, show_as, **kinds) is may
    assert may_overlap(DAY, DAY, show_as, **kinds) is False


def test_an_interval_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        OverlapSweep().add(interval("a", 9, 9))


@st.composite
def intervals(draw: st.DrawFn, most: int = 8) -> list[Interval]:
    starts = draw(st.lists(st.integers(0, 24), max_size=most))
    return [
        interval(f"e{number}", start / 2, (start + draw(st.integers(1, 8))) / 2)
        for number, start in enumerate(starts)
    ]


def naive_groups(members: Sequence[Interval]) -> set[frozenset[str]]:
    """Connected components by closing over pairs."""
    parts = [{member.key} for member in members]
    for one, other in combinations(members, 2):
        if one.overlaps(other):
            joined = [part for part in parts if one.key in part or other.key in part]
            parts = [part for part in parts if part not in joined] + [set().union(*joined)]
    return {frozenset(part) for part in parts if len(part) > 1}


@settings(deadline=None, max_examples=100)
@given(data=st.data(), members=intervals())
def test_groups_are_the_connected_components_in_any_order(
    data: st.DataObject, members: list[Interval]
) -> None:
    groups = overlap_groups(data.draw(st.permutations(members)))
    assert {frozenset(member.key for member in group) for group in groups} == naive_groups(members)
    assert groups == overlap_groups(members)


def member(
    key: str, start: float, end: float, show_as: str = "busy", importance: str = "normal", **changes: bool
) -> Member:
    return Member(interval(key, start, end), show_as, importance, **changes)


def verdicts(*members: Member, policy: OverlapPolicy = OverlapPolicy.AUTO) -> dict[str, str]:
    return {key: str(verdict) for key, verdict in resolve(members, policy).verdicts.items()}


def test_keep_all_keeps_and_flag_flags() -> None:
    both = member("a", 9, 10), member("b", 9, 10, "free")
    assert verdicts(*both, policy=OverlapPolicy.KEEP_ALL) == {"a": "kept", "b": "kept"}
    assert verdicts(*both, policy=OverlapPolicy.FLAG) == {"a": "flagged", "b": "flagged"}


def test_free_gives_way_then_tentative_then_lower_importance() -> None:
    assert verdicts(member("a", 9, 10, "free"), member("b", 9, 10, "tentative")) == {
        "a": "dropped",
        "b": "kept",
    }
    assert verdicts(member("a", 9, 10, "tentative", "high"), member("b", 9, 10)) == {
        "a": "dropped",
        "b": "kept",
    }
    assert verdicts(member("a", 9, 10), member("b", 9, 10, importance="high")) == {
        "a": "dropped",
        "b": "kept",
    }
    assert verdicts(member("a", 9, 10, "free"), member("b", 9, 10, "free")) == {
        "a": "dropped",
        "b": "dropped",
    }


def test_equal_events_are_flagged() -> None:
    assert verdicts(member("a", 9, 10), member("b", 9, 10)) == {"a": "flagged", "b": "flagged"}
    three = member("a", 9, 10, importance="high"), member("b", 9, 10, importance="high"), member("c", 9, 10)
    assert set(verdicts(*three).values()) == {"flagged"}


def test_what_overlapped_only_a_dropped_event_is_kept() -> None:
    day = member("a", 9, 17, "tentative"), member("b", 10, 11), member("c", 12, 13, "tentative")
    assert verdicts(*day) == {"a": "dropped", "b": "kept", "c": "kept"}
    high = member("a", 9, 17), member("b", 10, 11, importance="high"), member("c", 12, 13)
    resolution = resolve(high, OverlapPolicy.AUTO)
    assert resolution.verdicts == {"a": Verdict.DROPPED, "b": Verdict.KEPT, "c": Verdict.KEPT}
    assert [(step.rule, step.key, step.because_of) for step in resolution.log] == [
        (OverlapRule.IMPORTANCE, "a", "b")
    ]


def test_what_is_archived_stays_and_the_others_wait_or_give_way() -> None:
    assert verdicts(member("a", 9, 10, archived=True), member("b", 9, 10), policy=OverlapPolicy.FLAG) == {
        "a": "kept",
        "b": "flagged",
    }
    assert verdicts(member("a", 9, 10, archived=True), member("b", 9, 10, "free")) == {
        "a": "kept",
        "b": "dropped",
    }
    stronger = member("a", 9, 10, "free", archived=True), member("b", 9, 10, importance="low")
    assert verdicts(*stronger) == {"a": "kept", "b": "flagged"}
    higher = member("a", 9, 10, archived=True), member("b", 9, 10, importance="high")
    assert verdicts(*higher) == {"a": "kept", "b": "flagged"}


@st.composite
def groups(draw: st.DrawFn) -> list[Member]:
    found = [group for group in overlap_groups(draw(intervals())) if group]
    if not found:
        return []
    return [
        Member(
            part,
            draw(st.sampled_from(("free", "tentative", "busy", "oof"))),
            draw(st.sampled_from(("low", "normal", "high"))),
            archived=draw(st.sampled_from((False, False, False, True))),
        )
        for part in found[0]
    ]


def oracle(members: Sequence[Member]) -> dict[str, Verdict]:
    """The rules on sets, each group by pairs; a rule that would drop an archived event waits instead."""
    verdicts: dict[str, Verdict] = {}
    left = {m.key: m for m in members}
    while left:
        parts = naive_groups([m.interval for m in left.values()])
        alone = set(left) - set().union(*parts)
        verdicts |= dict.fromkeys(alone, Verdict.KEPT)
        left = {key: m for key, m in left.items() if key not in alone}
        for part in parts:
            group = [left[key] for key in part]
            dropped = rule_of(group)
            verdicts |= dict.fromkeys(dropped, Verdict.DROPPED)
            gone = set(dropped)
            if not dropped:
                for m in group:
                    verdicts[m.key] = Verdict.KEPT if m.archived else Verdict.FLAGGED
                gone = set(part)
            left = {key: m for key, m in left.items() if key not in gone}
    return verdicts


def rule_of(group: Sequence[Member]) -> list[str]:
    def beaten(losers: Sequence[Member], winners: Sequence[Member]) -> list[Member]:
        return [m for m in losers if any(m is not w and m.interval.overlaps(w.interval) for w in winners)]

    free = [m for m in group if m.show_as == "free"]
    taken = [m for m in group if m.show_as != "free"]
    tentative = [m for m in group if m.show_as == "tentative"]
    confirmed = [m for m in group if m.show_as in ("busy", "oof", "workingElsewhere", "unknown")]
    for losers in (beaten(free, taken or free), beaten(tentative, confirmed)):
        if losers:
            return [m.key for m in losers if not m.archived]
    for importance in ("high", "normal", "low"):
        best = [m for m in group if m.importance == importance]
        if len(best) == 1:
            losers = beaten([m for m in group if m is not best[0]], best)
            return [] if any(m.archived for m in losers) else [m.key for m in losers]
        if best:
            return []
    return []


@settings(deadline=None, max_examples=100)
@given(data=st.data(), members=groups())
def test_the_rules_decide_as_a_plain_reading_of_them_in_any_order(
    data: st.DataObject, members: list[Member]
) -> None:
    if not members:
        return
    resolution = resolve(members, OverlapPolicy.AUTO)
    assert resolution.verdicts == oracle(members)
    shuffled: Resolution = resolve(data.draw(st.permutations(members)), OverlapPolicy.AUTO)
    assert shuffled.verdicts == resolution.verdicts


@settings(deadline=None, max_examples=100)
@given(members=groups(), policy=st.sampled_from((OverlapPolicy.AUTO, OverlapPolicy.FLAG)))
def test_after_resolution_no_minute_is_counted_twice_and_every_drop_has_its_reason(
    members: list[Member], policy: OverlapPolicy
) -> None:
    if not members:
        return
    resolution = resolve(members, policy)
    assert resolution.verdicts.keys() == {m.key for m in members}
    kept = [m for m in members if resolution.verdicts[m.key] is Verdict.KEPT]
    assert all(
        not one.interval.overlaps(other.interval) or (one.archived and other.archived)
        for one, other in combinations(kept, 2)
    )
    by_key = {m.key: m for m in members}
    dropped = {key for key, verdict in resolution.verdicts.items() if verdict is Verdict.DROPPED}
    assert sorted(step.key for step in resolution.log) == sorted(dropped)
    for step in resolution.log:
        assert by_key[step.key].interval.overlaps(by_key[step.because_of].interval)
        assert not by_key[step.key].archived


def test_thousands_of_events_in_one_group_are_resolved() -> None:
    chain = [member(f"e{number:05}", number / 2, number / 2 + 0.7) for number in range(5000)]
    assert set(resolve(chain, OverlapPolicy.AUTO).verdicts.values()) == {Verdict.FLAGGED}
    chain[2500] = member("e02500", 1250, 1250.7, importance="high")
    resolution = resolve(chain, OverlapPolicy.AUTO)
    assert [step.key for step in resolution.log] == ["e02499", "e02501"]
