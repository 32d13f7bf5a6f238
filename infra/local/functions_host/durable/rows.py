"""Instances and entities as rows of the journal, and back."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb

from infra.local.functions_host.durable.journal import Journal, Statement
from infra.local.functions_host.durable.records import Entity, Instance, moment_of, state_of

_PUT_INSTANCE = "INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?, ?, ?)"
_ADD_HISTORY = "INSERT INTO history VALUES (?, ?, ?, ?)"
_DROP_HISTORY = "DELETE FROM history WHERE hub = ? AND instance = ?"
_DROP_INSTANCE = "DELETE FROM instance WHERE hub = ? AND id = ?"
_PUT_ENTITY = "INSERT OR REPLACE INTO entity VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_ENTITY = "DELETE FROM entity WHERE hub = ? AND id = ?"
_PUT_SIGNAL = "INSERT OR REPLACE INTO delayed_signal VALUES (?, ?, ?, ?, ?)"
_DROP_SIGNAL = "DELETE FROM delayed_signal WHERE hub = ? AND id = ?"


def _packed(events: Iterable[pb.HistoryEvent]) -> bytes:
    packed: bytes = pb.HistoryChunk(events=events).SerializeToString()
    return packed


def _unpacked(blob: bytes) -> list[pb.HistoryEvent]:
    return list(pb.HistoryChunk.FromString(blob).events)


def instance_rows(hub: str, instance: Instance) -> list[Statement]:
    """Rows for what changed in the instance: its state, and of its history only what is new."""
    rows: list[Statement] = []
    name = instance.instance_id
    if instance.rewritten:
        rows.append((_DROP_HISTORY, (hub, name)))
        instance.rewritten, instance.saved_events, instance.saved_rows = False, 0, 0
    fresh = instance.history[instance.saved_events :]
    if fresh:
        rows.append((_ADD_HISTORY, (hub, name, instance.saved_rows, _packed(fresh))))
        instance.saved_events += len(fresh)
        instance.saved_rows += 1
    # What is being worked on was not finished: after a crash it is handed out again.
    pending = _packed([*instance.dispatched_events, *instance.pending_events])
    parent = instance.parent.SerializeToString() if instance.parent else None
    trace = instance.trace.SerializeToString() if instance.trace else None
    state = state_of(instance, payloads=True).SerializeToString()
    rows.append((_PUT_INSTANCE, (hub, name, state, pending, parent, trace)))
    return rows


def dropped_instance_rows(hub: str, instance_id: str) -> list[Statement]:
    """Rows that forget an instance."""
    return [(_DROP_INSTANCE, (hub, instance_id)), (_DROP_HISTORY, (hub, instance_id))]


def entity_rows(hub: str, entity: Entity) -> list[Statement]:
    """The row of an entity."""
    pending = _packed([*entity.dispatched_operations, *entity.pending_operations])
    modified = entity.last_modified_at.timestamp()
    values = (hub, entity.instance_id, entity.serialized_state, modified, entity.locked_by, entity.lock_owner)
    return [(_PUT_ENTITY, (*values, pending))]


def dropped_entity_rows(hub: str, entity_id: str) -> list[Statement]:
    """Rows that forget an entity."""
    return [(_DROP_ENTITY, (hub, entity_id))]


def signal_rows(
    hub: str, signal_id: str, entity_id: str, due: datetime, event: pb.HistoryEvent
) -> list[Statement]:
    """The row of a signal to be delivered at `due`."""
    return [(_PUT_SIGNAL, (hub, signal_id, entity_id, due.timestamp(), event.SerializeToString()))]


def dropped_signal_rows(hub: str, signal_id: str) -> list[Statement]:
    """Rows that forget a delayed signal."""
    return [(_DROP_SIGNAL, (hub, signal_id))]


def read_instances(journal: Journal) -> list[Instance]:
    """Every instance of the hub with its history."""
    instances = {}
    for row in journal.read("instance"):
        instance = _instance(row)
        instances[instance.instance_id] = instance
    for instance_id, position, events in journal.read("history", "instance, position"):
        found = instances.get(instance_id)
        if found is not None:
            found.history.extend(_unpacked(events))
            found.saved_events = len(found.history)
            found.saved_rows = position + 1
    return list(instances.values())


def _instance(row: Sequence[Any]) -> Instance:
    instance_id, state_blob, pending, parent, trace = row
    state = pb.OrchestrationState.FromString(state_blob)
    return Instance(
        instance_id=instance_id,
        name=state.name,
        status=state.orchestrationStatus,
        version=state.version.value if state.HasField("version") else None,
        input=state.input.value if state.HasField("input") else None,
        output=state.output.value if state.HasField("output") else None,
        custom_status=state.customStatus.value if state.HasField("customStatus") else None,
        created_at=moment_of(state.createdTimestamp),
        last_updated_at=moment_of(state.lastUpdatedTimestamp),
        completed_at=moment_of(state.completedTimestamp) if state.HasField("completedTimestamp") else None,
        failure_details=state.failureDetails if state.HasField("failureDetails") else None,
        pending_events=_unpacked(pending),
        tags=dict(state.tags) or None,
        execution_id=state.executionId.value,
        scheduled_start=(
            moment_of(state.scheduledStartTimestamp) if state.HasField("scheduledStartTimestamp") else None
        ),
        parent=pb.ParentInstanceInfo.FromString(parent) if parent is not None else None,
        trace=pb.TraceContext.FromString(trace) if trace is not None else None,
        rewritten=False,
    )


def read_entities(journal: Journal) -> list[Entity]:
    """Every entity of the hub with its queue."""
    return [
        Entity(
            instance_id=entity_id,
            serialized_state=state,
            last_modified_at=datetime.fromtimestamp(modified, UTC),
            locked_by=section,
            lock_owner=owner,
            pending_operations=_unpacked(pending),
        )
        for entity_id, state, modified, section, owner, pending in journal.read("entity")
    ]


def read_signals(journal: Journal) -> list[tuple[str, str, datetime, pb.HistoryEvent]]:
    """Every delayed signal: its id, the entity, the time, the message."""
    return [
        (signal_id, entity_id, datetime.fromtimestamp(due, UTC), pb.HistoryEvent.FromString(event))
        for signal_id, entity_id, due, event in journal.read("delayed_signal")
    ]
