"""Orchestrations and their activities: how they start, are handed out, come back and end."""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import durabletask.internal.orchestrator_service_pb2 as pb

from infra.local.functions_host.durable import rows
from infra.local.functions_host.durable.actions import ActionBackend
from infra.local.functions_host.durable.journal import Journal
from infra.local.functions_host.durable.records import (
    Activity,
    Entity,
    Instance,
    failure,
    kind_of,
    moment_of,
    new_event,
    text_value,
    utc_now,
)
from infra.local.functions_host.durable.refusals import (
    AlreadyExistsError,
    InvalidArgumentError,
    UnknownFunctionError,
)
from infra.local.functions_host.durable.versioning import Versioning

LOG = logging.getLogger("functions_host.durable")
_RUNNING_STATES = frozenset(
    {
        pb.ORCHESTRATION_STATUS_RUNNING,
        pb.ORCHESTRATION_STATUS_PENDING,
        pb.ORCHESTRATION_STATUS_SUSPENDED,
        pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW,
    }
)


@dataclass(frozen=True)
class OrchestrationWork:
    """One step of an orchestration for the worker; `token` must come back with the answer."""

    instance_id: str
    name: str
    token: str
    request: pb.OrchestratorRequest
    version: str | None = None


class Admission(Protocol):
    """Which versions of orchestrations may run."""

    def mismatch(self, version: str | None) -> str | None:
        """Why an orchestration of `version` may not run, None if it may."""

    @property
    def fail_on_mismatch(self) -> bool:
        """True if it then fails, False if it waits."""


class OrchestrationBackend(ActionBackend):
    """The life of instances from start to end."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self._left_waiting: set[str] = set()

    #: Says which versions may run at present, and what becomes of the others.
    admission: Admission = Versioning()
    replace_any_state = False

    def restore(self) -> None:
        """Loads the journal's state and continues from it. Call it once, before anything runs."""
        with self.change():
            for instance in rows.read_instances(self.journal):
                instance.completion_token = self._next_token()
                self._instances[instance.instance_id] = instance
            self.restore_entities()
            for found in list(self._instances.values()):
                instance = self._known(found.instance_id)
                if not instance.finished:
                    self._resume_tasks(instance)
                    self._enqueue_orchestration(instance.instance_id)

    def look_again(self) -> None:
        """Offers again what was left waiting for a host of its version."""
        with self.change():
            waiting, self._left_waiting = self._left_waiting, set()
            for instance_id in waiting:
                if self.find(instance_id) is not None:
                    self._enqueue_orchestration(instance_id)

    def create(
        self,
        name: str,
        instance_id: str = "",
        input_text: str | None = None,
        *,
        version: str | None = None,
        tags: dict[str, str] | None = None,
        start_at: datetime | None = None,
        trace: pb.TraceContext | None = None,
        replaceable: frozenset[int] | None = None,
    ) -> str:
        """Starts an instance and answers its id.

        A finished instance of the same id is replaced, a running one is not; `replaceable` statuses override.
        Raises UnknownFunctionError, AlreadyExistsError; InvalidArgumentError for an id that entities have.
        """
        if instance_id.startswith("@"):
            raise InvalidArgumentError("The id of an orchestration instance must not begin with '@'.")
        if self.names_known and name.lower() not in self.orchestrator_names:
            raise UnknownFunctionError(f"The app has no orchestrator '{name}'.")
        instance_id = instance_id or uuid.uuid4().hex
        with self.change():
            self._make_room(instance_id, replaceable)
            self._create(
                Instance(
                    instance_id=instance_id,
                    name=name,
                    status=pb.ORCHESTRATION_STATUS_PENDING,
                    version=version or self.default_version,
                    input=input_text,
                    tags=tags,
                    scheduled_start=start_at,
                    trace=trace,
                )
            )
        return instance_id

    def take_orchestration(self) -> OrchestrationWork | None:
        """The next step to run, handed out once; None if nothing is ready."""
        with self.change():
            while self._ready:
                instance_id = next(iter(self._ready))
                del self._ready[instance_id]
                instance = self.find(instance_id)
                if instance is None or not self._has_work(instance):
                    continue
                if any(kind_of(event) == "executionTerminated" for event in instance.pending_events):
                    self.finish_terminated(instance)
                elif not self._refused_version(instance):
                    return self._handed_out_step(instance)
        return None

    def complete_orchestration(
        self, work: OrchestrationWork, response: pb.OrchestratorResponse, child_version: str | None = None
    ) -> None:
        """Takes over a step: its events are history, its actions are done.

        `child_version` is what a sub-orchestration gets that names none: the `defaultVersion` of the host
        that ran the step.
        """
        with self.change():
            instance = self.find(work.instance_id)
            # Purged or replaced while it ran, so nothing needs its result.
            if instance is None or str(instance.completion_token) != work.token:
                return
            self._orchestration_in_flight.discard(work.instance_id)
            self._commit_events(instance)
            if response.HasField("customStatus"):
                instance.custom_status = response.customStatus.value
            self.child_version = child_version or self.default_version
            self._do_actions(instance, response)
            instance.completion_token = self._next_token()
            self._touch(instance)
            # A generation that has just begun has an empty history.
            if instance.status != pb.ORCHESTRATION_STATUS_PENDING:
                instance.history.append(new_event(orchestratorCompleted=pb.OrchestratorCompletedEvent()))
                if instance.finished:
                    self.finish(instance)
            self._enqueue_orchestration(instance.instance_id)

    def fail_orchestration(self, work: OrchestrationWork, details: pb.TaskFailureDetails) -> None:
        """The orchestrator could not be run at all: the instance fails."""
        action = pb.CompleteOrchestrationAction(
            orchestrationStatus=pb.ORCHESTRATION_STATUS_FAILED, failureDetails=details
        )
        actions = [pb.OrchestratorAction(id=-1, completeOrchestration=action)]
        self.complete_orchestration(
            work, pb.OrchestratorResponse(instanceId=work.instance_id, actions=actions)
        )

    def take_activity(self) -> Activity | None:
        """The next activity to run, handed out once."""
        with self._lock:
            while self._activity_queue:
                activity = self._activity_queue.popleft()
                if isinstance(activity, Activity) and self._wanted(activity):
                    return activity
                self._forget_activity(activity)
        return None

    def complete_activity(
        self, activity: Activity, result: str | None, details: pb.TaskFailureDetails | None = None
    ) -> None:
        """Delivers the result, or the failure; too late for a finished instance or a former generation."""
        with self.change():
            wanted = self._wanted(activity)
            self._forget_activity(activity)
            instance = self.find(activity.instance_id)
            if instance is None or not wanted:
                LOG.debug("Result of %s for %s came too late", activity.name, activity.instance_id)
                return
            if details is not None:
                failed = pb.TaskFailedEvent(taskScheduledId=activity.task_id, failureDetails=details)
                self._deliver(instance, new_event(taskFailed=failed))
                return
            done = pb.TaskCompletedEvent(taskScheduledId=activity.task_id, result=text_value(result))
            self._deliver(instance, new_event(taskCompleted=done))

    def finish(self, instance: Instance) -> None:
        """Ends the instance in its present (terminal) status and tells its parent."""
        instance.completed_at = utc_now()
        completed = pb.ExecutionCompletedEvent(
            orchestrationStatus=instance.status,
            result=text_value(instance.output),
            failureDetails=instance.failure_details,
        )
        instance.history.append(new_event(executionCompleted=completed))
        instance.pending_events.clear()
        self._ready.pop(instance.instance_id, None)
        self._touch(instance)
        self.release_locks(instance)
        self._report_to_parent(instance)
        if instance.status == pb.ORCHESTRATION_STATUS_FAILED:
            _log_failure(instance)

    def finish_terminated(self, instance: Instance) -> None:
        """Ends an instance that was told to terminate; its children too, if so told."""
        self._begin_step(instance)
        events = instance.dispatched_events
        last = next(e for e in reversed(events) if kind_of(e) == "executionTerminated").executionTerminated
        self._commit_events(instance)
        instance.status = pb.ORCHESTRATION_STATUS_TERMINATED
        instance.output = last.input.value if last.HasField("input") else None
        instance.completion_token = self._next_token()
        instance.history.append(new_event(orchestratorCompleted=pb.OrchestratorCompletedEvent()))
        self.finish(instance)
        if last.recurse:
            for child in self.children_of(instance.instance_id):
                self.terminate_one(child, last)

    def terminate_one(self, instance: Instance, order: pb.ExecutionTerminatedEvent) -> None:
        """Terminates the instance now, or after the step that it is in."""
        if instance.finished:
            return
        self._deliver(instance, new_event(executionTerminated=order))
        if instance.instance_id not in self._orchestration_in_flight:
            self._ready.pop(instance.instance_id, None)
            self.finish_terminated(instance)

    def children_of(self, instance_id: str) -> list[Instance]:
        """Instances that were started as sub-orchestrations of this one."""
        return [
            found
            for found in self._instances.values()
            if isinstance(found, Instance)
            and found.parent is not None
            and found.parent.orchestrationInstance.instanceId == instance_id
        ]

    def _known(self, instance_id: str) -> Instance:
        instance = self.find(instance_id)
        if instance is None:
            raise KeyError(instance_id)
        return instance

    def _make_room(self, instance_id: str, replaceable: frozenset[int] | None) -> None:
        existing = self.find(instance_id)
        if existing is None:
            return
        if replaceable is not None:
            allowed = existing.status in replaceable
        else:
            allowed = self.replace_any_state or existing.status not in _RUNNING_STATES
        if not allowed:
            raise AlreadyExistsError(f"An orchestration instance with the id '{instance_id}' already exists.")
        self.release_locks(existing)
        self._forget_instance(existing)

    def _forget_instance(self, instance: Instance) -> None:
        del self._instances[instance.instance_id]
        self._ready.pop(instance.instance_id, None)
        self._orchestration_in_flight.discard(instance.instance_id)
        self._touched.add(instance.instance_id)

    def _handed_out_step(self, instance: Instance) -> OrchestrationWork:
        self._begin_step(instance)
        self._orchestration_in_flight.add(instance.instance_id)
        return OrchestrationWork(
            instance.instance_id,
            instance.name,
            str(instance.completion_token),
            pb.OrchestratorRequest(
                instanceId=instance.instance_id,
                executionId=text_value(instance.execution_id),
                pastEvents=instance.history,
                newEvents=instance.dispatched_events,
            ),
            instance.version,
        )

    def _begin_step(self, instance: Instance) -> None:
        events, instance.pending_events = instance.pending_events, []
        if not events or kind_of(events[0]) != "orchestratorStarted":
            events.insert(0, new_event(orchestratorStarted=pb.OrchestratorStartedEvent()))
        instance.dispatched_events = events

    def _commit_events(self, instance: Instance) -> None:
        for event in instance.dispatched_events:
            if kind_of(event) == "executionSuspended":
                instance.status = pb.ORCHESTRATION_STATUS_SUSPENDED
            elif kind_of(event) == "executionResumed" or instance.status == pb.ORCHESTRATION_STATUS_PENDING:
                instance.status = pb.ORCHESTRATION_STATUS_RUNNING
        instance.history.extend(instance.dispatched_events)
        instance.dispatched_events = []

    def _do_actions(self, instance: Instance, response: pb.OrchestratorResponse) -> None:
        try:
            for action in response.actions:
                self._process_action(instance, action)
        except Exception as error:
            LOG.exception("Actions of '%s' could not be carried out", instance.instance_id)
            if not instance.finished:
                instance.status = pb.ORCHESTRATION_STATUS_FAILED
                instance.output = None
                instance.failure_details = failure(type(error).__name__, str(error), final=True)

    def _refused_version(self, instance: Instance) -> bool:
        mismatch = self.admission.mismatch(instance.version)
        if mismatch is None:
            return False
        if not self.admission.fail_on_mismatch:
            # Left where it is, for a host that runs the app's newer version.
            LOG.warning("Orchestration '%s' is left waiting: %s", instance.instance_id, mismatch)
            self._left_waiting.add(instance.instance_id)
            return True
        self._begin_step(instance)
        self._commit_events(instance)
        instance.status = pb.ORCHESTRATION_STATUS_FAILED
        instance.failure_details = failure("VersionMismatch", mismatch, final=True)
        self.finish(instance)
        return True

    def _report_to_parent(self, child: Instance) -> None:
        if child.parent is None:
            return
        asked = child.parent.orchestrationInstance
        parent = self.find(asked.instanceId)
        if parent is None or parent.execution_id != asked.executionId.value:
            return
        task_id = child.parent.taskScheduledId
        if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            done = pb.SubOrchestrationInstanceCompletedEvent(
                taskScheduledId=task_id, result=text_value(child.output)
            )
            self._deliver(parent, new_event(subOrchestrationInstanceCompleted=done))
            return
        details = child.failure_details or failure(
            "SubOrchestrationTerminated",
            f"Sub-orchestration '{child.instance_id}' was terminated: {child.output}",
        )
        failed = pb.SubOrchestrationInstanceFailedEvent(taskScheduledId=task_id, failureDetails=details)
        self._deliver(parent, new_event(subOrchestrationInstanceFailed=failed))

    def _entity_action(self, entity: Entity, action: pb.OperationAction) -> None:
        if not action.HasField("startNewOrchestration"):
            super()._entity_action(entity, action)
            return
        asked = action.startNewOrchestration
        try:
            self.create(
                asked.name,
                asked.instanceId,
                asked.input.value if asked.HasField("input") else None,
                version=asked.version.value if asked.HasField("version") else self.child_version,
                start_at=moment_of(asked.scheduledTime) if asked.HasField("scheduledTime") else None,
            )
        except (AlreadyExistsError, UnknownFunctionError) as error:
            # What the entity did to itself stands, whether or not this could be started.
            LOG.warning("Entity %s could not start an orchestration: %s", entity.instance_id, error)


def _log_failure(instance: Instance) -> None:
    details = instance.failure_details or pb.TaskFailureDetails()
    LOG.error(
        "Orchestration '%s' (%s) failed: %s: %s%s",
        instance.name,
        instance.instance_id,
        details.errorType,
        details.errorMessage,
        f"\n{details.stackTrace.value.rstrip()}" if details.stackTrace.value else "",
    )
