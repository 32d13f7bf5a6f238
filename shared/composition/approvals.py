"""Approvals to archive another person's mailbox."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.approvals.deciding import ApprovalDecisions
    from shared.services.approvals.reading import ApprovalReading
    from shared.services.approvals.requesting import ApprovalRequests
    from shared.services.approvals.watching import ApprovalWatch


class ApprovalsRoom:
    """Approvals to archive another person's mailbox. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def requests(self) -> "ApprovalRequests":
        """Asking for the approval of another's mailbox."""
        from shared.services.approvals.requesting import ApprovalRequests

        return ApprovalRequests(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def decisions(self) -> "ApprovalDecisions":
        """Deciding about approvals."""
        from shared.services.approvals.deciding import ApprovalDecisions

        return ApprovalDecisions(
            self._base.database, self._base.clock, self._base.audit_writer, self._base.mail_senders
        )

    @cached_property
    def reading(self) -> "ApprovalReading":
        """Approvals as they are seen."""
        from shared.services.approvals.reading import ApprovalReading

        return ApprovalReading(self._base.database)

    @cached_property
    def watch(self) -> "ApprovalWatch":
        """What ends and starts approvals by time."""
        from shared.services.approvals.watching import ApprovalWatch

        return ApprovalWatch(
            self._base.database, self._base.clock, self._base.audit_writer, self._base.calendar_stores
        )


def build(foundations: "Foundations") -> ApprovalsRoom:
    """The room; nothing in it is built yet."""
    return ApprovalsRoom(foundations)
