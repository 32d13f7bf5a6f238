"""Audit, repeated requests and health."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.composition.identity import IdentityRoom
    from shared.services.audit.anchors import AuditAnchors
    from shared.services.audit.sealing import AuditSealer
    from shared.services.audit.trail import AuditTrail
    from shared.services.audit.verification import AuditVerifier
    from shared.services.operation.doctor import Doctor
    from shared.services.operation.health import HealthService
    from shared.services.operation.idempotency import IdempotencyService
    from shared.services.operation.late_work import LateWorkWatch
    from shared.services.operation.system_health import SystemHealthService


class OperationRoom:
    """Audit, repeated requests and health. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations", identity: "IdentityRoom") -> None:
        self._base = foundations
        self._identity = identity

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
            self._identity.tokens,
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
            tokens=self._identity.tokens,
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


def build(foundations: "Foundations", identity: "IdentityRoom") -> OperationRoom:
    """The room; nothing in it is built yet."""
    return OperationRoom(foundations, identity)
