"""Sends the mail outbox (domain.md 10.1): at least once, and normally only once."""

import logging
import random
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.mail_outbox import OutgoingMail
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.notifications.mail_outbox import MailOutboxRepository
from shared.domain.identity.caller import Caller
from shared.domain.notifications.mail_texts import letter
from shared.domain.notifications.outgoing_mail import MOST_ATTEMPTS, MailFailed, message_id, wait_before
from shared.services.audit.recording import AuditWriter
from shared.services.notifications.mail_senders import MailSenders

#: A mailbox may send 30 messages a minute (graph.md, Mail and categories). Two ticks fit in a minute.
_AT_ONCE: Final = 10
#: How long a worker may hold a mail. After that, another worker may check whether it was sent.
_HOLD: Final = timedelta(minutes=5)
#: A tick takes at most this time. Mail that it took and did not try waits for its next turn.
_TICK: Final = timedelta(seconds=15)
#: Sent Items show a mail only after a delay.
_LOOK_AFTER: Final = 60.0
_ACTOR: Final = "send_mail"
_log = logging.getLogger(__name__)


class Post(Protocol):
    """Sends mail. Raises MailFailed."""

    async def address_of(self, person: str) -> str | None:
        """The address of a person by object id."""
        ...

    async def send(self, sender: str, recipient: str, subject: str, text: str, message_id: str) -> None:
        """Send plain text."""
        ...

    async def was_sent(self, sender: str, message_id: str) -> bool:
        """Whether it was sent before."""
        ...


class PostOffice(Protocol):
    """The mail sender of each tenant."""

    def in_tenant(self, tenant_id: UUID) -> Post:
        """The mail sender of one tenant."""
        ...


class MailSending:
    """The mail work of each dispatcher tick."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditWriter, posts: PostOffice, senders: MailSenders
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._posts = posts
        self._senders = senders

    async def send_due(self) -> None:
        """Send what is due, for the tenants that have a sender mailbox."""
        tenants = self._senders.tenants
        if not tenants:
            return
        began = self._clock.now()
        async with self._database.session() as session:
            due = await MailOutboxRepository(session).claim_due_unscoped(tenants, began, _HOLD, _AT_ONCE)
        for mail in due:
            with telemetry.bind(
                caller=Caller.system(mail.tenant_id, _ACTOR), correlation=telemetry.new_correlation_id()
            ):
                if self._clock.now() - began > _TICK:
                    await self._later(mail)
                else:
                    await self._try(mail)

    async def _try(self, mail: OutgoingMail) -> None:
        sender = self._senders.of(mail.tenant_id)
        assert sender is not None  # noqa: S101 - only tenants with one were asked for
        post = self._posts.in_tenant(mail.tenant_id)
        try:
            recipient = await post.address_of(str(mail.person_id))
        except MailFailed as failure:
            # Nothing was tried yet. What was uncertain stays uncertain, and nothing else becomes so.
            await self._failed(mail, failure, uncertain=mail.uncertain)
            return
        if recipient is None:
            await self._give_up(mail, "recipient_unknown")
            return
        identity = message_id(mail.id)
        try:
            if not mail.uncertain or not await _found(post, sender, identity):
                text = letter(mail.body, mail.resource_id, self._senders.api_url)
                await post.send(sender, recipient, mail.subject, text, identity)
        except MailFailed as failure:
            await self._failed(mail, failure, uncertain=mail.uncertain or not failure.surely_unsent)
            return
        await self._sent(mail)

    async def _sent(self, mail: OutgoingMail) -> None:
        now = self._clock.now()
        async with self._database.session() as session:
            if await MailOutboxRepository(session).sent(mail, now):
                await self._record(session, mail, "sent", {"attempts": mail.attempts})

    async def _failed(self, mail: OutgoingMail, failure: MailFailed, *, uncertain: bool) -> None:
        if not failure.may_pass or mail.attempts >= MOST_ATTEMPTS:
            await self._give_up(mail, failure.code)
            return
        now = self._clock.now()
        wait = wait_before(mail.attempts, failure.retry_after, random.random())
        if uncertain:
            wait = max(wait, timedelta(seconds=_LOOK_AFTER))
        _log.warning("mail %s was not sent, attempt %d: %s", mail.id, mail.attempts, failure)
        async with self._database.session() as session:
            await MailOutboxRepository(session).again(
                mail, now, now + wait, failure.code, uncertain=uncertain
            )

    async def _later(self, mail: OutgoingMail) -> None:
        """It was taken and not tried."""
        now = self._clock.now()
        async with self._database.session() as session:
            await MailOutboxRepository(session).again(
                mail, now, now, mail.error_code or "not_tried", uncertain=mail.uncertain
            )

    async def _give_up(self, mail: OutgoingMail, code: str) -> None:
        _log.error("mail %s is given up after %d attempts: %s", mail.id, mail.attempts, code)
        async with self._database.session() as session:
            if await MailOutboxRepository(session).give_up(mail, self._clock.now(), code):
                await self._record(session, mail, "given_up", {"attempts": mail.attempts, "code": code})

    async def _record(
        self, session: AsyncSession, mail: OutgoingMail, what: str, told: dict[str, object]
    ) -> None:
        users = UserRepository(session)
        person = await users.get_by_object_id(mail.tenant_id, mail.person_id)
        await self._audit.record(
            session,
            f"mail.{what}",
            mail.resource_type,
            mail.resource_id,
            {"after": told},
            on_behalf_of=person.id if person is not None else mail.person_id,
            outcome="success" if what == "sent" else "failure",
        )


async def _found(post: Post, sender: str, identity: str) -> bool:
    """Whether a lost attempt did send it. Without permission to look, it is sent once more."""
    try:
        return await post.was_sent(sender, identity)
    except MailFailed as failure:
        if not failure.refused:
            raise
        _log.warning("sent mail cannot be looked up: %s", failure)
        return False
