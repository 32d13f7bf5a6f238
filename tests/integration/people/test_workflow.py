"""The orchestrations of exports and erasures: what they ask for, when they wait, how they fail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

from durabletask.task import TaskFailedError

from shared.services.people.histories import INSTANCES
from shared.triggers import people_workflow
from shared.triggers.timers import WORKFLOWS
from tests.integration.archiving.durable import START, function_of

ERASURE = "6f9b0a3e-0000-4000-8000-000000000001"


@dataclass
class Context:
    """The part of an orchestration context that the workflows use."""

    now: Any = START
    calls: list[tuple[str, Any]] = field(default_factory=list)
    following: dict[str, Any] | None = None

    @property
    def current_utc_datetime(self) -> Any:
        """The replayed time, naive as Durable's is."""
        return self.now

    def call_activity(self, name: str, *, input: Any, retry_policy: Any) -> tuple[str, Any]:
        """Ask for an activity."""
        assert retry_policy.max_number_of_attempts > 1
        self.calls.append((name, input))
        return self.calls[-1]

    def create_timer(self, wait: timedelta) -> tuple[str, Any]:
        """Ask for a durable timer."""
        self.calls.append(("timer", wait))
        return self.calls[-1]

    def set_custom_status(self, status: dict[str, Any]) -> None:
        """What a client would see."""

    def continue_as_new(self, following: dict[str, Any]) -> None:
        """The next generation's input."""
        self.following = following


def drive(orchestrator: Any, given: dict[str, Any], answer: Callable[[int], Any]) -> tuple[Context, Any]:
    """Run one generation; ``answer`` of the number of the activity is what it returns, or raises."""
    context, count = Context(), 0
    steps = function_of(orchestrator)(context, given)
    try:
        name, argument = next(steps)
        while True:
            if name == "timer":
                context.now += argument
                name, argument = steps.send(None)
                continue
            replied = answer(count)
            count += 1
            if isinstance(replied, Exception):
                name, argument = steps.throw(TaskFailedError("failed", replied))
            else:
                name, argument = steps.send(replied)
    except StopIteration as end:
        return context, end.value


def progress(*, over: bool = False, wait: float | None = None) -> dict[str, Any]:
    resume = None if wait is None else (START.replace(tzinfo=UTC) + timedelta(seconds=wait)).isoformat()
    return {"over": over, "step": "rows", "resume_at": resume}


def test_an_erasure_advances_until_it_is_over_and_waits_where_it_must() -> None:
    answers = [progress(), progress(wait=15), progress(over=True)]
    context, result = drive(people_workflow.erase_user, {"erasure_id": ERASURE}, lambda n: answers[n])
    assert result == "over"
    assert context.calls == [
        ("advance_user_erasure", {"id": ERASURE, "force": False}),
        ("advance_user_erasure", {"id": ERASURE, "force": False}),
        ("timer", timedelta(seconds=15)),
        ("advance_user_erasure", {"id": ERASURE, "force": False}),
    ]


def test_a_long_erasure_continues_in_a_new_generation_and_patience_ends() -> None:
    def waits(count: int) -> Any:
        return progress(wait=15 * (count + 1))

    context, result = drive(people_workflow.erase_user, {"erasure_id": ERASURE}, waits)
    assert result is None
    assert context.following == {"erasure_id": ERASURE, "waits": people_workflow.ROUNDS_PER_GENERATION}
    forced = [given["force"] for name, given in context.calls if name == "advance_user_erasure"]
    assert forced == [False] * people_workflow.PATIENCE + [True] * (
        people_workflow.ROUNDS_PER_GENERATION - people_workflow.PATIENCE
    )


def test_what_fails_for_good_is_noted() -> None:
    for orchestrator, given, last in (
        (people_workflow.erase_user, {"erasure_id": ERASURE}, "fail_user_erasure"),
        (people_workflow.export_user, {"export_id": ERASURE}, "fail_user_export"),
    ):
        context, result = drive(orchestrator, given, lambda n: RuntimeError("away") if n == 0 else "failed")
        name, argument = context.calls[-1]
        assert (name, result) == (last, "failed")
        assert argument["id"] == ERASURE
        assert "away" in argument["reason"]


def test_the_erasure_knows_the_instances_of_every_workflow() -> None:
    forgotten = set(WORKFLOWS.values()) - {people_workflow.ERASURE}
    assert {f"{workflow.prefix}{{id}}" for workflow in forgotten} == set(INSTANCES.values())
