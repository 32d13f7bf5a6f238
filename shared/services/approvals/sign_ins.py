"""Who signs in with the role Admin, and who does not any more (domain.md 6.5).

Roles are known from tokens alone. What is light is asked first: most requests load nothing of this.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.admin_sightings import AdminSightings
from shared.domain.caller import Caller
from shared.services.audit import AuditWriter

#: What was noted of a caller is not noted again for so long, by the role.
_ADMIN_FOR: Final = timedelta(hours=1)
_OTHER_FOR: Final = timedelta(minutes=1)
_MOST_KEPT: Final = 10_000


class AdminSignIns:
    """Remembers Admins, and lets the approvals given to one lapse who signs in without the role."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._sightings = AdminSightings(database)
        self._clock = clock
        self._audit = audit
        self._noted: dict[tuple[UUID, UUID], tuple[bool, datetime]] = {}

    async def note(self, caller: Caller) -> None:
        """A person signed in; applications have no role of a person. Raises Unavailable."""
        person = caller.person
        if person is None:
            return
        place, now = (caller.tenant_id, person), self._clock.now()
        was_admin, until = self._noted.get(place, (None, now))
        if was_admin == caller.is_admin and now < until:
            return
        if caller.is_admin:
            await self._saw_admin(caller.tenant_id, person, now)
        elif await self._sightings.known(caller.tenant_id, person):
            await self._lapse(caller, person, now)
        if len(self._noted) >= _MOST_KEPT:
            self._noted.clear()
        self._noted[place] = caller.is_admin, now + (_ADMIN_FOR if caller.is_admin else _OTHER_FOR)

    async def _saw_admin(self, tenant_id: UUID, person: UUID, now: datetime) -> None:
        from shared.database.repositories.mailbox_approvals import MailboxApprovalRepository

        async with self._database.session() as session:
            await MailboxApprovalRepository(session).saw_admin(tenant_id, person, now)

    async def _lapse(self, caller: Caller, person: UUID, now: datetime) -> None:
        from shared.database.repositories.mailbox_approvals import MailboxApprovalRepository
        from shared.domain.mailbox_approval import ApprovalState
        from shared.services.approvals.effects import ApprovalEffects

        async with self._database.session() as session:
            approvals = MailboxApprovalRepository(session)
            for approval in await approvals.given_to(caller.tenant_id, person):
                effects = ApprovalEffects(session, self._audit, now)
                await effects.end(approval, ApprovalState.LAPSED, "system:admin_sign_ins")
            await approvals.saw_without_role(caller.tenant_id, person)
