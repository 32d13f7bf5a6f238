"""Tries of a mail are bounded, apart and never before Graph allows them (domain.md 10.1)."""

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.approvals.texts import decided_after_objection
from shared.domain.notifications.mail_texts import letter, mail_of_notice
from shared.domain.notifications.outgoing_mail import MOST_ATTEMPTS, message_id, wait_before

_JITTER = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(1, MOST_ATTEMPTS), asked=st.none() | st.floats(0, 1e9), jitter=_JITTER)
def test_waits_are_bounded_and_honour_what_graph_says(
    attempt: int, asked: float | None, jitter: float
) -> None:
    wait = wait_before(attempt, asked, jitter)
    assert timedelta(seconds=15) <= wait <= timedelta(hours=7)
    assert wait >= min(timedelta(seconds=asked or 0), timedelta(hours=6))
    assert wait <= wait_before(attempt + 1, asked, jitter)


def test_it_is_tried_for_about_a_day() -> None:
    longest = sum((wait_before(attempt, None, 1) for attempt in range(1, MOST_ATTEMPTS)), timedelta())
    assert timedelta(hours=10) < longest < timedelta(hours=36)


@given(mail=st.uuids())
def test_each_mail_has_its_own_message_id(mail: UUID) -> None:
    assert message_id(mail) == message_id(mail)
    assert message_id(mail) != message_id(uuid4())


@given(reason=st.text(max_size=60))
def test_words_of_others_make_no_lines_of_the_mail(reason: str) -> None:
    notice = decided_after_objection(uuid4(), reason, goes_on=True)
    mail = mail_of_notice(notice, tenant_id=uuid4(), person_id=uuid4(), version=2)
    assert len(letter(mail.text, notice.resource_id, "").split("\n\n")) == 5
    assert len(mail.text.splitlines()) == 1
