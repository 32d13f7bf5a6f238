"""Pauses that a mailbox requested (Retry-After), shared by all processes through its gate."""

from datetime import datetime
from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.archiving.mailbox_gates import MailboxGateRepository


class MailboxPauses:
    """Stores pauses in ``mailbox_gates``. A mailbox named by address pauses only in this process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wait_until(self, mailbox: str) -> datetime | None:
        """The instant (UTC) before which nothing may be sent to the mailbox."""
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is None:
            return None
        async with self._database.reading() as session:
            return await MailboxGateRepository(session).not_before(mailbox_id)

    async def close_until(self, mailbox: str, until: datetime) -> None:
        """Send nothing to the mailbox before ``until``. A later pause stays."""
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is not None:
            # The pause is stored even if the change that caused it is rolled back.
            async with self._database.session(apart=True) as session:
                await MailboxGateRepository(session).close_until(mailbox_id, until)


def _mailbox_id(mailbox: str) -> UUID | None:
    try:
        return UUID(mailbox)
    except ValueError:
        return None
