"""The mail outbox: written with its cause, claimed by the sender (domain.md 10.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.models.mail_outbox import OutgoingMail
from shared.database.repositories.base import Repository
from shared.domain.notifications.outgoing_mail import Mail, MailState


@dataclass(frozen=True, slots=True)
class UnsentMail:
    """How much mail of a tenant waits, how much was given up, and the age of the oldest waiting mail."""

    waiting: int
    dead: int
    oldest: datetime | None


class MailOutboxRepository(Repository):
    """The ``mail_outbox`` table."""

    async def put(self, mail: Mail, now: datetime) -> None:
        """Store a mail to be sent from ``now`` on. If the key exists already, the stored mail stays."""
        row = insert(OutgoingMail).values(
            tenant_id=mail.tenant_id,
            person_id=mail.person_id,
            key=mail.key,
            resource_type=mail.resource_type,
            resource_id=mail.resource_id,
            subject=mail.subject,
            body=mail.text,
            state=MailState.WAITING,
            next_attempt_at=now,
            created_at=now,
            updated_at=now,
        )
        await self._session.execute(row.on_conflict_do_nothing(index_elements=["tenant_id", "key"]))

    async def claim_due_unscoped(
        self, tenant_ids: Sequence[UUID], now: datetime, hold: timedelta, limit: int
    ) -> Sequence[OutgoingMail]:
        """Claim due mail of these tenants for ``hold``. Each row has its previous state.

        If that state is ``sending``, the previous sender was lost, so the mail may be sent already.
        """
        due = await self._all(
            select(OutgoingMail)
            .where(
                OutgoingMail.tenant_id.in_(tenant_ids),
                OutgoingMail.state.in_((MailState.WAITING, MailState.SENDING)),
                OutgoingMail.next_attempt_at <= now,
            )
            .order_by(OutgoingMail.next_attempt_at, OutgoingMail.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        for mail in due:
            mail.uncertain = mail.uncertain or mail.state == MailState.SENDING
            mail.state, mail.attempts = MailState.SENDING, mail.attempts + 1
            mail.next_attempt_at = mail.updated_at = now
            mail.next_attempt_at += hold
        return due

    async def sent(self, mail: OutgoingMail, at: datetime) -> bool:
        """Mark it sent. False if somebody else has claimed it in between."""
        return await self._settle(
            mail, at, state=MailState.SENT, sent_at=at, body="", uncertain=False, error_code=None
        )

    async def again(
        self, mail: OutgoingMail, now: datetime, at: datetime, code: str, *, uncertain: bool
    ) -> bool:
        """Retry it at ``at``. ``uncertain``: it may be sent already."""
        return await self._settle(
            mail, now, state=MailState.WAITING, next_attempt_at=at, error_code=code, uncertain=uncertain
        )

    async def give_up(self, mail: OutgoingMail, now: datetime, code: str) -> bool:
        """Stop retrying it."""
        return await self._settle(mail, now, state=MailState.DEAD, error_code=code, body="")

    async def _settle(self, mail: OutgoingMail, now: datetime, **values: object) -> bool:
        settled = await self._session.execute(
            update(OutgoingMail)
            .where(
                OutgoingMail.id == mail.id,
                OutgoingMail.tenant_id == mail.tenant_id,
                OutgoingMail.state == MailState.SENDING,
                OutgoingMail.attempts == mail.attempts,
            )
            .values(updated_at=now, **values)
            .returning(OutgoingMail.id)
            .execution_options(synchronize_session=False)
        )
        return settled.one_or_none() is not None

    async def about(self, tenant_id: UUID, resource_id: UUID) -> Sequence[OutgoingMail]:
        """The mail about one thing, in the order it was written."""
        return await self._all(
            select(OutgoingMail)
            .where(OutgoingMail.tenant_id == tenant_id, OutgoingMail.resource_id == resource_id)
            .order_by(OutgoingMail.created_at, OutgoingMail.id)
        )

    async def unsent(self, tenant_id: UUID) -> UnsentMail:
        """The unsent mail of a tenant."""
        waits = OutgoingMail.state.in_((MailState.WAITING, MailState.SENDING))
        row = (
            await self._session.execute(
                select(
                    func.count().filter(waits),
                    func.count().filter(OutgoingMail.state == MailState.DEAD),
                    func.min(OutgoingMail.created_at).filter(waits),
                ).where(OutgoingMail.tenant_id == tenant_id, OutgoingMail.state != MailState.SENT)
            )
        ).one()
        return UnsentMail(row[0], row[1], row[2])
