"""The effects of a changed approval: on its configuration, its runs, people and the audit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
from shared.database.repositories.archiving.archives_of_others import ArchivesOfOthers
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.database.repositories.notifications.mail_outbox import MailOutboxRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.people.person_data import DataSubject
from shared.domain.approvals import texts
from shared.domain.approvals.mailbox_approval import (
    ROLE_HOLDS_FOR,
    ApprovalState,
    ends_at,
    starts_after_telling,
)
from shared.domain.json_object import JsonObject
from shared.domain.notifications.mail_texts import mail_of_notice
from shared.domain.notifications.notification import Notice, Recipient
from shared.domain.notifications.outgoing_mail import MailState
from shared.errors import Conflict, NotFound
from shared.services.audit.recording import AuditWriter
from shared.services.notifications.mail_senders import MailSenders

_WHY_OVER = {
    ApprovalState.WITHDRAWN: "was withdrawn by an Admin",
    ApprovalState.LAPSED: "lapsed: you are no Admin any more, or have not signed in as one for 30 days",
    ApprovalState.ENDED: "has ended",
    ApprovalState.OBJECTED: "has stopped: the person objected",
    ApprovalState.REFUSED: "was refused",
}


class ApprovalEffects:
    """Each method runs in the transaction of its caller, who has locked the approval."""

    def __init__(self, session: AsyncSession, audit: AuditWriter, now: datetime) -> None:
        self.session = session
        self.approvals = MailboxApprovalRepository(session)
        self._audit = audit
        self.now = now

    async def give(self, approval: MailboxApproval, by: str, days: int) -> None:
        """Make it valid from now on. The previous approval ends, and the person read is notified."""
        configuration = await self._configuration(approval)
        former = await self.approvals.of_configuration(approval.configuration_id)
        if former is not None and former.id != approval.id:
            former.state, former.updated_at = ApprovalState.ENDED, self.now
            former.version += 1
            approval.details_agreed_at = approval.details_agreed_at or former.details_agreed_at
            await self.session.flush()
        owner = await self._owner(approval)
        since = self.now - ROLE_HOLDS_FOR
        approval.given_to_admin = approval.given_to_admin or await self.approvals.is_admin(
            owner.tenant_id, owner.object_id, since
        )
        approval.state, approval.decided_by, approval.decided_at = ApprovalState.APPROVED, by, self.now
        approval.days, approval.ends_at = days, ends_at(self.now, days)
        approval.starts_at = None
        await self.opened(configuration, approval)
        await self.record(approval, "approved")
        await self.tell_person(
            approval, texts.given(approval.id, owner.display_name, approval.purpose, approval.ends_at)
        )

    async def opened(self, configuration: ArchiveConfiguration, approval: MailboxApproval) -> None:
        """Open its configuration and rows until the approval ends."""
        configuration.open_until = approval.ends_at
        configuration.given_to_admin = approval.given_to_admin
        configuration.details_agreed_at = approval.details_agreed_at
        await self.session.flush()
        await JobRepository(self.session).resume_approved(configuration.owner_id, configuration.id)

    async def end(
        self, approval: MailboxApproval, state: ApprovalState, by: str, reason: str | None = None
    ) -> None:
        """End it: nothing runs any more, and what it archived is closed to its owner."""
        in_force = approval.state != ApprovalState.REQUESTED
        approval.state = state
        if state is not ApprovalState.OBJECTED:
            approval.decided_by, approval.decided_at, approval.reason = by, self.now, reason
        if in_force:
            await self.close(approval.configuration_id, approval.tenant_id, state)
        await self.record(approval, str(state), {} if reason is None else {"reason": reason})
        await self._tell(approval.owner_id, approval.tenant_id, texts.over(approval.id, _WHY_OVER[state]))

    async def close(self, configuration_id: UUID, tenant_id: UUID, state: ApprovalState) -> None:
        """Close the configuration now and stop its work."""
        configuration = await ArchiveConfigurationRepository(self.session).lock(tenant_id, configuration_id)
        if configuration is not None:
            agreed = configuration.details_agreed_at is not None
            configuration.open_until, configuration.details_agreed_at = self.now, None
            await self.session.flush()
            if agreed:
                await self.approvals.mask_record(configuration_id)
        await self.approvals.stop_work(configuration_id, f"the approval is {state}", self.now)

    async def tell_person(self, approval: MailboxApproval, notice: Notice) -> None:
        """Notify the person read: in the product, or by mail if they are not a user."""
        person = await self._person(approval)
        if person is not None:
            await self._tell(person.id, approval.tenant_id, notice)
            return
        mail = mail_of_notice(
            notice, tenant_id=approval.tenant_id, person_id=approval.person_id, version=approval.version
        )
        await MailOutboxRepository(self.session).put(mail, self.now)

    async def unopposed_from(self, approval: MailboxApproval) -> datetime:
        """When an undecided request may start: 7 days after the person read was notified."""
        if await self._person(approval) is not None:
            # A user was notified in the product when the request was made.
            return approval.starts_at or self.now
        mails = await MailOutboxRepository(self.session).about(approval.tenant_id, approval.id)
        told = min((mail.sent_at for mail in mails if mail.sent_at is not None), default=None)
        return starts_after_telling(told, self.now)

    async def require_told(self, approval: MailboxApproval, senders: MailSenders) -> None:
        """Raise Conflict if the person read cannot be notified, neither in the product nor by mail."""
        if await self._person(approval) is not None:
            return
        if senders.of(approval.tenant_id) is None:
            why = "the person is no user here, and no mailbox is set to send them mail from (MAIL_SENDER)"
            raise Conflict(why, code="person_cannot_be_told")
        mails = await MailOutboxRepository(self.session).about(approval.tenant_id, approval.id)
        if any(mail.state == MailState.DEAD for mail in mails):
            why = "the person is no user here, and mail to them was given up; refuse it, then ask again"
            raise Conflict(why, code="person_cannot_be_told")

    async def tell_admins(self, approval: MailboxApproval, *, objection: bool) -> None:
        """Notify the tenant's Admins that one of them must decide."""
        notice = texts.waits_for_admin(approval.id, objection=objection)
        await self._tell(approval.owner_id, approval.tenant_id, notice)

    async def record(self, approval: MailboxApproval, what: str, changes: JsonObject | None = None) -> None:
        """Count the version and audit it, on behalf of the person read."""
        approval.touch(self.now)
        await self.session.flush()
        person = await self._person(approval)
        after = {
            "state": str(approval.state),
            "person_id": str(approval.person_id),
            "configuration_id": str(approval.configuration_id),
            "ends_at": approval.ends_at.isoformat() if approval.ends_at else None,
        }
        await self._audit.record(
            self.session,
            f"mailbox_approval.{what}",
            "mailbox_approval",
            approval.id,
            {"after": {**after, **(changes or {})}},
            on_behalf_of=person.id if person is not None else approval.person_id,
        )

    async def _configuration(self, approval: MailboxApproval) -> ArchiveConfiguration:
        found = await ArchiveConfigurationRepository(self.session).lock(
            approval.tenant_id, approval.configuration_id
        )
        if found is None:
            raise NotFound("there is no such archive configuration any more")
        return found

    async def _owner(self, approval: MailboxApproval) -> User:
        found = await UserRepository(self.session).get(approval.tenant_id, approval.owner_id)
        if found is None:
            raise NotFound("there is no such user")
        return found

    async def _person(self, approval: MailboxApproval) -> User | None:
        return await UserRepository(self.session).get_by_object_id(approval.tenant_id, approval.person_id)

    async def _tell(self, user_id: UUID, tenant_id: UUID, notice: Notice) -> None:
        told = [(Recipient(tenant_id, user_id), notice)]
        await NotificationRepository(self.session).tell(told, self.now)


async def close_archives_of(
    session: AsyncSession, audit: AuditWriter, person: DataSubject, now: datetime
) -> None:
    """While a person is erased, end permanently what others may read of their mailbox (domain.md 15.3)."""
    effects = ApprovalEffects(session, audit, now)
    for approval in await effects.approvals.open_of_person(person.tenant_id, person.object_id):
        await effects.end(approval, ApprovalState.ENDED, "system:erase_user", "the person is erased")
    for configuration_id in await ArchivesOfOthers(session).close(person, now):
        await effects.approvals.stop_work(configuration_id, "the person read is erased", now)


async def end_approvals(
    session: AsyncSession,
    audit: AuditWriter,
    configuration: ArchiveConfiguration,
    by: str,
    now: datetime,
) -> None:
    """End the approval of a deleted configuration, and close what it archived (domain.md 6.5)."""
    effects = ApprovalEffects(session, audit, now)
    for requested in (True, False):
        approval = await effects.approvals.of_configuration(configuration.id, requested=requested)
        if approval is not None:
            await effects.end(approval, ApprovalState.ENDED, by, "the archive configuration is deleted")
