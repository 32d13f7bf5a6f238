"""What the hub keeps in memory: instances, entities, waiting activities, and the events of histories."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import ActivityWorkItem, EntityState, OrchestrationInstance
from google.protobuf import timestamp_pb2, wrappers_pb2

TERMINAL = frozenset(
    {
        pb.ORCHESTRATION_STATUS_COMPLETED,
        pb.ORCHESTRATION_STATUS_FAILED,
        pb.ORCHESTRATION_STATUS_TERMINATED,
        pb.ORCHESTRATION_STATUS_CANCELED,
    }
)
# Kinds of events that a new generation of an instance inherits; results of the old one's tasks are not.
INHERITED = frozenset({"eventRaised", "executionSuspended", "executionResumed", "executionTerminated"})


@dataclass
class Instance(OrchestrationInstance):
    """An orchestration instance; `execution_id` changes with every generation (continue-as-new, restart).

    Results carry the execution id of the generation that asked for them, so that a later one never sees them.
    """

    execution_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    scheduled_start: datetime | None = None
    parent: pb.ParentInstanceInfo | None = None
    trace: pb.TraceContext | None = None
    # How much of `history` the journal holds, in how many rows; `rewritten` says that those rows are void.
    saved_events: int = 0
    saved_rows: int = 0
    rewritten: bool = True

    @property
    def finished(self) -> bool:
        """True once the instance has completed, failed or was terminated."""
        return self.status in TERMINAL


@dataclass
class Entity(EntityState):
    """An entity and the queue of its messages; `lock_owner` is the instance that holds its lock."""

    lock_owner: str | None = None

    @property
    def exists(self) -> bool:
        """True while the entity has a state: one whose state was deleted is no more."""
        return self.serialized_state is not None

    @property
    def idle(self) -> bool:
        """True when nothing is left of the entity: no state, no message, no lock."""
        return not (self.exists or self.pending_operations or self.dispatched_operations or self.locked_by)


@dataclass
class Activity(ActivityWorkItem):
    """An activity to run, for one generation of an instance."""

    execution_id: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """Names the one task that this activity answers."""
        return self.instance_id, self.execution_id, self.task_id


def utc_now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """`moment` as protobuf."""
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def moment_of(stamp: timestamp_pb2.Timestamp) -> datetime:
    """`stamp` as an aware UTC datetime."""
    moment: datetime = stamp.ToDatetime(UTC)
    return moment


def text_value(text: str | None) -> wrappers_pb2.StringValue | None:
    """`text` as protobuf, None where there is none."""
    return None if text is None else wrappers_pb2.StringValue(value=text)


def stamped(event: pb.HistoryEvent) -> pb.HistoryEvent:
    """The same event with the time of now, unless it has one (a history of 1970 helps nobody)."""
    if not event.timestamp.seconds:
        event.timestamp.FromDatetime(utc_now())
    return event


def new_event(**content: object) -> pb.HistoryEvent:
    """An event of now; `eventId` is -1 unless given."""
    fields: dict[str, object] = {"eventId": -1, **content}
    return stamped(pb.HistoryEvent(**fields))  # type: ignore[arg-type]


def kind_of(event: pb.HistoryEvent) -> str:
    """Name of the event's kind as in the protocol: `taskScheduled`, `timerFired`, …"""
    return event.WhichOneof("eventType") or ""


def instance_reference(instance: Instance) -> pb.OrchestrationInstance:
    """Names the instance and its present generation."""
    return pb.OrchestrationInstance(
        instanceId=instance.instance_id, executionId=text_value(instance.execution_id)
    )


def started_event(instance: Instance) -> pb.HistoryEvent:
    """The event that begins a generation."""
    return new_event(
        executionStarted=pb.ExecutionStartedEvent(
            name=instance.name,
            version=text_value(instance.version),
            input=text_value(instance.input),
            orchestrationInstance=instance_reference(instance),
            parentInstance=instance.parent,
            scheduledStartTimestamp=timestamp(instance.scheduled_start) if instance.scheduled_start else None,
            parentTraceContext=instance.trace,
            tags=instance.tags,
        )
    )


def failure(error_type: str, message: str, stack: str = "", *, final: bool = False) -> pb.TaskFailureDetails:
    """Details of a failure; `final` forbids retries."""
    return pb.TaskFailureDetails(
        errorType=error_type,
        errorMessage=message,
        stackTrace=text_value(stack or None),
        isNonRetriable=final,
    )


def state_of(instance: Instance, *, payloads: bool) -> pb.OrchestrationState:
    """What a client is told of the instance; input and output only with `payloads`."""
    return pb.OrchestrationState(
        instanceId=instance.instance_id,
        name=instance.name,
        version=text_value(instance.version),
        orchestrationStatus=instance.status,
        scheduledStartTimestamp=timestamp(instance.scheduled_start) if instance.scheduled_start else None,
        createdTimestamp=timestamp(instance.created_at),
        lastUpdatedTimestamp=timestamp(instance.last_updated_at),
        completedTimestamp=timestamp(instance.completed_at) if instance.completed_at else None,
        input=text_value(instance.input) if payloads else None,
        output=text_value(instance.output) if payloads else None,
        customStatus=text_value(instance.custom_status),
        failureDetails=instance.failure_details,
        executionId=text_value(instance.execution_id),
        parentInstanceId=(
            text_value(instance.parent.orchestrationInstance.instanceId) if instance.parent else None
        ),
        tags=instance.tags,
    )


def entity_metadata(entity: Entity, *, include_state: bool) -> pb.EntityMetadata:
    """What a client is told of the entity."""
    return pb.EntityMetadata(
        instanceId=entity.instance_id,
        lastModifiedTime=timestamp(entity.last_modified_at),
        backlogQueueSize=len(entity.pending_operations),
        lockedBy=text_value(entity.locked_by),
        serializedState=text_value(entity.serialized_state) if include_state else None,
    )
