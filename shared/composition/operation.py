"""Audit, repeated requests, health, and what is due."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.archiving import ArchivingRoom
    from shared.composition.foundations import Foundations
    from shared.composition.people import PeopleRoom
    from shared.composition.review import ReviewRoom
    from shared.services.audit.anchors import AuditAnchors
    from shared.services.audit.sealing import AuditSealer
    from shared.services.audit.trail import AuditTrail
    from shared.services.audit.verification import AuditVerifier
    from shared.services.operation.dispatching import Dispatcher
    from shared.services.operation.doctor import Doctor
    from shared.services.operation.health import HealthService
    from shared.services.operation.idempotency import IdempotencyService
    from shared.services.operation.late_work import LateWorkWatch
    from shared.services.operation.system_health import SystemHealthService


class OperationRoom:
    """Audit, repeated requests, health, and what is due."""

    def __init__(
        self,
        foundations: "Foundations",
        archiving: "ArchivingRoom",
        review: "ReviewRoom",
        people: "PeopleRoom",
    ) -> None:
        self._base = foundations
        self._archiving = archiving
        self._review = review
        self._people = people

    @cached_property
    def audit(self) -> "AuditTrail":
        """Reading the audit."""
        from shared.services.audit.trail import AuditTrail

        return AuditTrail(self._base.database, self._base.person_keys)

    @cached_property
    def audit_anchors(self) -> "AuditAnchors":
        """The ends of the audit's chains, kept in storage."""
        from shared.services.audit.anchors import AuditAnchors

        return AuditAnchors(self._base.storage)

    @cached_property
    def audit_verifier(self) -> "AuditVerifier":
        """Checking the audit's chain."""
        from shared.services.audit.verification import AuditVerifier

        return AuditVerifier(self._base.database, self._base.clock, self.audit_anchors)

    @cached_property
    def audit_sealer(self) -> "AuditSealer":
        """Sealing the audit."""
        from shared.services.audit.sealing import AuditSealer

        return AuditSealer(self._base.database, self._base.clock, self.audit_anchors)

    @cached_property
    def idempotency(self) -> "IdempotencyService":
        """Changes that may be asked for twice."""
        from shared.services.operation.idempotency import IdempotencyService

        return IdempotencyService(self._base.database, self._base.clock)

    @cached_property
    def health(self) -> "HealthService":
        """Whether the app can work."""
        from shared.services.operation.health import HealthService

        return HealthService(
            self._base.database,
            self._people.tokens,
            self._base.settings.version,
            self._base.settings.commit,
        )

    @cached_property
    def system_health(self) -> "SystemHealthService":
        """How the whole system is."""
        from shared.services.operation.system_health import SystemHealthService, answers

        stores: list[Callable[[], Awaitable[object]]] = []
        keys, storage = self._base.person_keys, self._base.storage
        if keys is not None:
            stores.append(keys.probe)
        if self._base.storage is not None:
            stores.append(self._base.storage.probe)
        if storage is not None:
            stores.append(lambda: answers(storage.read("health/probe", 0, 1)))
        service = SystemHealthService(
            self._base.database,
            self._base.clock,
            self._base.settings,
            tokens=self._people.tokens,
            mailboxes=self._base.calendars,
            stores=stores,
        )
        self._base.closers.append(service.close)
        return service

    @cached_property
    def doctor(self) -> "Doctor":
        """Checks the installation and names the remedies."""
        from shared.services.operation.doctor import Doctor

        return Doctor(
            self._base.database,
            self._base.clock,
            self._base.settings,
            graph=self._base.graph,
            calendars=self._base.calendars,
            health=self.system_health,
        )

    @cached_property
    def late_work(self) -> "LateWorkWatch":
        """What says that work is late."""
        from shared.services.operation.late_work import LateWorkWatch

        return LateWorkWatch(self._base.database, self._base.clock)

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        """What does everything that is due. The order of the claims is the order of their work."""
        from shared.services.operation.dispatching import Dispatcher, Work

        archiving, review, people = self._archiving, self._review, self._people
        return Dispatcher(
            claims=[
                (Work.ARCHIVE_RUN, "nightly archives", archiving.service.claim_due_jobs),
                (Work.ARCHIVE_RUN, "backfills", archiving.backfills.claim_due),
                (Work.ARCHIVE_RUN, "decided overlaps", review.overlap_resolving.carry_out_due),
                (Work.ARCHIVE_RUN, "expired overlaps", review.overlap_resolving.expire_due),
                (Work.ARCHIVE_RUN, "answered action items", review.answering.carry_out_due),
                (Work.ARCHIVE_RUN, "expired action items", review.answering.expire_due),
                (Work.VERIFICATION, "weekly verifications", archiving.verification_schedule.claim_due_jobs),
            ],
            driven={
                Work.ARCHIVE_RUN: archiving.service.to_drive,
                Work.VERIFICATION: archiving.verifications.to_drive,
                Work.USER_EXPORT: people.exports.to_drive,
                Work.USER_ERASURE: people.eraser.to_drive,
            },
            duties={
                "mailbox approvals": people.approval_watch.run,
                "reminders of overlaps": review.overlap_reminders.send_due,
                "reminders of action items": review.item_reminders.send_due,
                "audit seal": self.audit_sealer.seal,
                "mail": review.mail_sending.send_due,
                "late work": self.late_work.tell,
            },
            hourly={
                "answers to idempotency keys": self.idempotency.forget,
                "old user exports": people.exports.sweep,
            },
            clock=self._base.clock,
        )


def build(
    foundations: "Foundations", archiving: "ArchivingRoom", review: "ReviewRoom", people: "PeopleRoom"
) -> OperationRoom:
    """The room. Each part is built when first asked for."""
    return OperationRoom(foundations, archiving, review, people)
