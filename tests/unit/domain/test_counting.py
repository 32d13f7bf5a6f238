"""What counts as time is decided in one place (domain.md 2.18)."""

import pytest

from shared.domain.appointments.counting import RULES, CountingFacts, WhyNot, why_not
from shared.domain.overlaps.status import Exclusion
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState

PRESENT = ArchivedEventState.PRESENT
#: The only states in which an event that has an appointment can count.
COUNTING_STATES = {ArchivedEventState.CREATING, PRESENT, ArchivedEventState.SOURCE_DELETED}


def values_of(fact: str) -> set[str | bool]:
    return {value for rule in RULES if rule.fact == fact for value in rule.values}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (CountingFacts(PRESENT), None),
        (CountingFacts(PRESENT, show_as="tentative"), None),
        (CountingFacts(ArchivedEventState.SOURCE_DELETED), None),
        (CountingFacts(ArchivedEventState.REMOVED_BY_OWNER), WhyNot.REMOVED_BY_OWNER),
        (CountingFacts("superseded", show_as="free"), WhyNot.SUPERSEDED),
        (CountingFacts(PRESENT, excluded="superseded"), WhyNot.SUPERSEDED),
        (CountingFacts(ArchivedEventState.MERGED, written=False), WhyNot.MERGED),
        (CountingFacts(PRESENT, excluded=Exclusion.CONSUMED), WhyNot.CONSUMED),
        (CountingFacts(ArchivedEventState.CONSUMED, written=False), WhyNot.CONSUMED),
        (CountingFacts(PRESENT, excluded=Exclusion.RESOLUTION), WhyNot.LEFT_OUT_BY_RESOLUTION),
        (
            CountingFacts(ArchivedEventState.LEFT_OUT, LeftOut.RESOLUTION, written=False),
            WhyNot.LEFT_OUT_BY_RESOLUTION,
        ),
        (
            CountingFacts(ArchivedEventState.LEFT_OUT, LeftOut.OVERLAP_RULE, written=False),
            WhyNot.LEFT_OUT_BY_RULE,
        ),
        (CountingFacts(ArchivedEventState.LEFT_OUT, LeftOut.FREE, written=False), WhyNot.LEFT_OUT_BY_RULE),
        (CountingFacts(ArchivedEventState.FLAGGED, written=False), WhyNot.WAITING),
        (CountingFacts(ArchivedEventState.CREATING, written=False), WhyNot.NOT_WRITTEN),
        (CountingFacts(PRESENT, is_cancelled=True, is_all_day=True), WhyNot.CANCELLED),
        (CountingFacts(PRESENT, is_declined=True, show_as="free"), WhyNot.DECLINED),
        (CountingFacts(PRESENT, is_all_day=True, show_as="free"), WhyNot.ALL_DAY),
        (CountingFacts(PRESENT, show_as="free"), WhyNot.FREE),
    ],
)
def test_each_reason_is_told(facts: CountingFacts, reason: WhyNot | None) -> None:
    assert why_not(facts) is reason


def test_rules_stand_in_the_order_of_their_reasons() -> None:
    reasons = [rule.reason for rule in RULES]
    assert reasons == sorted(reasons, key=list(WhyNot).index)
    assert set(reasons) == set(WhyNot)


def test_no_state_counts_because_nobody_thought_of_it() -> None:
    assert set(ArchivedEventState) - values_of("state") == COUNTING_STATES
    assert set(Exclusion) <= values_of("excluded")
