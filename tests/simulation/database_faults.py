"""What goes wrong at PostgreSQL: drawn from the seed, call by call."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.simulation.fault_sites import Grudge

_STARTUP = b"\0"
_LONGEST_RESTART_SECONDS = 25.0
# Each fault makes the next one rarer by this factor. A plan of many pages makes hundreds of calls and begins
# again after each broken one. At a constant rate it would never end, and no fault would strike what comes
# after it.
_WEARS = 0.96


class Break(StrEnum):
    """What happens to one call of the database."""

    BEFORE = "connection lost before the effect"
    AFTER = "connection lost after the effect"
    SERIALIZATION = "serialization failure"
    RESTART_BEFORE = "PostgreSQL restarted before the effect"
    RESTART_AFTER = "PostgreSQL restarted after the effect"


_ORDINARY = (Break.BEFORE, Break.AFTER, Break.SERIALIZATION)


@dataclass(slots=True)
class DatabaseFaults:
    """Breaks calls of the processes at random; ``restart_at``: at which call the server is restarted."""

    rng: random.Random
    probability: float
    restart_at: int | None = None
    #: Told of every call of a process; True if the process just died of it.
    killed_by: Callable[[str], bool] = lambda label: False
    struck: Counter[str] = field(default_factory=Counter)
    grudge: Grudge | None = None
    #: Ends a process at once.
    kill: Callable[[str], None] = lambda label: None

    def strike(self, label: str, statement: bytes, place: str) -> Break | None:
        """What is to happen to a call of the process ``label`` at a place; only hosts suffer."""
        if not label.startswith("host") or self.killed_by(label):
            return None
        found = self._restart() or self._ordinary(statement)
        if found is None and self.grudge is not None and self.grudge.strikes(place):
            found = self.grudge.rng.choice((Break.BEFORE, Break.AFTER, None))
            if found is None:
                self.kill(label)
        if found is not None:
            self.struck[found.value] += 1
        return found

    def downtime(self) -> float:
        """How long (seconds) the restarted server refuses connections."""
        return self.rng.uniform(0.0, _LONGEST_RESTART_SECONDS)

    def calm(self) -> None:
        """Nothing goes wrong by chance any more."""
        self.probability, self.restart_at = 0.0, None

    def _restart(self) -> Break | None:
        if self.restart_at is None:
            return None
        self.restart_at -= 1
        if self.restart_at > 0:
            return None
        self.restart_at = None
        return self.rng.choice((Break.RESTART_BEFORE, Break.RESTART_AFTER))

    def _ordinary(self, statement: bytes) -> Break | None:
        commit = statement[5:11] == b"COMMIT"
        if self.probability <= 0 or self.rng.random() >= self.probability * (4 if commit else 1):
            return None
        self.probability *= _WEARS
        startup = statement[:1] == _STARTUP
        return self.rng.choice((Break.BEFORE, Break.AFTER) if startup else _ORDINARY)
