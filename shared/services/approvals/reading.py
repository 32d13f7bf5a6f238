"""Approvals, as seen by the people whom they concern (domain.md 6.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database.engine import Database
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
from shared.domain.identity.caller import Caller
from shared.errors import NotFound
from shared.schemas.paging import Position, Slice
from shared.services.identity.access import NOBODY, session_for


@dataclass(frozen=True, slots=True)
class OwnMailbox:
    """Open requests about a person's mailbox, and their assistant (object id)."""

    approvals: Sequence[MailboxApproval]
    assistant_id: UUID | None


class ApprovalReading:
    """Admins and Auditors see the tenant's. Others see those of their archives and mailbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, caller: Caller, after: Position | None, limit: int, state: str | None
    ) -> Slice[MailboxApproval]:
        """Approvals in the order of their requests."""
        async with session_for(self._database, caller) as (session, access):
            approvals = MailboxApprovalRepository(session)
            seen_by = None
            if access.readable_owner is not None:
                seen_by = access.readable_owner, await _mailboxes(approvals, caller)
            rows = await approvals.list(
                caller.tenant_id,
                after,
                limit + 1,
                seen_by=seen_by,
                states=() if state is None else (state,),
            )
        return Slice.cut(rows, limit, lambda row: Position(row.created_at, row.id))

    async def get(self, caller: Caller, approval_id: UUID) -> MailboxApproval:
        """One approval that concerns the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            approvals = MailboxApprovalRepository(session)
            found = await approvals.get(caller.tenant_id, approval_id)
            if found is not None and access.readable_owner not in (None, found.owner_id):
                mailboxes = await _mailboxes(approvals, caller)
                found = found if found.person_id in mailboxes else None
        if found is None:
            raise NotFound("there is no such approval")
        return found

    async def of_own_mailbox(self, caller: Caller) -> OwnMailbox:
        """Open requests about the caller's mailbox and about mailboxes for which they are the assistant."""
        if caller.person is None:
            return OwnMailbox((), None)
        async with self._database.session() as session:
            approvals = MailboxApprovalRepository(session)
            rows = await approvals.of_mailboxes(caller.tenant_id, await _mailboxes(approvals, caller))
            return OwnMailbox(rows, await approvals.assistant_of(caller.tenant_id, caller.person))


async def _mailboxes(approvals: MailboxApprovalRepository, caller: Caller) -> list[UUID]:
    if caller.person is None:
        return [NOBODY]
    return [caller.person, *await approvals.mailboxes_of_assistant(caller.tenant_id, caller.person)]
