"""Where ``Retry-After`` of a mailbox is kept for the tests of a single process."""

from datetime import datetime


class InProcessGate:
    """The gate of a single process."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}

    async def wait_until(self, mailbox: str) -> datetime | None:
        """The instant from which the mailbox may be asked again, or None."""
        return self._until.get(mailbox)

    async def close_until(self, mailbox: str, until: datetime) -> None:
        """Note that nothing may be sent before ``until``; never moves it earlier."""
        self._until[mailbox] = max(until, self._until.get(mailbox, until))
