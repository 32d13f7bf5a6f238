"""How many requests one caller may send to this instance: approximate, in memory, cheap."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.clock import Clock
from shared.domain.identity.caller import Caller
from shared.errors import RateLimited

#: Callers remembered. The one who was silent for the longest time is removed first.
_MOST_CALLERS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """A bucket for each caller: ``burst`` requests at once, ``per_second`` on average. 0 means no limit."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self._per_second = per_second
        self._burst = float(max(1, burst))
        self._clock = clock
        self._buckets: OrderedDict[tuple[UUID, str], _Bucket] = OrderedDict()

    def admit(self, caller: Caller) -> None:
        """Count one request. Raises RateLimited (429) with ``retry_after`` in seconds."""
        if self._per_second <= 0:
            return
        now = self._clock.now().timestamp()
        bucket = self._bucket((caller.tenant_id, caller.actor), now)
        passed = max(0.0, now - bucket.filled_at)
        bucket.tokens = min(self._burst, bucket.tokens + passed * self._per_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise RateLimited(
                f"this caller may send {self._per_second:g} requests a second, {self._burst:g} at once",
                limit="requests_per_second",
                value=self._per_second,
                retry_after=(1 - bucket.tokens) / self._per_second,
            )
        bucket.tokens -= 1

    def forget(self, tenant_id: UUID, actor: str) -> None:
        """Forget a caller."""
        self._buckets.pop((tenant_id, actor), None)

    def _bucket(self, key: tuple[UUID, str], now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, now)
            if len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket
