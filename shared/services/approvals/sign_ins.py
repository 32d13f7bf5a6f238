"""Records who signs in with the role Admin, and who no longer does (domain.md 6.5).

Only tokens show roles. Cheap checks come first, so most requests load nothing of this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.approvals.admin_sightings import AdminSightings
from shared.domain.identity.caller import Caller

if TYPE_CHECKING:
    from shared.services.audit.recording import AuditWriter

#: The database is queried about a caller this often. So another instance's sighting is known after this time.
ASKED_EVERY: Final = timedelta(minutes=1)
#: The sighting of an Admin is written this often.
_WRITTEN_EVERY: Final = timedelta(hours=1)
_MOST_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Noted:
    """How a person was seen, until when no query is needed, until when the sighting is recent."""

    as_admin: bool
    until: datetime
    written_until: datetime


class AdminSignIns:
    """Remembers Admins, and ends the approvals given to a person who signs in without the role."""

    def __init__(self, database: Database, clock: Clock, audit: "Callable[[], AuditWriter]") -> None:
        """``audit`` makes the writer when it is first needed."""
        self._database = database
        self._sightings = AdminSightings(database)
        self._clock = clock
        self._audit = audit
        self._noted: dict[tuple[UUID, UUID], _Noted] = {}

    async def note(self, caller: Caller) -> None:
        """Record that a person signed in. Applications have no personal role. Raises Unavailable."""
        person = caller.person
        if person is None:
            return
        place, now = (caller.tenant_id, person), self._clock.now()
        noted = self._noted.get(place)
        if noted is not None and noted.as_admin == caller.is_admin and now < noted.until:
            return
        written_until = noted.written_until if noted is not None and noted.as_admin else now
        known = await self._sightings.known(caller.tenant_id, person)
        # Another instance may have seen the person without the role and deleted the sighting.
        if caller.is_admin and (not known or now >= written_until):
            await self._saw_admin(caller.tenant_id, person, now)
            written_until = now + _WRITTEN_EVERY
        elif known and not caller.is_admin:
            await self._lapse(caller, person, now)
        if len(self._noted) >= _MOST_KEPT:
            self._noted.clear()
        self._noted[place] = _Noted(caller.is_admin, now + ASKED_EVERY, written_until)

    async def _saw_admin(self, tenant_id: UUID, person: UUID, now: datetime) -> None:
        from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository

        async with self._database.session() as session:
            await MailboxApprovalRepository(session).saw_admin(tenant_id, person, now)

    async def _lapse(self, caller: Caller, person: UUID, now: datetime) -> None:
        from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
        from shared.domain.approvals.mailbox_approval import ApprovalState
        from shared.services.approvals.effects import ApprovalEffects

        async with self._database.session() as session:
            approvals = MailboxApprovalRepository(session)
            for approval in await approvals.given_to(caller.tenant_id, person):
                effects = ApprovalEffects(session, self._audit(), now)
                await effects.end(approval, ApprovalState.LAPSED, "system:admin_sign_ins")
            await approvals.saw_without_role(caller.tenant_id, person)
