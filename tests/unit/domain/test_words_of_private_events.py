"""What becomes of a person's events tells nobody a word of their private ones (domain.md 6.3)."""

from collections.abc import Sequence
from copy import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.identity.disclosure import NORMAL
from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import Purpose
from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS
from shared.domain.runs.window import Window, local_day_start
from tests.unit.domain.map_model import Planned, plan_all
from tests.unit.domain.source_events import busy_calendars, make_event

ZONE = ZoneInfo("Europe/Amsterdam")
WINDOW = Window(local_day_start(date(2026, 3, 28), ZONE), local_day_start(date(2026, 3, 31), ZONE), ZONE)
FIRST = datetime(2026, 3, 28, tzinfo=UTC)
POLICIES = st.sampled_from(OverlapPolicy).map(
    lambda policy: PlanPolicies(purpose=Purpose.TIMESHEET, overlap_policy=policy)
)


@st.composite
def private_events(draw: st.DrawFn) -> list[SourceEvent]:
    return [
        make_event(
            f"p{number}",
            FIRST + timedelta(minutes=15 * draw(st.integers(0, 280))),
            draw(st.sampled_from((0.25, 1, 4, 26))),
            subject="Surgeon",
            body="for nobody else",
            categories=(),
            sensitivity=draw(st.sampled_from(("private", "personal", "confidential"))),
            show_as=draw(st.sampled_from(("busy", "free", "tentative", "oof"))),
            importance=draw(st.sampled_from(("normal", "high"))),
        )
        for number in range(draw(st.integers(1, 4)))
    ]


def planned(events: Sequence[SourceEvent], private: Sequence[SourceEvent], policies: PlanPolicies) -> Planned:
    both = sorted([*events, *private], key=lambda event: event.start)
    return plan_all(WINDOW, [both], policies=policies)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(events=busy_calendars(FIRST), private=private_events(), policies=POLICIES)
def test_a_travel_word_in_a_private_subject_changes_nothing_of_the_others(
    events: list[SourceEvent], private: list[SourceEvent], policies: PlanPolicies
) -> None:
    journeys = [replace(event, subject="Surgeon, flight") for event in private]
    plans = [planned(events, each, policies) for each in (private, journeys)]
    normal = {source_key(event) for event in events if event.sensitivity == NORMAL}
    without, with_word = [
        {key: decision for key, decision in plan.by_key.items() if key in normal} for plan in plans
    ]
    assert without == with_word
    assert plans[0].groups == plans[1].groups


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(events=busy_calendars(FIRST), private=private_events(), policies=POLICIES)
def test_no_travel_words_of_a_setting_are_tried_on_private_events(
    events: list[SourceEvent], private: list[SourceEvent], policies: PlanPolicies
) -> None:
    probing = replace(policies, travel_words=("surgeon", *DEFAULT_TRAVEL_WORDS))
    assert planned(events, private, policies) == planned(events, private, probing)
