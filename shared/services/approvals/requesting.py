"""Requests approvals: for a new configuration on another person's mailbox, and for renewals (6.5)."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.approvals import texts
from shared.domain.approvals.mailbox_approval import (
    DEFAULT_DAYS,
    ROLE_HOLDS_FOR,
    ApprovalState,
    starts_unopposed,
)
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, NotFound
from shared.services.approvals.effects import ApprovalEffects
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for


class ApprovalRequests:
    """Requests. A configuration has at most one open request."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def request(self, caller: Caller, configuration_id: UUID, days: int) -> MailboxApproval:
        """Request an approval or its renewal. If a request is open already, it is returned.

        Raises NotFound. Raises Conflict if no approval is needed, or the person read was erased.
        """
        async with session_for(self._database, caller) as (session, access):
            configurations = ArchiveConfigurationRepository(session)
            found = await configurations.get(caller.tenant_id, configuration_id, access.writable_owner)
            held = found and await configurations.lock(caller.tenant_id, configuration_id)
            if held is None:
                raise NotFound("there is no such archive configuration")
            if held.source_erased_at is not None:
                raise Conflict("the person whose calendar it reads was erased", code="person_erased")
            if not held.names_another:
                raise Conflict("its calendars are its owner's own", code="no_approval_needed")
            owner = await access.writable_user(held.owner_id)
            effects = ApprovalEffects(session, self._audit, self._clock.now())
            return await ask(effects, caller, held, owner, days)


async def ask(
    effects: ApprovalEffects,
    caller: Caller,
    configuration: ArchiveConfiguration,
    owner: User,
    days: int = DEFAULT_DAYS,
) -> MailboxApproval:
    """Request the approval of a configuration, and notify the person read and the Admins who may decide.

    If no other Admin is known, it starts after 7 days unless the person objects.
    """
    now = effects.now
    open_one = await effects.approvals.of_configuration(configuration.id, requested=True)
    if open_one is not None:
        return open_one
    approval = MailboxApproval(
        id=uuid4(),
        tenant_id=configuration.tenant_id,
        owner_id=configuration.owner_id,
        configuration_id=configuration.id,
        person_id=configuration.origin_id,
        archive_person_id=configuration.archive_person_id or configuration.archive_mailbox_id,
        source_mailbox_id=configuration.source_mailbox_id,
        source_calendar_id=configuration.source_calendar_id,
        archive_mailbox_id=configuration.archive_mailbox_id,
        archive_calendar_id=configuration.archive_calendar_id,
        purpose=configuration.purpose,
        days=days,
        state=ApprovalState.REQUESTED,
        requested_by=caller.actor,
        given_to_admin=caller.is_admin and caller.is_person(owner.object_id),
        version=0,
        created_at=now,
        updated_at=now,
    )
    if approval.given_to_admin:
        # A sighting expires, and another instance may have deleted theirs a moment ago.
        await effects.approvals.saw_admin(owner.tenant_id, owner.object_id, now)
    others = await has_other_admin(effects, approval, owner)
    if not others:
        approval.starts_at = starts_unopposed(now)
    await effects.approvals.add(approval)
    await effects.record(approval, "requested", {"days": days})
    if others:
        notice = texts.asked_for(approval.id, owner.display_name, approval.purpose, days)
        await effects.tell_admins(approval, objection=False)
    else:
        notice = texts.starts_by_itself(
            approval.id, owner.display_name, approval.purpose, starts_unopposed(now)
        )
    await effects.tell_person(approval, notice)
    return approval


async def has_other_admin(effects: ApprovalEffects, approval: MailboxApproval, owner: User) -> bool:
    """Whether another Admin may decide the request, as far as sign-ins show."""
    gains = [each for each in (owner.object_id, approval.archive_person_id) if each != approval.person_id]
    return await effects.approvals.other_admin(
        approval.tenant_id, [*gains, owner.object_id], effects.now - ROLE_HOLDS_FOR
    )


async def ask_for_new(
    session: AsyncSession,
    audit: AuditWriter,
    now: datetime,
    caller: Caller,
    configuration: ArchiveConfiguration,
    owner: User,
) -> None:
    """Request the approval of a new configuration, if it needs one."""
    if configuration.names_another:
        await ask(ApprovalEffects(session, audit, now), caller, configuration, owner)
