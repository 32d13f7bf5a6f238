"""The services that keep the app in order: audit, repeated requests, limits, health."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.people import PeopleParts

if TYPE_CHECKING:
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


class OperationParts(PeopleParts):
    """Audit, repeated requests, limits and health."""

    @cached_property
    def audit(self) -> "AuditTrail":
        """Reading the audit."""
        from shared.services.audit.trail import AuditTrail

        return AuditTrail(self.database, self.person_keys)

    @cached_property
    def audit_anchors(self) -> "AuditAnchors":
        """The ends of the audit's chains, kept in storage."""
        from shared.services.audit.anchors import AuditAnchors

        return AuditAnchors(self.storage)

    @cached_property
    def audit_verifier(self) -> "AuditVerifier":
        """Checking the audit's chain."""
        from shared.services.audit.verification import AuditVerifier

        return AuditVerifier(self.database, self.clock, self.audit_anchors)

    @cached_property
    def audit_sealer(self) -> "AuditSealer":
        """Sealing the audit."""
        from shared.services.audit.sealing import AuditSealer

        return AuditSealer(self.database, self.clock, self.audit_anchors)

    @cached_property
    def idempotency(self) -> "IdempotencyService":
        """Changes that may be asked for twice."""
        from shared.services.operation.idempotency import IdempotencyService

        return IdempotencyService(self.database, self.clock)

    @cached_property
    def health(self) -> "HealthService":
        """Whether the app can work."""
        from shared.services.operation.health import HealthService

        return HealthService(self.database, self.tokens, self.settings.version, self.settings.commit)

    @cached_property
    def system_health(self) -> "SystemHealthService":
        """How the whole system is."""
        from shared.services.operation.system_health import SystemHealthService, answers

        stores: list[Callable[[], Awaitable[object]]] = []
        keys, storage = self.person_keys, self.storage
        if keys is not None:
            stores.append(keys.probe)
        if self.storage is not None:
            stores.append(self.storage.probe)
        if storage is not None:
            stores.append(lambda: answers(storage.read("health/probe", 0, 1)))
        service = SystemHealthService(
            self.database,
            self.clock,
            self.settings,
            tokens=self.tokens,
            mailboxes=self.calendars,
            stores=stores,
        )
        self._closers.append(service.close)
        return service

    @cached_property
    def doctor(self) -> "Doctor":
        """Checks the installation and names the remedies."""
        from shared.services.operation.doctor import Doctor

        return Doctor(
            self.database,
            self.clock,
            self.settings,
            graph=self.graph,
            calendars=self.calendars,
            health=self.system_health,
        )

    @cached_property
    def late_work(self) -> "LateWorkWatch":
        """What says that work is late."""
        from shared.services.operation.late_work import LateWorkWatch

        return LateWorkWatch(self.database, self.clock)

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        """What does what is due."""
        from shared.services.operation.dispatching import Dispatcher, Work

        return Dispatcher(
            claims=[
                (Work.ARCHIVE_RUN, "nightly archives", self.archiving.claim_due_jobs),
                (Work.ARCHIVE_RUN, "backfills", self.backfills.claim_due),
                (Work.ARCHIVE_RUN, "decided overlaps", self.overlap_resolving.carry_out_due),
                (Work.ARCHIVE_RUN, "expired overlaps", self.overlap_resolving.expire_due),
                (Work.ARCHIVE_RUN, "answered action items", self.answering.carry_out_due),
                (Work.ARCHIVE_RUN, "expired action items", self.answering.expire_due),
                (Work.VERIFICATION, "weekly verifications", self.verification_schedule.claim_due_jobs),
            ],
            driven={
                Work.ARCHIVE_RUN: self.archiving.to_drive,
                Work.VERIFICATION: self.verifications.to_drive,
                Work.USER_EXPORT: self.user_exports.to_drive,
                Work.USER_ERASURE: self.eraser.to_drive,
            },
            duties={
                "mailbox approvals": self.approval_watch.run,
                "reminders of overlaps": self.overlap_reminders.send_due,
                "reminders of action items": self.item_reminders.send_due,
                "audit seal": self.audit_sealer.seal,
                "mail": self.mail_sending.send_due,
                "late work": self.late_work.tell,
            },
            hourly={
                "answers to idempotency keys": self.idempotency.forget,
                "old user exports": self.user_exports.sweep,
            },
            clock=self.clock,
        )
