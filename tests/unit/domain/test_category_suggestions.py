"""Candidates for events without a valid category (domain.md 3.6)."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.categories.category import Category, CategoryState, classify, parse_category
from shared.domain.categories.suggestions import (
    CategoryHistory,
    CategoryRule,
    EventTraits,
    Relation,
    automatic_rule,
    event_traits,
    suggest,
    trait_key,
    with_category,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME, BETA = "Acme - billable", "Beta - billable"
TRAITS = st.builds(
    EventTraits,
    series=st.sampled_from(["", "s1", "s2"]),
    subject=st.sampled_from(["", "weekly", "lunch"]),
    domains=st.frozensets(st.sampled_from(["acme.com", "beta.com"])),
    location=st.sampled_from(["", "room 1"]),
)
CATEGORIES = st.lists(
    st.sampled_from([ACME, "billable - ACME", BETA, "Break - non-billable", "Red", "Online"]), max_size=2
)
PAST = st.lists(
    st.tuples(TRAITS, CATEGORIES, st.integers(0, 9).map(lambda day: NOW - timedelta(days=day))), max_size=12
)


def history(*past: tuple[EventTraits, list[str], datetime]) -> CategoryHistory:
    learnt = CategoryHistory()
    for traits, categories, used in past:
        learnt.add(traits, categories, used)
    return learnt


def rule(relation: Relation, key: str, category: str = ACME, *, auto: bool = True) -> CategoryRule:
    return CategoryRule(uuid4(), relation, key, category, auto)


def test_the_traits_of_an_event() -> None:
    traits = event_traits(
        "o:master:2026-03-02T09:00:00Z",
        "  Weekly   with ACME ",
        "Room 1",
        ["ann@Acme.com", "bob@example.com", "", "no address"],
        "ada@Example.com",
    )
    assert traits == EventTraits("master", "weekly with acme", frozenset({"acme.com"}), "room 1")
    assert event_traits("s:single", "", "", [], "ada@example.com") == EventTraits()
    assert trait_key(Relation.DOMAIN, "@Acme.com") == trait_key(Relation.DOMAIN, " acme.com. ") == "acme.com"


def test_the_closest_relation_counts_before_the_number_of_times() -> None:
    meeting = EventTraits("s1", "weekly", frozenset({"acme.com"}), "room 1")
    learnt = history(
        (EventTraits(series="s1"), ["Series - billable"], NOW),
        *[(EventTraits(subject="weekly"), ["Subject - billable"], NOW)] * 2,
        *[(EventTraits(domains=frozenset({"acme.com"})), ["Domain - billable"], NOW)] * 3,
        *[(EventTraits(location="room 1"), ["Location - billable"], NOW)] * 4,
    )
    assert [each.category for each in suggest(meeting, learnt)] == [
        f"{relation} - billable" for relation in ("Series", "Subject", "Domain", "Location")
    ]


def test_evidence_names_how_often_and_when_last() -> None:
    traits = EventTraits(subject="weekly", domains=frozenset({"acme.com", "beta.com"}))
    learnt = history(
        (traits, [ACME], NOW - timedelta(days=7)),
        (traits, ["billable - ACME"], NOW),
        (EventTraits(domains=frozenset({"acme.com"})), [ACME], NOW),
    )
    (found,) = suggest(traits, learnt)
    assert found.category == ACME
    assert [(each.relation, each.match, each.count, each.last_used) for each in found.evidence] == [
        (Relation.SUBJECT, "weekly", 2, NOW),
        (Relation.DOMAIN, "acme.com", 3, NOW),
    ]


def test_of_what_is_alike_the_more_frequent_then_the_later_comes_first() -> None:
    weekly = EventTraits(subject="weekly")
    often = history((weekly, [ACME], NOW), (weekly, [BETA], NOW), (weekly, [BETA], NOW - timedelta(days=1)))
    assert [each.category for each in suggest(weekly, often)] == [BETA, ACME]
    lately = history((weekly, [ACME], NOW), (weekly, [BETA], NOW - timedelta(days=1)))
    assert [each.category for each in suggest(weekly, lately)] == [ACME, BETA]


def test_unclear_events_teach_nothing() -> None:
    weekly = EventTraits(subject="weekly")
    assert (
        suggest(weekly, history((weekly, [ACME, BETA], NOW), (weekly, ["Red"], NOW), (weekly, [], NOW))) == ()
    )


def test_a_rule_comes_before_history_and_keeps_its_evidence() -> None:
    weekly = EventTraits("s1", "weekly", frozenset({"acme.com"}))
    learnt = history((weekly, [BETA], NOW), (weekly, [ACME], NOW))
    own = rule(Relation.DOMAIN, "acme.com", "acme - Billable", auto=False)
    first, second = suggest(weekly, learnt, [own, rule(Relation.SUBJECT, "other")])
    assert (first.category, first.rule, len(first.evidence)) == ("acme - Billable", own, 3)
    assert (second.category, second.rule) == (BETA, None)
    assert automatic_rule(weekly, [own]) is None


def test_the_closest_rule_decides_and_rules_that_disagree_do_not() -> None:
    weekly = EventTraits("s1", "weekly", frozenset({"acme.com", "beta.com"}))
    by_acme, by_beta = rule(Relation.DOMAIN, "acme.com"), rule(Relation.DOMAIN, "beta.com", BETA)
    by_subject = rule(Relation.SUBJECT, "weekly", BETA)
    assert automatic_rule(weekly, [by_acme, by_subject]) == by_subject
    assert automatic_rule(weekly, [by_acme, by_beta]) is None
    assert automatic_rule(weekly, [by_acme, rule(Relation.DOMAIN, "beta.com", "Billable - ACME")]) == by_acme
    assert automatic_rule(weekly, []) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [ACME]),
        (["Red", "Online"], [ACME, "Red", "Online"]),
        ([BETA, "Red", ACME], [ACME, "Red"]),
        (["Red", "Billable - ACME"], ["Red", "Billable - ACME"]),
    ],
)
def test_a_chosen_category_takes_the_place_of_other_valid_ones(before: list[str], after: list[str]) -> None:
    assert list(with_category(before, ACME)) == after


@settings(deadline=None, max_examples=80)
@given(meeting=TRAITS, past=PAST, seed=st.integers(0, 9))
def test_the_order_of_history_and_rules_never_matters(
    meeting: EventTraits, past: list[tuple[EventTraits, list[str], datetime]], seed: int
) -> None:
    rules = [
        CategoryRule(UUID(int=1), Relation.SUBJECT, "weekly", ACME, True),
        CategoryRule(UUID(int=2), Relation.DOMAIN, "acme.com", BETA, True),
        CategoryRule(UUID(int=3), Relation.SERIES, "s1", BETA, False),
    ]
    mixed, mixed_rules = list(past), list(rules)
    random.Random(seed).shuffle(mixed)
    random.Random(seed).shuffle(mixed_rules)
    assert suggest(meeting, history(*past), rules) == suggest(meeting, history(*mixed), mixed_rules)
    assert automatic_rule(meeting, rules) == automatic_rule(meeting, mixed_rules)


@settings(deadline=None, max_examples=80)
@given(meeting=TRAITS, past=PAST)
def test_every_suggestion_is_a_valid_category_with_evidence_from_events_that_share_a_trait(
    meeting: EventTraits, past: list[tuple[EventTraits, list[str], datetime]]
) -> None:
    found = suggest(meeting, history(*past))
    identities = [category.identity for each in found if (category := _valid(each.category))]
    assert len(identities) == len(found) == len(set(identities))
    for each in found:
        for evidence in each.evidence:
            sharing = [
                used
                for traits, categories, used in past
                if (evidence.relation, evidence.match) in set(traits.pairs())
                and [c.identity for c in classify(categories).valid] == [_identity(each.category)]
            ]
            assert (evidence.count, evidence.last_used) == (len(sharing), max(sharing))


@settings(deadline=None, max_examples=80)
@given(categories=CATEGORIES, chosen=st.sampled_from([ACME, BETA]))
def test_what_is_given_is_valid_and_giving_it_again_changes_nothing(
    categories: list[str], chosen: str
) -> None:
    given_once = with_category(categories, chosen)
    status = classify(given_once)
    assert (status.state, status.category and status.category.identity) == (
        CategoryState.VALID,
        _identity(chosen),
    )
    assert with_category(given_once, chosen) == given_once
    labels = [text for text in categories if not isinstance(parse_category(text), Category)]
    assert [text for text in given_once if text in labels] == labels


def _valid(text: str) -> Category | None:
    found = parse_category(text)
    return found if isinstance(found, Category) else None


def _identity(text: str) -> str:
    found = _valid(text)
    assert found is not None
    return found.identity
