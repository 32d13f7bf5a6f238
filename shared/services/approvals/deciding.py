"""Decides about approvals: by another Admin, and by the person read (domain.md 6.5)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.identity.users import UserRepository
from shared.domain.approvals import texts
from shared.domain.approvals.mailbox_approval import ApprovalState, Parties, authorised_to_decide
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, FieldError, Forbidden, NotFound, ValidationFailed
from shared.services.approvals.effects import ApprovalEffects
from shared.services.approvals.requesting import has_other_admin
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.notifications.mail_senders import MailSenders


@dataclass(frozen=True, slots=True)
class _Held:
    """An approval that is locked until the transaction ends, with its owner and its effects."""

    approval: MailboxApproval
    owner: User
    effects: ApprovalEffects

    @property
    def parties(self) -> Parties:
        """The people whom it concerns."""
        approval = self.approval
        return Parties(self.owner.object_id, approval.person_id, approval.archive_person_id)


class ApprovalDecisions:
    """Each decision locks the approval, is audited for the person read, and notifies the people concerned."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter, senders: MailSenders) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._senders = senders

    async def approve(
        self,
        caller: Caller,
        approval_id: UUID,
        days: int | None,
        reason: str | None,
        expected: ExpectedVersion,
    ) -> MailboxApproval:
        """Approve a request, by an Admin who gains nothing by it. After an objection, a reason is required.

        Raises NotFound, Forbidden, Conflict (also if the person read cannot be notified), and
        ValidationFailed if the reason is missing.
        """
        async with self._held(caller, approval_id, expected) as held:
            _refuse_own(caller, held)
            _require(held, ApprovalState.REQUESTED)
            approval = held.approval
            await held.effects.require_told(approval, self._senders)
            if approval.objected_at is not None:
                if reason is None:
                    message = "say why: the person whose calendar it is objected"
                    raise ValidationFailed([FieldError("reason", message, "missing")])
                notice = texts.decided_after_objection(approval.id, reason, goes_on=True)
                await held.effects.tell_person(approval, notice)
            approval.reason = reason
            await held.effects.give(approval, caller.actor, days or approval.days)
        return approval

    async def refuse(
        self, caller: Caller, approval_id: UUID, reason: str, expected: ExpectedVersion
    ) -> MailboxApproval:
        """Refuse a request, by an Admin. Raises NotFound and Conflict."""
        async with self._held(caller, approval_id, expected) as held:
            _require(held, ApprovalState.REQUESTED)
            await held.effects.end(held.approval, ApprovalState.REFUSED, caller.actor, reason)
        return held.approval

    async def withdraw(
        self, caller: Caller, approval_id: UUID, reason: str, expected: ExpectedVersion
    ) -> MailboxApproval:
        """Withdraw an approval, by any Admin. Raises NotFound and Conflict."""
        async with self._held(caller, approval_id, expected) as held:
            _require(held, ApprovalState.APPROVED, ApprovalState.OBJECTED)
            await held.effects.end(held.approval, ApprovalState.WITHDRAWN, caller.actor, reason)
        return held.approval

    async def decide_objection(
        self, caller: Caller, approval_id: UUID, reason: str, expected: ExpectedVersion, *, goes_on: bool
    ) -> MailboxApproval:
        """Decide about an objection, by an Admin who did not approve. The person is told the reason.

        Raises NotFound, Forbidden and Conflict.
        """
        async with self._held(caller, approval_id, expected) as held:
            _refuse_own(caller, held)
            approval, effects = held.approval, held.effects
            _require(held, ApprovalState.OBJECTED)
            if caller.actor in (approval.decided_by, approval.objected_by):
                raise Forbidden("another Admin decides about an objection", code="own_decision")
            if goes_on:
                await effects.require_told(approval, self._senders)
                approval.state, approval.reason = ApprovalState.APPROVED, reason
                approval.decided_by, approval.decided_at = caller.actor, effects.now
                configuration = await ArchiveConfigurationRepository(effects.session).lock(
                    approval.tenant_id, approval.configuration_id
                )
                if configuration is not None:
                    await effects.opened(configuration, approval)
                await effects.record(approval, "objection_overruled", {"reason": reason})
            else:
                await effects.end(approval, ApprovalState.WITHDRAWN, caller.actor, reason)
            await effects.tell_person(
                approval, texts.decided_after_objection(approval.id, reason, goes_on=goes_on)
            )
        return approval

    async def object(self, caller: Caller, approval_id: UUID, expected: ExpectedVersion) -> MailboxApproval:
        """Object, by the person read or their assistant. It stops until another Admin decides.

        A request that is still undecided no longer starts automatically. Raises NotFound and Conflict.
        """
        async with self._held(caller, approval_id, expected, by_person=True) as held:
            approval, effects = held.approval, held.effects
            if approval.state == ApprovalState.OBJECTED:
                return approval
            _require(held, ApprovalState.REQUESTED, ApprovalState.APPROVED)
            approval.objected_by, approval.objected_at = caller.actor, effects.now
            approval.starts_at = None
            if approval.state == ApprovalState.APPROVED:
                await effects.end(approval, ApprovalState.OBJECTED, caller.actor)
            else:
                await effects.record(approval, "objected", {})
            await effects.tell_admins(approval, objection=True)
        return approval

    async def agree(
        self, caller: Caller, approval_id: UUID, expected: ExpectedVersion, *, details: bool
    ) -> MailboxApproval:
        """Agree, by the person read or their assistant. With ``details``, also to more than the times.

        If no other Admin can decide, the request is valid from then on. Without ``details``, an earlier
        agreement to them is withdrawn. Raises NotFound and Conflict.
        """
        async with self._held(caller, approval_id, expected, by_person=True) as held:
            approval, effects = held.approval, held.effects
            _require(held, ApprovalState.REQUESTED, ApprovalState.APPROVED)
            if caller.is_person(held.owner.object_id) and held.parties.owner != held.parties.read:
                raise Forbidden("nobody agrees to their own request", code="own_request")
            approval.details_agreed_at = effects.now if details else None
            alone = not await has_other_admin(effects, approval, held.owner)
            if approval.state == ApprovalState.REQUESTED and alone and approval.objected_at is None:
                await effects.give(approval, caller.actor, approval.days)
                return approval
            configuration = await ArchiveConfigurationRepository(effects.session).lock(
                approval.tenant_id, approval.configuration_id
            )
            if configuration is not None and approval.state == ApprovalState.APPROVED:
                taken_back = configuration.details_agreed_at is not None and not details
                configuration.details_agreed_at = approval.details_agreed_at
                if taken_back:
                    await effects.approvals.mask_record(configuration.id)
            await effects.record(approval, "agreed", {"details": details})
        return approval

    async def name_assistant(self, caller: Caller, assistant_id: UUID | None) -> None:
        """Name the caller's assistant for requests about their mailbox. None removes the assistant.

        Raises NotFound for an application, and Conflict if callers name themselves.
        """
        person = caller.person
        if person is None:
            raise NotFound("there is no such mailbox: an application has none")
        if assistant_id == person:
            raise Conflict("nobody is their own assistant", code="own_assistant")
        async with session_for(self._database, caller) as (session, access):
            effects = ApprovalEffects(session, self._audit, self._clock.now())
            await effects.approvals.name_assistant(caller.tenant_id, person, assistant_id, effects.now)
            await self._audit.record(
                session,
                "mailbox_assistant.named" if assistant_id else "mailbox_assistant.removed",
                "mailbox",
                person,
                {"after": {"assistant_id": str(assistant_id) if assistant_id else None}},
                on_behalf_of=access.own.id if access.own is not None else person,
            )

    @asynccontextmanager
    async def _held(
        self, caller: Caller, approval_id: UUID, expected: ExpectedVersion, *, by_person: bool = False
    ) -> AsyncIterator[_Held]:
        async with session_for(self._database, caller) as (session, access):
            effects = ApprovalEffects(session, self._audit, self._clock.now())
            approval = await effects.approvals.get(caller.tenant_id, approval_id, lock=True)
            if approval is None:
                raise NotFound("there is no such approval")
            if by_person:
                assistant = await effects.approvals.assistant_of(caller.tenant_id, approval.person_id)
                if caller.person is None or caller.person not in (approval.person_id, assistant):
                    known = access.readable_owner in (None, approval.owner_id)
                    if not known:
                        raise NotFound("there is no such approval")
                    raise Forbidden("this is for the person read to say", code="person_read_needed")
            expected.check(approval.version)
            owner = await UserRepository(session).get(approval.tenant_id, approval.owner_id)
            if owner is None:
                raise NotFound("there is no such approval")
            yield _Held(approval, owner, effects)


def _refuse_own(caller: Caller, held: _Held) -> None:
    if not authorised_to_decide(caller.person, held.parties):
        raise Forbidden("nobody approves what they gain by; another Admin decides", code="own_approval")


def _require(held: _Held, *states: ApprovalState) -> None:
    if held.approval.state not in states:
        raise Conflict(f"it is {held.approval.state}", code="approval_state")
