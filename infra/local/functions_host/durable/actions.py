"""What an orchestrator asks for in a step: activities, timers, sub-orchestrations, messages, its end."""

import uuid
from datetime import datetime

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import ActivityWorkItem, OrchestrationInstance

from infra.local.functions_host.durable.entity_queue import EntityBackend
from infra.local.functions_host.durable.journal import Journal
from infra.local.functions_host.durable.records import (
    INHERITED,
    Activity,
    Instance,
    failure,
    instance_reference,
    kind_of,
    moment_of,
    new_event,
    stamped,
    started_event,
    text_value,
    timestamp,
    utc_now,
)
from infra.local.functions_host.durable.replay import outstanding


class ActionBackend(EntityBackend):
    """Carries out orchestrator actions; each one is confirmed by an event in the history."""

    #: In lower case, as all names of functions here.
    orchestrator_names: frozenset[str] = frozenset()
    #: False while nobody has said what functions there are: then no name is refused.
    names_known = True
    activity_names: frozenset[str] = frozenset()
    default_version: str | None = None
    child_version: str | None = None

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self._activities_at_work: set[tuple[str, str, int]] = set()
        self._armed_timers: set[tuple[str, str, int]] = set()

    def _create(self, instance: Instance) -> None:
        instance.completion_token = self._next_token()
        instance.pending_events.append(started_event(instance))
        self._instances[instance.instance_id] = instance
        self._touch(instance)
        self._enqueue_orchestration(instance.instance_id)

    def _enqueue_orchestration(self, instance_id: str) -> None:
        instance = self.find(instance_id)
        if instance is None or not self._has_work(instance):
            return
        start = instance.scheduled_start
        if instance.status == pb.ORCHESTRATION_STATUS_PENDING and start is not None and start > utc_now():
            generation = instance.execution_id
            self.timers.add(start, lambda: self._start_generation(instance_id, generation))
            return
        self._ready[instance_id] = None
        self._wake()

    def _start_generation(self, instance_id: str, execution_id: str) -> None:
        instance = self.find(instance_id)
        if instance is not None and instance.execution_id == execution_id:
            with self.change():
                self._enqueue_orchestration(instance_id)

    def _has_work(self, instance: Instance) -> bool:
        if instance.finished or not instance.pending_events:
            return False
        if instance.instance_id in self._orchestration_in_flight:
            return False
        if instance.status != pb.ORCHESTRATION_STATUS_SUSPENDED:
            return True
        return any(
            kind_of(event) in {"executionResumed", "executionTerminated"} for event in instance.pending_events
        )

    def _resume_tasks(self, instance: Instance) -> None:
        """Runs again what the history waits for and nothing runs: after a crash, after a rewind."""
        waiting = outstanding([*instance.history, *instance.dispatched_events, *instance.pending_events])
        for task_id, scheduled in waiting.activities.items():
            self._queue_activity(instance, task_id, scheduled)
        for timer_id, due in waiting.timers.items():
            self._arm_timer(instance, timer_id, due)

    def _queue_activity(self, instance: Instance, task_id: int, scheduled: pb.TaskScheduledEvent) -> None:
        activity = Activity(
            instance_id=instance.instance_id,
            name=scheduled.name,
            task_id=task_id,
            input=scheduled.input.value if scheduled.HasField("input") else None,
            completion_token=instance.completion_token,
            version=scheduled.version.value if scheduled.HasField("version") else None,
            execution_id=instance.execution_id,
        )
        if activity.key in self._activities_at_work:
            return
        self._activities_at_work.add(activity.key)
        self._activity_queue.append(activity)
        self._wake()

    def _wanted(self, activity: Activity) -> bool:
        instance = self.find(activity.instance_id)
        return (
            instance is not None and not instance.finished and instance.execution_id == activity.execution_id
        )

    def _forget_activity(self, activity: ActivityWorkItem) -> None:
        if isinstance(activity, Activity):
            self._activities_at_work.discard(activity.key)

    def _process_schedule_task_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        asked = action.scheduleTask
        scheduled = pb.TaskScheduledEvent(
            name=asked.name,
            version=asked.version if asked.HasField("version") else None,
            input=asked.input if asked.HasField("input") else None,
            parentTraceContext=asked.parentTraceContext if asked.HasField("parentTraceContext") else None,
            tags=asked.tags,
        )
        owner = _ours(instance)
        owner.history.append(new_event(eventId=action.id, taskScheduled=scheduled))
        self._queue_activity(owner, action.id, scheduled)

    def _process_create_timer_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        owner = _ours(instance)
        created = pb.TimerCreatedEvent(fireAt=action.createTimer.fireAt)
        owner.history.append(new_event(eventId=action.id, timerCreated=created))
        self._arm_timer(owner, action.id, moment_of(action.createTimer.fireAt))

    def _arm_timer(self, instance: Instance, timer_id: int, due: datetime) -> None:
        key = (instance.instance_id, instance.execution_id, timer_id)
        if key not in self._armed_timers:
            self._armed_timers.add(key)
            self.timers.add(due, lambda: self._fire_timer(key, due))

    def _fire_timer(self, key: tuple[str, str, int], due: datetime) -> None:
        instance_id, execution_id, timer_id = key
        with self.change():
            self._armed_timers.discard(key)
            instance = self.find(instance_id)
            if instance is not None and instance.execution_id == execution_id:
                fired = pb.TimerFiredEvent(fireAt=timestamp(due), timerId=timer_id)
                self._deliver(instance, new_event(timerFired=fired))

    def _process_create_sub_orchestration_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        parent = _ours(instance)
        asked = action.createSubOrchestration
        created = pb.SubOrchestrationInstanceCreatedEvent(
            instanceId=asked.instanceId,
            name=asked.name,
            version=asked.version if asked.HasField("version") else None,
            input=asked.input if asked.HasField("input") else None,
            parentTraceContext=asked.parentTraceContext if asked.HasField("parentTraceContext") else None,
            tags=asked.tags,
        )
        parent.history.append(new_event(eventId=action.id, subOrchestrationInstanceCreated=created))
        refusal = self._start_child(parent, action.id, created)
        if refusal is not None:
            failed = pb.SubOrchestrationInstanceFailedEvent(taskScheduledId=action.id, failureDetails=refusal)
            self._deliver(parent, new_event(subOrchestrationInstanceFailed=failed))

    def _start_child(
        self, parent: Instance, task_id: int, asked: pb.SubOrchestrationInstanceCreatedEvent
    ) -> pb.TaskFailureDetails | None:
        if asked.name.lower() not in self.orchestrator_names:
            return failure("OrchestratorNotFound", f"The app has no orchestrator '{asked.name}'.", final=True)
        existing = self.find(asked.instanceId)
        if existing is not None and not existing.finished:
            return failure(
                "InstanceExists", f"The instance '{asked.instanceId}' is already running.", final=True
            )
        reference = pb.ParentInstanceInfo(
            taskScheduledId=task_id,
            name=text_value(parent.name),
            version=text_value(parent.version),
            orchestrationInstance=instance_reference(parent),
        )
        self._create(
            Instance(
                instance_id=asked.instanceId,
                name=asked.name,
                status=pb.ORCHESTRATION_STATUS_PENDING,
                version=asked.version.value if asked.HasField("version") else self.child_version,
                input=asked.input.value if asked.HasField("input") else None,
                tags=dict(asked.tags) or None,
                parent=reference,
                trace=asked.parentTraceContext if asked.HasField("parentTraceContext") else None,
            )
        )
        return None

    def _process_send_event_action(
        self, source_instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        sent = action.sendEvent
        data = sent.data if sent.HasField("data") else None
        target = sent.instance.instanceId
        recorded = pb.EventSentEvent(name=sent.name, input=data, instanceId=target)
        _ours(source_instance).history.append(new_event(eventId=action.id, eventSent=recorded))
        receiver = self.find(target)
        if receiver is not None:
            self._deliver(receiver, new_event(eventRaised=pb.EventRaisedEvent(name=sent.name, input=data)))

    def _process_send_entity_message_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        sent = action.sendEntityMessage
        kind = sent.WhichOneof("EntityMessageType") or ""
        message = getattr(sent, kind)
        _ours(instance).history.append(new_event(eventId=action.id, **{kind: message}))
        if kind == "entityLockRequested":
            self._ask_for_lock(message)
        elif kind == "entityUnlockSent":
            self._unlock(message)
        else:
            due = moment_of(message.scheduledTime) if message.HasField("scheduledTime") else None
            self._post(message.targetInstanceId.value, new_event(**{kind: message}), due)

    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        ended = _ours(instance)
        result = complete_action.result.value if complete_action.HasField("result") else None
        if complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            self._begin_generation(ended, complete_action, result)
            return
        ended.status = complete_action.orchestrationStatus
        ended.output = result
        failed = complete_action.HasField("failureDetails")
        ended.failure_details = complete_action.failureDetails if failed else None

    def _begin_generation(
        self, instance: Instance, asked: pb.CompleteOrchestrationAction, new_input: str | None
    ) -> None:
        arrived = [event for event in instance.pending_events if kind_of(event) in INHERITED]
        self.release_locks(instance)
        instance.history.clear()
        instance.rewritten = True
        instance.execution_id = uuid.uuid4().hex
        instance.scheduled_start = None
        instance.input = new_input
        if asked.HasField("newVersion"):
            instance.version = asked.newVersion.value
        instance.output = instance.failure_details = instance.completed_at = None
        instance.status = pb.ORCHESTRATION_STATUS_PENDING
        carried = [stamped(event) for event in asked.carryoverEvents]
        instance.pending_events = [started_event(instance), *carried, *arrived]


def _ours(instance: OrchestrationInstance) -> Instance:
    if not isinstance(instance, Instance):
        raise TypeError("an instance that this backend did not make")
    return instance
