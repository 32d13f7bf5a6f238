"""What a history still waits for, and how it is cleaned for a rewind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import durabletask.internal.orchestrator_service_pb2 as pb

from infra.local.functions_host.durable.records import kind_of, moment_of


@dataclass
class Outstanding:
    """Tasks of a history without an answer, by task id."""

    activities: dict[int, pb.TaskScheduledEvent] = field(default_factory=dict)
    timers: dict[int, datetime] = field(default_factory=dict)
    children: dict[int, pb.SubOrchestrationInstanceCreatedEvent] = field(default_factory=dict)


def outstanding(events: Iterable[pb.HistoryEvent]) -> Outstanding:
    """The tasks that were asked for and not answered; a retry asks again under the same id."""
    found = Outstanding()
    for event in events:
        match kind_of(event):
            case "taskScheduled":
                found.activities[event.eventId] = event.taskScheduled
            case "taskCompleted":
                found.activities.pop(event.taskCompleted.taskScheduledId, None)
            case "taskFailed":
                found.activities.pop(event.taskFailed.taskScheduledId, None)
            case "timerCreated":
                found.timers[event.eventId] = moment_of(event.timerCreated.fireAt)
            case "timerFired":
                found.timers.pop(event.timerFired.timerId, None)
            case "subOrchestrationInstanceCreated":
                found.children[event.eventId] = event.subOrchestrationInstanceCreated
            case "subOrchestrationInstanceCompleted":
                found.children.pop(event.subOrchestrationInstanceCompleted.taskScheduledId, None)
            case "subOrchestrationInstanceFailed":
                found.children.pop(event.subOrchestrationInstanceFailed.taskScheduledId, None)
    return found


def without_failures(history: Sequence[pb.HistoryEvent]) -> list[pb.HistoryEvent]:
    """The history as a rewind wants it: tasks that ended in failure count as not done, the end is forgotten.

    Of a task that was tried again only the last attempt is taken back, with its request: the timers between
    the attempts stay true. A failed sub-orchestration keeps its request: the child is rewound and answers it.
    """
    last_outcome: dict[tuple[str, int], tuple[int, bool]] = {}
    last_request: dict[int, int] = {}
    for position, event in enumerate(history):
        match kind_of(event):
            case "taskScheduled":
                last_request[event.eventId] = position
            case "taskCompleted":
                last_outcome["task", event.taskCompleted.taskScheduledId] = position, True
            case "taskFailed":
                last_outcome["task", event.taskFailed.taskScheduledId] = position, False
            case "subOrchestrationInstanceCompleted":
                task_id = event.subOrchestrationInstanceCompleted.taskScheduledId
                last_outcome["child", task_id] = position, True
            case "subOrchestrationInstanceFailed":
                last_outcome["child", event.subOrchestrationInstanceFailed.taskScheduledId] = position, False
    removed = set()
    for (kind, task_id), (position, succeeded) in last_outcome.items():
        if not succeeded:
            removed.add(position)
            if kind == "task":
                removed.add(last_request[task_id])
    return [
        event
        for position, event in enumerate(history)
        if position not in removed and kind_of(event) != "executionCompleted"
    ]
