"""A mailbox's wish to be left alone (Retry-After), shared by every process through its gate."""

from datetime import datetime
from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.archiving.mailbox_gates import MailboxGateRepository


class MailboxPauses:
    """Keeps pauses in ``mailbox_gates``; a mailbox named by address is only paused in this process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wait_until(self, mailbox: str) -> datetime | None:
        """The instant, UTC, before which nothing may be sent to the mailbox."""
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is None:
            return None
        async with self._database.reading() as session:
            return await MailboxGateRepository(session).not_before(mailbox_id)

    async def close_until(self, mailbox: str, until: datetime) -> None:
        """Let nothing be sent to the mailbox before ``until``; a later pause stays."""
        mailbox_id = _mailbox_id(mailbox)
        if mailbox_id is not None:
            # A mailbox's word holds whatever becomes of the change that ran into it.
            async with self._database.session(apart=True) as session:
                await MailboxGateRepository(session).close_until(mailbox_id, until)


def _mailbox_id(mailbox: str) -> UUID | None:
    try:
        return UUID(mailbox)
    except ValueError:
        return None
