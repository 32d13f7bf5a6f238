"""Whether a configuration may name its calendars (domain.md 1, 6.5)."""

from copy import replace
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.calendars.calendar_authorisation import Objection, ReferenceFacts, objection

OWN, OTHER = uuid4(), uuid4()
FACTS = ReferenceFacts(OWN, True, OWN, OWN, approved=False, two_roles=False)


def test_nothing_is_said_against_ones_own_calendars() -> None:
    assert objection(FACTS) is None


@pytest.mark.parametrize("whose", ["owner", "source_person", "archive_person"])
def test_what_is_not_one_persons_needs_an_approval(whose: str) -> None:
    changed: dict[str, Any] = {whose: OTHER}
    foreign = replace(FACTS, **changed)
    assert objection(foreign) is Objection.MAILBOX_NOT_PERMITTED
    assert objection(replace(foreign, approved=True)) is None


def test_nothing_is_archived_of_who_was_erased_whatever_was_approved() -> None:
    erased = replace(FACTS, source_person=OTHER, approved=True, erased=True)
    assert objection(erased) is Objection.PERSON_ERASED


def test_two_roles_and_a_deactivated_owner_are_objections() -> None:
    assert objection(replace(FACTS, two_roles=True)) is Objection.CALENDAR_HAS_TWO_ROLES
    assert objection(replace(FACTS, owner_active=False)) is Objection.USER_DEACTIVATED


def test_the_newer_of_two_with_one_source_and_one_archive_does_not_run() -> None:
    assert objection(replace(FACTS, archive_in_use=True)) is Objection.ARCHIVE_IN_USE
    assert all(each.reason for each in Objection)
