"""Whether a configuration may name its calendars (domain.md 1)."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.domain.calendar_permission import Objection, ReferenceFacts, objection

OWN, SHARED, OTHER = uuid4(), uuid4(), uuid4()
FACTS = ReferenceFacts(OWN, True, OWN, OWN, (), False)


def test_nothing_is_said_against_ones_own_mailbox() -> None:
    assert objection(FACTS) is None


@pytest.mark.parametrize("side", ["source_mailbox", "archive_mailbox"])
def test_anothers_mailbox_needs_an_admins_word_for_this_very_one(side: str) -> None:
    foreign = replace(FACTS, **{side: SHARED})
    assert objection(foreign) is Objection.MAILBOX_NOT_PERMITTED
    assert objection(replace(foreign, approved=[SHARED])) is None
    assert objection(replace(foreign, approved=[OTHER])) is Objection.MAILBOX_NOT_PERMITTED


def test_another_owner_needs_another_word() -> None:
    assert objection(replace(FACTS, owner_mailbox=OTHER)) is Objection.MAILBOX_NOT_PERMITTED


def test_two_roles_and_a_deactivated_owner_are_objections() -> None:
    assert objection(replace(FACTS, two_roles=True)) is Objection.CALENDAR_HAS_TWO_ROLES
    assert objection(replace(FACTS, owner_active=False)) is Objection.USER_DEACTIVATED


def test_the_newer_of_two_with_one_source_and_one_archive_does_not_run() -> None:
    assert objection(replace(FACTS, archive_in_use=True)) is Objection.ARCHIVE_IN_USE
    assert all(each.reason for each in Objection)
