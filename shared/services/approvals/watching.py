"""Ends approvals by time and lost roles, starts unopposed ones, and finds the owners of calendars (6.5)."""

import logging

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.identity.users import UserRepository
from shared.domain.approvals.mailbox_approval import ROLE_HOLDS_FOR, ApprovalState, names_another
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError, NotFound, StoreRefused
from shared.services.approvals.effects import ApprovalEffects
from shared.services.approvals.requesting import ask, has_other_admin
from shared.services.audit.recording import AuditWriter
from shared.services.calendars.persons import person_of

_AT_ONCE = 100
_ACTOR = "watch_mailbox_approvals"
_log = logging.getLogger(__name__)


class ApprovalWatch:
    """The work of a timer each minute."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter, calendars: Calendars) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._calendars = calendars

    async def run(self) -> None:
        """End approvals that are over, start unopposed ones, and find the owners of calendars."""
        await self._end(ApprovalState.ENDED)
        await self._end(ApprovalState.LAPSED)
        await self._start_unopposed()
        await self._learn_persons()

    async def _end(self, state: ApprovalState) -> None:
        now = self._clock.now()
        async with self._database.session() as session:
            approvals = MailboxApprovalRepository(session)
            if state is ApprovalState.ENDED:
                found = await approvals.over_unscoped(now, _AT_ONCE)
            else:
                found = await approvals.unseen_unscoped(now - ROLE_HOLDS_FOR, _AT_ONCE)
            for approval in found:
                effects = ApprovalEffects(session, self._audit, now)
                with _acting(approval):
                    await effects.end(approval, state, f"system:{_ACTOR}")

    async def _start_unopposed(self) -> None:
        now = self._clock.now()
        async with self._database.session() as session:
            for approval in await MailboxApprovalRepository(session).unopposed_unscoped(now, _AT_ONCE):
                effects = ApprovalEffects(session, self._audit, now)
                begins = await effects.unopposed_from(approval)
                if begins > now:
                    # The person's seven days begin with the notification.
                    approval.starts_at = begins
                    continue
                owner = await UserRepository(session).get(approval.tenant_id, approval.owner_id)
                with _acting(approval):
                    if owner is None or await has_other_admin(effects, approval, owner):
                        # Until then somebody can decide it.
                        approval.starts_at = None
                        await effects.record(approval, "waits_for_admin", {})
                        await effects.tell_admins(approval, objection=False)
                    else:
                        await effects.give(approval, f"system:{_ACTOR}", approval.days)

    async def _learn_persons(self) -> None:
        """Find the people of calendars in configurations that are older than this question.

        Only this shows a calendar that another person shared into the owner's mailbox.
        """
        async with self._database.session() as session:
            waiting = await MailboxApprovalRepository(session).unknown_persons_unscoped(_AT_ONCE)
        for configuration in waiting:
            try:
                with telemetry.bind(
                    caller=Caller.system(configuration.tenant_id, _ACTOR),
                    correlation=telemetry.new_correlation_id(),
                ):
                    await self._learn(configuration)
            except (NotFound, StoreRefused) as error:
                # A mailbox or calendar that is gone is not read again. Asking every minute is useless.
                _log.info("whose the calendars of %s are cannot be known: %s", configuration.id, error)
                await self._give_up(configuration)
            except AdminAssistantError as error:
                _log.warning("whose the calendars of %s are is unknown yet: %s", configuration.id, error)

    async def _give_up(self, configuration: ArchiveConfiguration) -> None:
        """Keep the mailboxes as the identity of their people."""
        async with self._database.session() as session:
            held = await ArchiveConfigurationRepository(session).lock(
                configuration.tenant_id, configuration.id
            )
            if held is not None:
                held.persons_known_at = self._clock.now()

    async def _learn(self, configuration: ArchiveConfiguration) -> None:
        calendars = self._calendars.in_tenant(configuration.tenant_id)
        source = await calendars.get_calendar(
            str(configuration.source_mailbox_id), configuration.source_calendar_id
        )
        archive = await calendars.get_calendar(
            str(configuration.archive_mailbox_id), configuration.archive_calendar_id
        )
        persons = [
            mailbox if calendar is None else await person_of(calendars, mailbox, calendar)
            for mailbox, calendar in (
                (configuration.source_mailbox_id, source),
                (configuration.archive_mailbox_id, archive),
            )
        ]
        async with self._database.session() as session:
            held = await ArchiveConfigurationRepository(session).lock(
                configuration.tenant_id, configuration.id
            )
            if held is None:
                return
            owner = await UserRepository(session).get(held.tenant_id, held.owner_id)
            if owner is None:
                return
            held.source_person_id, held.archive_person_id = persons
            held.persons_known_at = self._clock.now()
            if names_another(owner.object_id, persons) and not held.names_another:
                held.names_another, held.open_until = True, self._clock.now()
                await session.flush()
                effects = ApprovalEffects(session, self._audit, self._clock.now())
                await effects.close(held.id, held.tenant_id, ApprovalState.REQUESTED)
                await ask(effects, Caller.system(held.tenant_id, _ACTOR), held, owner)


def _acting(approval: MailboxApproval) -> telemetry.bind:
    return telemetry.bind(
        caller=Caller.system(approval.tenant_id, _ACTOR), correlation=telemetry.new_correlation_id()
    )
