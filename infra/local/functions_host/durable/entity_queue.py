"""Entities: their queues, their locks, their batches.

Messages of an entity are processed in order. A lock request is one of them. At the head of the queue it locks
the entity. Then it moves on to the next entity of its (sorted) set, so that locks never cross. After it, only
calls of its owner pass, until the unlock (Durable Functions docs, "Durable entities", "Entity coordination").
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.entities import EntityInstanceId

from infra.local.functions_host.durable import rows
from infra.local.functions_host.durable.journal import Journal
from infra.local.functions_host.durable.records import (
    Entity,
    Instance,
    failure,
    kind_of,
    moment_of,
    new_event,
    text_value,
    utc_now,
)
from infra.local.functions_host.durable.tracked import TrackedBackend

LOG = logging.getLogger("functions_host.durable")


@dataclass(frozen=True)
class EntityWork:
    """A batch of operations for the worker."""

    entity_id: str
    name: str
    operations: Sequence[pb.HistoryEvent]
    request: pb.EntityBatchRequest


class EntityBackend(TrackedBackend):
    """Everything about entities; `entity_names` are the lower-case names that the app has."""

    entity_names: frozenset[str] = frozenset()

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        # Instances that hold or asked for locks: most never do, and need no search when they end.
        self._lockers: set[str] = set()

    def restore_entities(self) -> None:
        """Takes over the entities and delayed signals of the journal; once, before anything runs."""
        for entity in rows.read_entities(self.journal):
            entity.completion_token = self._next_token()
            self._entities[entity.instance_id] = entity
            self._lockers |= _lockers_of(entity)
            self._enqueue_entity(entity.instance_id)
        for signal_id, entity_id, due, event in rows.read_signals(self.journal):
            self._arm_signal(signal_id, entity_id, due, event)

    def take_entity(self) -> EntityWork | None:
        """The next batch to run, handed out once; None if no entity has anything to do."""
        with self.change():
            while self._ready_entities:
                entity_id = next(iter(self._ready_entities))
                del self._ready_entities[entity_id]
                entity = self.find_entity(entity_id)
                if entity is None or entity.dispatched_operations:
                    continue
                operations = self._next_batch(entity)
                if operations:
                    return self._handed_out(entity, operations)
                self._drop_if_idle(entity)
        return None

    def complete_entity(self, work: EntityWork, result: pb.EntityBatchResult) -> None:
        """Takes over the batch's result: new state, answers to the callers, messages sent."""
        with self.change():
            entity = self.find_entity(work.entity_id)
            if entity is None or not entity.dispatched_operations:
                return
            entity.dispatched_operations = []
            entity.serialized_state = result.entityState.value if result.HasField("entityState") else None
            entity.last_modified_at = utc_now()
            self._touch_entity(entity)
            for operation, outcome in zip(work.operations, result.results, strict=False):
                self._answer(operation, outcome)
            for action in result.actions:
                self._entity_action(entity, action)
            self._enqueue_entity(entity.instance_id)
            self._drop_if_idle(entity)

    def fail_entity(self, work: EntityWork, details: pb.TaskFailureDetails) -> None:
        """The batch could not be run at all: each caller is told, the state stays."""
        entity = self.find_entity(work.entity_id)
        state = entity.serialized_state if entity else None
        failed = pb.OperationResult(failure=pb.OperationResultFailure(failureDetails=details))
        result = pb.EntityBatchResult(entityState=text_value(state), results=[failed] * len(work.operations))
        self.complete_entity(work, result)

    def signal(
        self, entity_id: str, operation: str, input_text: str | None, due: datetime | None = None
    ) -> None:
        """Sends an operation that nobody waits for, to be delivered at `due` if that lies ahead.

        Raises ValueError if `entity_id` is not of the form `@name@key`.
        """
        EntityInstanceId.parse(entity_id)
        event = new_event(
            entityOperationSignaled=pb.EntityOperationSignaledEvent(
                requestId=str(uuid.uuid4()),
                operation=operation,
                input=text_value(input_text),
                targetInstanceId=text_value(entity_id),
            )
        )
        with self.change():
            self._post(entity_id, event, due)

    def release_locks(self, instance: Instance) -> None:
        """Frees what the instance has locked or asked to lock, because it ended or restarted."""
        if instance.instance_id not in self._lockers:
            return
        self._lockers.discard(instance.instance_id)
        for entity in list(self._entities.values()):
            if not isinstance(entity, Entity):
                continue
            held = entity.lock_owner == instance.instance_id
            asked = any(_asked_by(event, instance.instance_id) for event in entity.pending_operations)
            if held:
                entity.locked_by = entity.lock_owner = None
            if asked:
                entity.pending_operations = [
                    event for event in entity.pending_operations if not _asked_by(event, instance.instance_id)
                ]
            if held or asked:
                self._touch_entity(entity)
                self._enqueue_entity(entity.instance_id)

    def purge_entity(self, entity_id: str) -> bool:
        """Forgets the entity. False if it has no state or is running."""
        with self.change():
            entity = self.find_entity(entity_id)
            if (
                entity is None
                or not entity.exists
                or entity.pending_operations
                or entity.dispatched_operations
            ):
                return False
            entity.serialized_state = None
            self._touch_entity(entity)
            self._drop_if_idle(entity)
            return True

    def _enqueue_entity(self, entity_id: str) -> None:
        entity = self.find_entity(entity_id)
        if entity is not None and entity.pending_operations and not entity.dispatched_operations:
            self._ready_entities[entity_id] = None
            self._wake()

    def _post(self, entity_id: str, event: pb.HistoryEvent, due: datetime | None = None) -> None:
        if due is not None and due > utc_now():
            signal_id = uuid.uuid4().hex
            self._statements += rows.signal_rows(self.journal.hub, signal_id, entity_id, due, event)
            self._arm_signal(signal_id, entity_id, due, event)
            return
        entity = self.find_entity(entity_id)
        if entity is None:
            entity = Entity(instance_id=entity_id, completion_token=self._next_token())
            self._entities[entity_id] = entity
        entity.pending_operations.append(event)
        self._touch_entity(entity)
        self._enqueue_entity(entity_id)

    def _arm_signal(self, signal_id: str, entity_id: str, due: datetime, event: pb.HistoryEvent) -> None:
        def deliver() -> None:
            with self.change():
                self._statements += rows.dropped_signal_rows(self.journal.hub, signal_id)
                self._post(entity_id, event)

        self.timers.add(due, deliver)

    def _next_batch(self, entity: Entity) -> list[pb.HistoryEvent]:
        """Takes from the queue what may run now; turns lock requests at its head into locks."""
        batch: list[pb.HistoryEvent] = []
        left: list[pb.HistoryEvent] = []
        for position, event in enumerate(entity.pending_operations):
            if entity.locked_by is not None:
                (batch if _called_by(event, entity.lock_owner) else left).append(event)
            elif kind_of(event) != "entityLockRequested":
                batch.append(event)
            elif batch:
                left += entity.pending_operations[position:]
                break
            else:
                self._lock_entity(entity, event.entityLockRequested)
        if len(left) + len(batch) != len(entity.pending_operations) or batch:
            entity.pending_operations = left
            self._touch_entity(entity)
        return batch

    def _lock_entity(self, entity: Entity, request: pb.EntityLockRequestedEvent) -> None:
        owner = request.parentInstanceId.value
        entity.locked_by, entity.lock_owner = request.criticalSectionId, owner
        following = request.position + 1
        if following < len(request.lockSet):
            forwarded = pb.EntityLockRequestedEvent()
            forwarded.CopyFrom(request)
            forwarded.position = following
            self._post(request.lockSet[following], new_event(entityLockRequested=forwarded))
            return
        instance = self.find(owner)
        if instance is not None:
            granted = pb.EntityLockGrantedEvent(criticalSectionId=request.criticalSectionId)
            self._deliver(instance, new_event(entityLockGranted=granted))

    def _ask_for_lock(self, request: pb.EntityLockRequestedEvent) -> None:
        self._lockers.add(request.parentInstanceId.value)
        self._post(request.lockSet[request.position], new_event(entityLockRequested=request))

    def _unlock(self, request: pb.EntityUnlockSentEvent) -> None:
        entity = self.find_entity(request.targetInstanceId.value)
        if entity is None:
            return
        section = request.criticalSectionId
        if entity.locked_by == section:
            entity.locked_by = entity.lock_owner = None
        entity.pending_operations = [
            event
            for event in entity.pending_operations
            if kind_of(event) != "entityLockRequested"
            or event.entityLockRequested.criticalSectionId != section
        ]
        self._touch_entity(entity)
        self._enqueue_entity(entity.instance_id)
        self._drop_if_idle(entity)

    def _handed_out(self, entity: Entity, operations: list[pb.HistoryEvent]) -> EntityWork:
        entity.dispatched_operations = operations
        name = EntityInstanceId.parse(entity.instance_id).entity
        request = pb.EntityBatchRequest(
            instanceId=entity.instance_id,
            entityState=text_value(entity.serialized_state),
            operations=[_operation_request(event) for event in operations],
        )
        return EntityWork(entity.instance_id, name, operations, request)

    def _drop_if_idle(self, entity: Entity) -> None:
        if entity.idle and self._entities.get(entity.instance_id) is entity:
            del self._entities[entity.instance_id]
            self._touch_entity(entity)

    def _answer(self, operation: pb.HistoryEvent, outcome: pb.OperationResult) -> None:
        if kind_of(operation) != "entityOperationCalled":
            return
        called = operation.entityOperationCalled
        caller = self.find(called.parentInstanceId.value)
        if caller is None:
            return
        if outcome.HasField("failure"):
            details = outcome.failure.failureDetails
            failed = pb.EntityOperationFailedEvent(requestId=called.requestId, failureDetails=details)
            self._deliver(caller, new_event(entityOperationFailed=failed))
        else:
            done = pb.EntityOperationCompletedEvent(requestId=called.requestId, output=outcome.success.result)
            self._deliver(caller, new_event(entityOperationCompleted=done))

    def _entity_action(self, entity: Entity, action: pb.OperationAction) -> None:
        if action.HasField("sendSignal"):
            sent = action.sendSignal
            due = moment_of(sent.scheduledTime) if sent.HasField("scheduledTime") else None
            self.signal(sent.instanceId, sent.name, sent.input.value if sent.HasField("input") else None, due)

    def refuse_unknown_entity(self, work: EntityWork) -> bool:
        """Fails the batch if the app has no such entity; answers whether it did."""
        if work.name.lower() in self.entity_names:
            return False
        LOG.warning("No entity function '%s': %d operation(s) refused", work.name, len(work.operations))
        self.fail_entity(work, failure("EntityNotFound", f"The app has no entity '{work.name}'.", final=True))
        return True


def _lockers_of(entity: Entity) -> set[str]:
    waiting = {
        event.entityLockRequested.parentInstanceId.value
        for event in entity.pending_operations
        if kind_of(event) == "entityLockRequested"
    }
    return waiting | {entity.lock_owner} if entity.lock_owner else waiting


def _asked_by(event: pb.HistoryEvent, instance_id: str) -> bool:
    return (
        kind_of(event) == "entityLockRequested"
        and event.entityLockRequested.parentInstanceId.value == instance_id
    )


def _called_by(event: pb.HistoryEvent, instance_id: str | None) -> bool:
    return (
        kind_of(event) == "entityOperationCalled"
        and event.entityOperationCalled.parentInstanceId.value == instance_id
    )


def _operation_request(event: pb.HistoryEvent) -> pb.OperationRequest:
    sent = (
        event.entityOperationCalled
        if kind_of(event) == "entityOperationCalled"
        else event.entityOperationSignaled
    )
    return pb.OperationRequest(
        requestId=sent.requestId,
        operation=sent.operation,
        input=sent.input if sent.HasField("input") else None,
    )
