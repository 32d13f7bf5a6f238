"""All timers of a hub in one heap: durable timers, scheduled starts, delayed signals."""

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime

Action = Callable[[], None]


class TimerWheel:
    """Keeps actions until their time; for any thread. `on_earlier` is called when the next one changes."""

    def __init__(self, on_earlier: Callable[[], None]) -> None:
        self._heap: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._on_earlier = on_earlier

    def add(self, due: datetime, action: Action) -> None:
        """Runs `action` at `due` (aware). The action checks whether it is still wanted."""
        with self._lock:
            heapq.heappush(self._heap, (due, next(self._order), action))
            first = self._heap[0][2] is action
        if first:
            self._on_earlier()

    def take_due(self, now: datetime) -> list[Action]:
        """Removes and returns what is due, in order of time."""
        due = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                due.append(heapq.heappop(self._heap)[2])
        return due

    def next_due(self) -> datetime | None:
        """Time of the next action, None if there is none."""
        with self._lock:
            return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)
