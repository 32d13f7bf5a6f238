"""Plain-text mail to people who are not users of this product (domain.md 6.5, 10.1)."""

from uuid import UUID

from shared.domain.notifications.notification import Notice
from shared.domain.notifications.outgoing_mail import Mail


def mail_of_notice(notice: Notice, *, tenant_id: UUID, person_id: UUID, version: int) -> Mail:
    """The mail to a person without an account about the reading of their mailbox.

    ``version`` distinguishes the events of one approval.
    """
    return Mail(
        tenant_id=tenant_id,
        person_id=person_id,
        key=f"{notice.transaction_id}:{version}",
        resource_type=str(notice.resource_type),
        resource_id=notice.resource_id,
        subject=_one_line(notice.title),
        text=_one_line(notice.text),
    )


def letter(told: str, approval_id: UUID, api_url: str) -> str:
    """The whole text: the notice, why this person gets it, and how they object.

    ``api_url`` is the address of the API, or empty.
    """
    place = f" at {api_url}" if api_url else ""
    paragraphs = (
        "Hello,",
        told,
        "You get this mail since the calendar is yours and you are no user of Admin Assistant. "
        "It holds nothing of your events.",
        f"You may object, now or at any later time. Sign in to Admin Assistant{place} with the work account "
        "of this mailbox. No invitation is needed. GET v1/mailbox-approvals shows what is asked of your "
        f"calendar. POST v1/mailbox-approvals/{approval_id}/object stops it until another Admin decides.",
        f"If you cannot sign in, tell an Admin of your organisation that you object to {approval_id}.",
    )
    return "\n\n".join(paragraphs) + "\n"


def _one_line(text: str) -> str:
    """Names and reasons are written by other people. Their line breaks must not look like our lines."""
    return " ".join(text.split())
