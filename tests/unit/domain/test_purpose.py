"""What a timesheet takes, what travel is, and what privacy automation makes of a copy (domain.md 2.7, 6)."""

import pytest

from shared.domain.categories.category import classify
from shared.domain.planning.privacy import archived_sensitivity, archived_show_as
from shared.domain.planning.purpose import LeftOut, Purpose, left_out
from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS, is_travel


@pytest.mark.parametrize(
    "subject", ["Travel to Acme", "TRIP", "Commute/work", "flight: AMS-LHR", "Drive (A2)", "to the airport."]
)
def test_a_travel_word_in_the_subject_is_travel(subject: str) -> None:
    assert is_travel(subject, ())


@pytest.mark.parametrize(
    "subject",
    ["Contract strip review", "Driver update", "Transition plan", "Traveller's cheque", "", "préflight"],
)
def test_a_travel_word_inside_another_word_is_not(subject: str) -> None:
    assert not is_travel(subject, ("Acme - billable",))


def test_a_category_may_say_travel_and_the_words_are_a_setting() -> None:
    assert is_travel("Monday", ("Red", "Travel"))
    assert is_travel("Reise nach Ulm", (), ("reise",))
    assert is_travel("On  the   road", (), ("on the road",))
    assert is_travel("ÉTAPE", (), ("étape",))
    assert not is_travel("Travel", (), ("reise", " "))
    assert not is_travel("Travel", (), ())
    assert all(is_travel(word, ()) for word in DEFAULT_TRAVEL_WORDS)


@pytest.mark.parametrize(
    ("categories", "show_as", "travel", "reason"),
    [
        (["Acme - billable"], "busy", False, None),
        (["Break - non-billable"], "tentative", False, None),
        (["Acme - billable", "Beta - billable"], "busy", False, None),
        ([], "busy", True, None),
        (["Red"], "oof", True, None),
        ([], "busy", False, LeftOut.PERSONAL),
        (["Online"], "busy", False, LeftOut.PERSONAL),
        (["Red"], "busy", False, LeftOut.INVALID_CATEGORY),
        (["Acme - billable"], "free", False, LeftOut.FREE),
        ([], "free", True, LeftOut.FREE),
    ],
)
def test_a_timesheet_takes_billing_and_travel_only(
    categories: list[str], show_as: str, travel: bool, reason: LeftOut | None
) -> None:
    status = classify(categories)
    assert left_out(Purpose.TIMESHEET, status, show_as, travel=travel) is reason
    assert left_out(Purpose.GENERAL, status, show_as, travel=travel) is None


def test_personal_and_travel_become_private_only_with_the_automation() -> None:
    for personal, travel in ((True, False), (False, True)):
        assert archived_sensitivity("normal", personal=personal, travel=travel, automation=True) == "private"
        assert archived_sensitivity("normal", personal=personal, travel=travel, automation=False) == "normal"
    assert archived_sensitivity("normal", personal=False, travel=False, automation=True) == "normal"
    assert archived_sensitivity("private", personal=False, travel=False, automation=True) == "private"


def test_out_of_office_is_set_only_where_wanted_and_time_is_taken() -> None:
    assert archived_show_as("busy", takes_place=True, out_of_office=True) == "oof"
    assert archived_show_as("busy", takes_place=True, out_of_office=False) == "busy"
    assert archived_show_as("free", takes_place=True, out_of_office=True) == "free"
    assert archived_show_as("busy", takes_place=False, out_of_office=True) == "busy"
