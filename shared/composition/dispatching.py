"""What is due, and who does it."""

from typing import TYPE_CHECKING

from shared.services.operation.dispatching import Dispatcher, Work

if TYPE_CHECKING:
    from shared.composition.approvals import ApprovalsRoom
    from shared.composition.archiving import ArchivingRoom
    from shared.composition.foundations import Foundations
    from shared.composition.notifications import NotificationsRoom
    from shared.composition.operation import OperationRoom
    from shared.composition.people import PeopleRoom
    from shared.composition.review import ReviewRoom
    from shared.composition.verifying import VerifyingRoom


def build(
    foundations: "Foundations",
    *,
    archiving: "ArchivingRoom",
    verifying: "VerifyingRoom",
    review: "ReviewRoom",
    notifications: "NotificationsRoom",
    approvals: "ApprovalsRoom",
    people: "PeopleRoom",
    operation: "OperationRoom",
) -> Dispatcher:
    """What does everything that is due. The order of the claims is the order of their work."""
    return Dispatcher(
        claims=[
            (Work.ARCHIVE_RUN, "nightly archives", archiving.service.claim_due_jobs),
            (Work.ARCHIVE_RUN, "backfills", archiving.backfills.claim_due),
            (Work.ARCHIVE_RUN, "decided overlaps", review.overlap_resolving.carry_out_due),
            (Work.ARCHIVE_RUN, "expired overlaps", review.overlap_resolving.expire_due),
            (Work.ARCHIVE_RUN, "answered action items", review.answering.carry_out_due),
            (Work.ARCHIVE_RUN, "expired action items", review.answering.expire_due),
            (Work.VERIFICATION, "weekly verifications", verifying.schedule.claim_due_jobs),
        ],
        driven={
            Work.ARCHIVE_RUN: archiving.service.to_drive,
            Work.VERIFICATION: verifying.verifications.to_drive,
            Work.USER_EXPORT: people.exports.to_drive,
            Work.USER_ERASURE: people.eraser.to_drive,
        },
        duties={
            "mailbox approvals": approvals.watch.run,
            "reminders of overlaps": notifications.overlap_reminders.send_due,
            "reminders of action items": notifications.item_reminders.send_due,
            "audit seal": operation.audit_sealer.seal,
            "mail": notifications.mail.send_due,
            "late work": operation.late_work.tell,
        },
        hourly={
            "answers to idempotency keys": operation.idempotency.forget,
            "old user exports": people.exports.sweep,
        },
        clock=foundations.clock,
    )
