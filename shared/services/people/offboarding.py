"""A person leaves: their work stops, their archive stays (domain.md 15.1)."""

from dataclasses import asdict, dataclass
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.people.people import LeavingRepository
from shared.domain.action_items.items import expiring_questions
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.people.leaving import Leaving, Stopped


@dataclass(frozen=True, slots=True)
class Offboarded:
    """The person, and what was stopped now."""

    user: User
    stopped: Stopped
    overlaps_expiring: int
    action_items_expiring: int


class OffboardingService:
    """Offboards people of the caller's tenant."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._leaving = Leaving(clock, audit)

    async def offboard(self, caller: Caller, user_id: UUID, expected: ExpectedVersion) -> Offboarded:
        """Stop everything that runs for the person and deactivate them, in one transaction.

        A run in progress reconciles what it sent and ends before its next batch. Raises NotFound,
        PreconditionFailed, and Conflict for Admins who would lock themselves out.
        """
        async with session_for(self._database, caller) as (session, access):
            user = await access.locked_user(user_id, expected)
            if caller.is_person(user.object_id):
                raise Conflict("nobody offboards their own account", code="own_account")
            stopped = await self._leaving.stop(session, user)
            # The timer expires them, which archives the events that waited (domain.md 5.8).
            overlaps = await LeavingRepository(session).let_overlaps_expire(user.id, self._clock.now())
            items = await ActionItemRepository(session).let_expire(
                user.id, expiring_questions(), self._clock.now()
            )
            first = user.offboarded_at is None
            if first:
                user.offboarded_at = self._clock.now()
                if not stopped.deactivated:
                    user.touch(user.offboarded_at)
            if first or overlaps or items or stopped != Stopped(0, 0, 0, 0, deactivated=False):
                await session.flush()
                changes = {
                    "after": asdict(stopped) | {"overlaps_expiring": overlaps, "action_items_expiring": items}
                }
                await self._audit.record(
                    session, "user.offboarded", "user", user.id, changes, on_behalf_of=user.id
                )
        return Offboarded(user, stopped, overlaps, items)
