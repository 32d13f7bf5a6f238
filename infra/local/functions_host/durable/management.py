"""What clients may ask of the hub: events, terminate, suspend, resume, rewind, restart, purge, queries."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import durabletask.internal.orchestrator_service_pb2 as pb

from infra.local.functions_host.durable.orchestrations import OrchestrationBackend
from infra.local.functions_host.durable.records import Entity, Instance, new_event, text_value
from infra.local.functions_host.durable.refusals import InvalidArgumentError, NotFoundError, WrongStateError
from infra.local.functions_host.durable.replay import outstanding, without_failures

_SEPARATOR = "|"
_USUAL_PAGE = 100


@dataclass(frozen=True)
class InstanceFilter:
    """Which instances; `created_to` is exclusive, empty `statuses` means all."""

    statuses: Collection[int] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    prefix: str = ""

    def admits(self, instance: Instance) -> bool:
        """True if the instance is meant."""
        return (
            (not self.statuses or instance.status in self.statuses)
            and (self.created_from is None or instance.created_at >= self.created_from)
            and (self.created_to is None or instance.created_at < self.created_to)
            and instance.instance_id.startswith(self.prefix)
        )


@dataclass(frozen=True)
class EntityFilter:
    """Which entities; `transient` takes in those that have no state."""

    prefix: str = ""
    modified_from: datetime | None = None
    modified_to: datetime | None = None
    transient: bool = False

    def admits(self, entity: Entity) -> bool:
        """True if the entity is meant."""
        return (
            entity.instance_id.startswith(self.prefix)
            and (self.transient or entity.exists)
            and (self.modified_from is None or entity.last_modified_at >= self.modified_from)
            and (self.modified_to is None or entity.last_modified_at < self.modified_to)
        )


class DurableBackend(OrchestrationBackend):
    """The whole hub. Methods raise what is in `refusals`; changes are durable when `change()` says so."""

    def require(self, instance_id: str) -> Instance:
        """The instance. Raises NotFoundError."""
        instance = self.find(instance_id)
        if instance is None:
            raise NotFoundError(f"No orchestration instance with the id '{instance_id}' was found.")
        return instance

    def raise_event(self, instance_id: str, name: str, data: str | None) -> None:
        """Delivers an external event. Raises NotFoundError, WrongStateError if the instance has finished."""
        with self.change():
            instance = self._require_unfinished(instance_id, "An event cannot be raised for")
            event = pb.EventRaisedEvent(name=name, input=text_value(data))
            self._deliver(instance, new_event(eventRaised=event))

    def terminate(self, instance_id: str, output: str | None, *, recursive: bool) -> None:
        """Ends the instance, with its sub-orchestrations if `recursive`; a finished one stays as it is."""
        with self.change():
            order = pb.ExecutionTerminatedEvent(input=text_value(output), recurse=recursive)
            self.terminate_one(self.require(instance_id), order)

    def suspend(self, instance_id: str, reason: str | None) -> None:
        """Holds the instance. What arrives while it is held waits. Raises NotFoundError, WrongStateError."""
        with self.change():
            instance = self._require_unfinished(instance_id, "One cannot suspend")
            if instance.status != pb.ORCHESTRATION_STATUS_SUSPENDED:
                event = pb.ExecutionSuspendedEvent(input=text_value(reason))
                self._deliver(instance, new_event(executionSuspended=event))

    def resume(self, instance_id: str, reason: str | None) -> None:
        """Resumes a suspended instance. Raises NotFoundError, WrongStateError."""
        with self.change():
            instance = self._require_unfinished(instance_id, "One cannot resume")
            event = pb.ExecutionResumedEvent(input=text_value(reason))
            self._deliver(instance, new_event(executionResumed=event))

    def rewind(self, instance_id: str, reason: str | None) -> None:
        """Takes a failed instance back before its failures and resumes it, failed sub-orchestrations too.

        Raises NotFoundError, WrongStateError if it has not failed.
        """
        with self.change():
            instance = self.require(instance_id)
            if instance.status != pb.ORCHESTRATION_STATUS_FAILED:
                raise WrongStateError(
                    f"The instance '{instance_id}' has not failed: there is nothing to rewind."
                )
            self._rewind(instance, reason)

    def restart(self, instance_id: str, *, new_id: bool) -> str:
        """Restarts the orchestration with its first input. Returns the id, a new one if `new_id`.

        Raises NotFoundError. Raises WrongStateError if it still runs and would have to be replaced.
        """
        with self.change():
            former = self.require(instance_id)
            if not new_id and not former.finished:
                raise WrongStateError(f"The instance '{instance_id}' is still running.")
            return self.create(
                former.name,
                "" if new_id else instance_id,
                former.input,
                version=former.version,
                tags=former.tags,
                trace=former.trace,
            )

    def purge(self, instance_id: str, *, recursive: bool = False) -> int:
        """Forgets a finished instance (or an entity's state); answers how many were forgotten."""
        with self.change():
            if instance_id.startswith("@"):
                return int(self.purge_entity(instance_id))
            instance = self.find(instance_id)
            if instance is None or not instance.finished:
                return 0
            children = self.children_of(instance_id) if recursive else []
            self._forget_instance(instance)
            return 1 + sum(self.purge(child.instance_id, recursive=True) for child in children)

    def purge_all(self, wanted: InstanceFilter, *, recursive: bool = False) -> int:
        """Forgets the finished instances that the filter admits; answers how many were forgotten."""
        with self.change():
            found = [instance.instance_id for instance in self._chosen(wanted) if instance.finished]
            return sum(self.purge(instance_id, recursive=recursive) for instance_id in found)

    def page_of_instances(
        self, wanted: InstanceFilter, size: int, token: str
    ) -> tuple[list[Instance], str | None]:
        """At most `size` instances (0: all) by creation after `token`, and the token of the next page."""
        with self._lock:
            found = sorted(self._chosen(wanted), key=lambda i: (i.created_at, i.instance_id))
        if token:
            last = _place(token)
            found = [i for i in found if (i.created_at, i.instance_id) > last]
        if not size or len(found) <= size:
            return found, None
        page = found[:size]
        return page, _token(page[-1].created_at, page[-1].instance_id)

    def page_of_finished(
        self,
        statuses: Collection[int],
        completed_from: datetime | None,
        completed_to: datetime | None,
        size: int,
        token: str,
    ) -> tuple[list[Instance], str | None]:
        """At most `size` (0: 100) finished instances by completion after `token`; the next page's token."""
        found: list[tuple[datetime, str, Instance]] = []
        with self._lock:
            for instance in self._chosen(InstanceFilter(statuses)):
                moment = instance.completed_at
                if (
                    moment is not None
                    and (completed_from is None or moment >= completed_from)
                    and (completed_to is None or moment < completed_to)
                ):
                    found.append((moment, instance.instance_id, instance))
        found.sort(key=lambda entry: entry[:2])
        if token:
            last = _place(token)
            found = [entry for entry in found if entry[:2] > last]
        page = found[: size or _USUAL_PAGE]
        more = len(found) > len(page)
        return [entry[2] for entry in page], _token(page[-1][0], page[-1][1]) if more else None

    def page_of_entities(
        self, wanted: EntityFilter, size: int, token: str
    ) -> tuple[list[Entity], str | None]:
        """At most `size` entities (0: all) in order of id after `token`, and the token of the next page."""
        with self._lock:
            found = sorted(
                (e for e in self._entities.values() if isinstance(e, Entity) and wanted.admits(e)),
                key=lambda e: e.instance_id,
            )
        found = [entity for entity in found if entity.instance_id > token] if token else found
        if not size or len(found) <= size:
            return found, None
        return found[:size], found[size - 1].instance_id

    def history_of(self, instance_id: str) -> list[pb.HistoryEvent]:
        """A copy of the instance's history. Raises NotFoundError."""
        with self._lock:
            return list(self.require(instance_id).history)

    def clean_entities(self, *, remove_empty: bool, release_orphaned: bool) -> tuple[int, int]:
        """Drops entities without state, frees locks whose owner is gone; answers both counts."""
        removed = released = 0
        with self.change():
            for entity in [e for e in self._entities.values() if isinstance(e, Entity)]:
                owner = self.find(entity.lock_owner) if entity.lock_owner else None
                if release_orphaned and entity.locked_by and (owner is None or owner.finished):
                    entity.locked_by = entity.lock_owner = None
                    released += 1
                    self._touch_entity(entity)
                    self._enqueue_entity(entity.instance_id)
                if remove_empty and entity.idle:
                    removed += 1
                self._drop_if_idle(entity)
        return removed, released

    def _chosen(self, wanted: InstanceFilter) -> list[Instance]:
        return [i for i in self._instances.values() if isinstance(i, Instance) and wanted.admits(i)]

    def _require_unfinished(self, instance_id: str, what: str) -> Instance:
        instance = self.require(instance_id)
        if instance.finished:
            status = (
                pb.OrchestrationStatus.Name(instance.status).removeprefix("ORCHESTRATION_STATUS_").lower()
            )
            raise WrongStateError(f"{what} the instance '{instance_id}': it is {status}.")
        return instance

    def _rewind(self, instance: Instance, reason: str | None) -> None:
        kept = without_failures(instance.history)
        rewound = pb.ExecutionRewoundEvent(reason=text_value(reason))
        instance.history = [
            *kept,
            new_event(orchestratorStarted=pb.OrchestratorStartedEvent()),
            new_event(executionRewound=rewound),
            new_event(orchestratorCompleted=pb.OrchestratorCompletedEvent()),
        ]
        instance.rewritten = True
        instance.status = pb.ORCHESTRATION_STATUS_RUNNING
        instance.output = instance.failure_details = instance.completed_at = None
        instance.dispatched_events = []
        instance.completion_token = self._next_token()
        self._resume_tasks(instance)
        for task_id, asked in outstanding(kept).children.items():
            self._rewind_child(instance, task_id, asked, reason)
        # One event makes the step; the replay then asks again for what was taken back.
        instance.pending_events = [
            new_event(orchestratorStarted=pb.OrchestratorStartedEvent()),
            *instance.pending_events,
        ]
        self._touch(instance)
        self._enqueue_orchestration(instance.instance_id)

    def _rewind_child(
        self,
        parent: Instance,
        task_id: int,
        asked: pb.SubOrchestrationInstanceCreatedEvent,
        reason: str | None,
    ) -> None:
        child = self.find(asked.instanceId)
        if child is not None and child.status == pb.ORCHESTRATION_STATUS_FAILED:
            self._rewind(child, reason)
        elif child is None or child.status == pb.ORCHESTRATION_STATUS_TERMINATED:
            self._start_child(parent, task_id, asked)
        elif child.finished:
            # It succeeded in between (it was rewound alone), so its parent only needs the result.
            self._report_to_parent(child)


def _token(moment: datetime, instance_id: str) -> str:
    return f"{moment.isoformat()}{_SEPARATOR}{instance_id}"


def _place(token: str) -> tuple[datetime, str]:
    moment, _, instance_id = token.partition(_SEPARATOR)
    try:
        place = datetime.fromisoformat(moment)
    except ValueError as error:
        raise InvalidArgumentError(f"'{token}' is not a continuation token of this hub.") from error
    if place.tzinfo is None:
        raise InvalidArgumentError(f"'{token}' is not a continuation token of this hub.")
    return place, instance_id
