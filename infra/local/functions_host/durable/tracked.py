"""The part of the backend that tracks changes: it writes them to the journal and notifies waiting callers.

Everything that changes state does so inside `change()`. At its end, the outermost one gives the rows of all
touched instances and entities to the journal as one unit. Its result can be awaited.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from infra.local.functions_host.durable import rows
from infra.local.functions_host.durable.journal import Journal, Statement
from infra.local.functions_host.durable.records import Entity, Instance, utc_now
from infra.local.functions_host.durable.refusals import StorageError
from infra.local.functions_host.durable.timer_wheel import TimerWheel


class Change:
    """One unit of change; `written` is known once the outermost `change()` has ended."""

    def __init__(self) -> None:
        self.written: Future[None] | None = None

    def wait(self, timeout: float = 30) -> None:
        """Blocks until the change is on disk. Raises StorageError, also after `timeout` seconds."""
        if self.written is None:
            return
        try:
            self.written.result(timeout)
        except TimeoutError as error:
            raise StorageError(f"The state was not written within {timeout} seconds.") from error


@dataclass(eq=False)
class Watcher:
    """A caller that waits for an instance. `tell` is called once: with it, or None if purged."""

    instance_id: str
    wanted: Callable[[Instance], bool]
    tell: Callable[[Instance | None], None]


class TrackedBackend(InMemoryOrchestrationBackend):
    """Base of our backend: state under one lock, journal, timers, watchers."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(max_history_size=sys.maxsize)
        self.journal = journal
        self.on_work: Callable[[], None] = lambda: None
        self.timers = TimerWheel(self._wake)
        self._depth = 0
        self._change = Change()
        self._touched: set[str] = set()
        self._touched_entities: set[str] = set()
        self._statements: list[Statement] = []
        self._watchers: dict[str, list[Watcher]] = {}
        self._ready: dict[str, None] = {}
        self._ready_entities: dict[str, None] = {}

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """Changes made inside are written together; nests."""
        with self._lock:
            if not self._depth:
                self._change = Change()
            self._depth += 1
            change = self._change
            try:
                yield change
            finally:
                self._depth -= 1
                # Also after an exception: disk and memory must tell the same story.
                if not self._depth:
                    self._write(change)

    def find(self, instance_id: str) -> Instance | None:
        """The instance of that id."""
        found = self._instances.get(instance_id)
        return found if isinstance(found, Instance) else None

    def find_entity(self, entity_id: str) -> Entity | None:
        """The entity of that id (`@name@key`), with a state or without."""
        found = self._entities.get(entity_id)
        return found if isinstance(found, Entity) else None

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tells the watcher when its instance is as wanted, or now if it is; answers how to stop it."""
        with self._lock:
            instance = self.find(watcher.instance_id)
            waiting = instance is not None and not watcher.wanted(instance)
            if waiting:
                self._watchers.setdefault(watcher.instance_id, []).append(watcher)
        if not waiting:
            watcher.tell(instance)
        return lambda: self._unwatch(watcher)

    def _unwatch(self, watcher: Watcher) -> None:
        with self._lock:
            waiting = self._watchers.get(watcher.instance_id, [])
            if watcher in waiting:
                waiting.remove(watcher)
            if not waiting:
                self._watchers.pop(watcher.instance_id, None)

    def _touch(self, instance: Instance) -> None:
        instance.last_updated_at = utc_now()
        self._touched.add(instance.instance_id)

    def _touch_entity(self, entity: Entity) -> None:
        self._touched_entities.add(entity.instance_id)

    def _next_token(self) -> int:
        token = self._next_completion_token
        self._next_completion_token += 1
        return token

    def _wake(self) -> None:
        self.on_work()

    def _write(self, change: Change) -> None:
        statements, self._statements = self._statements, []
        told: list[tuple[Watcher, Instance | None]] = []
        for instance_id in self._touched:
            instance = self.find(instance_id)
            if instance is None:
                statements += rows.dropped_instance_rows(self.journal.hub, instance_id)
            else:
                statements += rows.instance_rows(self.journal.hub, instance)
            told += self._take_watchers(instance_id, instance)
        for entity_id in self._touched_entities:
            entity = self.find_entity(entity_id)
            if entity is None:
                statements += rows.dropped_entity_rows(self.journal.hub, entity_id)
            else:
                statements += rows.entity_rows(self.journal.hub, entity)
        self._touched.clear()
        self._touched_entities.clear()
        if statements:
            change.written = self.journal.append(statements)
            if told:
                change.written.add_done_callback(lambda _: _tell(told))

    def _take_watchers(
        self, instance_id: str, instance: Instance | None
    ) -> list[tuple[Watcher, Instance | None]]:
        waiting = self._watchers.get(instance_id)
        if not waiting:
            return []
        told = [watcher for watcher in waiting if instance is None or watcher.wanted(instance)]
        left = [watcher for watcher in waiting if watcher not in told]
        if left:
            self._watchers[instance_id] = left
        else:
            del self._watchers[instance_id]
        return [(watcher, instance) for watcher in told]

    def _deliver(self, instance: Instance, event: pb.HistoryEvent) -> None:
        """Puts an event into the instance's inbox; a finished instance receives nothing any more."""
        if instance.finished:
            return
        instance.pending_events.append(event)
        self._touch(instance)
        self._enqueue_orchestration(instance.instance_id)

    @property
    def waiting_work(self) -> int:
        """Number of orchestrations, activities and entities that are ready and not handed out."""
        return len(self._ready) + len(self._activity_queue) + len(self._ready_entities)


def _tell(told: list[tuple[Watcher, Instance | None]]) -> None:
    for watcher, instance in told:
        watcher.tell(instance)
