"""What the simulator counts, so that tests can say how a client behaved."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Count:
    """Counts of one mailbox, or of all together.

    ``requests`` counts as Graph's quotas do: each sub-request is one, the batch around it none.
    ``round_trips`` are HTTP requests to /v1.0: a batch is one, for every mailbox it touches.
    """

    requests: int = 0
    round_trips: int = 0
    batches: int = 0
    sub_requests: int = 0
    reads: int = 0
    writes: int = 0
    throttled: int = 0
    max_concurrent: int = 0
    #: Requests that arrived before a given Retry-After had passed.
    requests_while_told_to_wait: int = 0
    invitations_sent: int = 0
    updates_sent: int = 0


@dataclass(slots=True)
class Counters:
    """Counts of all mailboxes and, by address, of each; tokens issued by kind."""

    total: Count = field(default_factory=Count)
    mailboxes: dict[str, Count] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    def of(self, address: str) -> Count:
        """Counts of one mailbox."""
        found = self.mailboxes.get(address)
        if found is None:
            found = self.mailboxes[address] = Count()
        return found

    def request(self, address: str | None, *, write: bool, in_batch: bool) -> None:
        """Count one request or sub-request."""
        for count in self._both(address):
            count.requests += 1
            count.sub_requests += in_batch
            if write:
                count.writes += 1
            else:
                count.reads += 1

    def round_trip(self, addresses: set[str], *, batch: bool) -> None:
        """Count one HTTP request to /v1.0."""
        for count in (self.total, *(self.of(address) for address in addresses)):
            count.round_trips += 1
            count.batches += batch

    def throttled(self, address: str | None) -> None:
        """Count one request refused by a quota or a concurrency limit."""
        for count in self._both(address):
            count.throttled += 1

    def concurrent(self, address: str, running: int) -> None:
        """Note how many requests of a mailbox run at this moment."""
        for count in self._both(address):
            count.max_concurrent = max(count.max_concurrent, running)

    def told_to_wait(self, address: str) -> None:
        """Count one request that should have waited."""
        for count in self._both(address):
            count.requests_while_told_to_wait += 1

    def mail(self, address: str, *, invitations: int = 0, updates: int = 0) -> None:
        """Count what attendees were sent."""
        for count in self._both(address):
            count.invitations_sent += invitations
            count.updates_sent += updates

    def token(self, kind: str) -> None:
        """Count one issued token."""
        self.tokens[kind] = self.tokens.get(kind, 0) + 1

    def reset(self) -> None:
        """Start again from zero."""
        self.total = Count()
        self.mailboxes = {}
        self.tokens = {}

    def as_dict(self) -> dict[str, Any]:
        """Totals at the top level, ``mailboxes`` by address and ``tokens`` beside them."""
        return {
            **asdict(self.total),
            "mailboxes": {address: asdict(count) for address, count in self.mailboxes.items()},
            "tokens": dict(self.tokens),
        }

    def _both(self, address: str | None) -> tuple[Count, ...]:
        return (self.total,) if address is None else (self.total, self.of(address))
