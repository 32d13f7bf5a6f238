"""Counts a piece of work's requests to mailboxes per context, so that a run has its own total."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class CallUsage:
    """Counts like a quota: each sub-request of a $batch is a request, and the batch itself is none.

    ``round_trips`` are HTTP requests. ``requests`` is the sum of ``reads`` and ``writes``.
    """

    requests: int = 0
    round_trips: int = 0
    reads: int = 0
    writes: int = 0


_scopes: ContextVar[tuple[CallUsage, ...]] = ContextVar("usage", default=())


@contextmanager
def track_usage() -> Iterator[CallUsage]:
    """Count every call of the block and of tasks started in it. Outer blocks count them too."""
    usage = CallUsage()
    token = _scopes.set((*_scopes.get(), usage))
    try:
        yield usage
    finally:
        _scopes.reset(token)


def count_call(*, reads: int = 0, writes: int = 0) -> None:
    """Add one round trip with its reads and writes to every open scope."""
    for usage in _scopes.get():
        usage.round_trips += 1
        usage.requests += reads + writes
        usage.reads += reads
        usage.writes += writes
