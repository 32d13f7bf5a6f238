"""The orchestration of a run alone: what it calls, in which order, and when it waits (design.md)."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.triggers import archive_workflow
from tests.integration.archiving.durable import START, Script, drive, replay

RUN = "6f9b0a3e-0000-4000-8000-000000000001"
FIRST = {"run_id": RUN}
AFTER_PLAN = {"run_id": RUN, "planned": True}


def progress(done: int = 0, remaining: int = 0, failed: int = 0, wait: float | None = None) -> dict[str, Any]:
    """An answer of apply; ``wait`` is in seconds after the start of the run."""
    return {"done": done, "failed": failed, "remaining": remaining, "resume_at": _at(wait)}


def settled(still_open: int = 0, wait: float | None = None) -> dict[str, Any]:
    """An answer of the activity."""
    return {"open": still_open, "resume_at": _at(wait)}


def _at(wait: float | None) -> str | None:
    return None if wait is None else (START.replace(tzinfo=UTC) + timedelta(seconds=wait)).isoformat()


def in_turn(*answers: Any) -> Script:
    """One answer after another, the last one again and again."""
    return lambda _, place: answers[min(place, len(answers) - 1)]


def begun(*, mine: bool = True, patient: bool = False) -> Script:
    """An answer of begin."""
    return in_turn({"mine": mine, "correlation_id": "it", "patient": patient})


def scripts(**changed: Script) -> dict[str, Script]:
    """A run in which everything goes well at once."""
    usual: dict[str, Script] = {
        "begin": begun(),
        "settle": in_turn(settled()),
        "plan": in_turn({"planned": 3}),
        "apply": in_turn(progress(done=3)),
        "finish": in_turn({"state": "completed"}),
    }
    return usual | changed


def test_a_run_that_is_not_its_to_run_ends_at_once() -> None:
    outcome = drive(FIRST, scripts(begin=begun(mine=False)))
    assert outcome.context.calls == [("begin_archive_run", RUN)]
    assert outcome.result is None
    assert outcome.context.statuses == []


def test_a_run_reconciles_plans_applies_reconciles_and_finishes() -> None:
    outcome = drive(FIRST, scripts(apply=in_turn(progress(done=2, remaining=1), progress(done=1))))
    assert outcome.context.calls == [
        ("begin_archive_run", RUN),
        ("settle_archive_run", {"run_id": RUN, "attempt": 0}),
        ("plan_archive_run", RUN),
        ("apply_archive_run", RUN),
        ("apply_archive_run", RUN),
        ("settle_archive_run", {"run_id": RUN, "attempt": 0}),
        ("finish_archive_run", {"run_id": RUN, "reason": None}),
    ]
    assert outcome.result == "completed"
    assert [status["step"] for status in outcome.context.statuses] == [
        "settling",
        "planning",
        *["applying"] * 3,
        "finishing",
        "finished",
    ]
    counts = {"planned": 3, "done": 3, "failed": 0}
    assert outcome.context.statuses[2:4] == [
        {"step": "applying", "percent": 20, "planned": 3, "done": 0, "failed": 0},
        {"step": "applying", "percent": 70, "planned": 3, "done": 2, "failed": 0, "remaining": 1},
    ]
    over = {"step": "finished", "percent": 100, "state": "completed"}
    assert outcome.context.statuses[-1] == counts | over


def test_a_wait_that_graph_wants_is_a_durable_timer_until_exactly_then() -> None:
    waits = progress(done=20, remaining=5, wait=300)
    outcome = drive(FIRST, scripts(apply=in_turn(waits, progress(done=5))))
    names = outcome.context.names
    assert names == ["begin", "settle", "plan", "apply", "timer", "apply", "settle", "finish"]
    # Four activities of a second each had passed.
    assert ("timer", timedelta(seconds=296)) in outcome.context.calls


def test_a_wait_that_is_over_is_no_timer() -> None:
    waits = (progress(done=1, remaining=5, wait=-1), progress(done=1, remaining=4), progress(done=4))
    outcome = drive(FIRST, scripts(apply=in_turn(*waits)))
    assert "timer" not in outcome.context.names


def test_reconciling_waits_and_counts_its_attempts_until_nothing_is_open() -> None:
    answers = (settled(2, 60), settled(1, 200), settled(), settled())
    outcome = drive(FIRST, scripts(settle=in_turn(*answers)))
    before_plan = outcome.context.names[: outcome.context.names.index("plan")]
    assert before_plan == ["begin", "settle", "timer", "settle", "timer", "settle"]
    attempts = [given["attempt"] for name, given in outcome.context.calls if name == "settle_archive_run"]
    assert attempts == [0, 1, 2, 0]


def test_what_cannot_be_reconciled_is_left_to_the_next_run() -> None:
    outcome = drive(FIRST, scripts(settle=lambda _, place: settled(1, 60.0 * (place + 1))))
    assert outcome.context.names.count("settle") == 2 * archive_workflow.RECONCILE_ATTEMPTS
    assert outcome.context.names[-1] == "finish"
    assert outcome.result == "completed"


def test_a_long_run_continues_as_new_with_what_it_knows() -> None:
    outcome = drive(FIRST, scripts(apply=in_turn(progress(done=20, remaining=1000))))
    assert outcome.context.names.count("apply") == archive_workflow.ROUNDS_PER_GENERATION
    so_far = {"writes": 3, "done": 500, "failed": 0}
    assert outcome.context.following == {"run_id": RUN, "planned": True, "idle": 0} | so_far
    assert "finish" not in outcome.context.names


def test_the_next_generation_neither_plans_nor_reconciles_again_before_it_applies() -> None:
    outcome = drive(AFTER_PLAN, scripts())
    assert outcome.context.names == ["begin", "apply", "settle", "finish"]


def test_a_run_that_ended_in_between_does_not_continue() -> None:
    outcome = drive(AFTER_PLAN, scripts(begin=begun(mine=False)))
    assert outcome.context.names == ["begin"]


def test_a_run_gives_up_after_enough_rounds_without_progress_in_all_its_generations() -> None:
    nothing = scripts(apply=lambda _, place: progress(remaining=7, wait=10.0 * (place + 1)))
    given: dict[str, Any] | None = FIRST
    rounds, generations = 0, []
    while given is not None:
        outcome = drive(given, nothing)
        rounds += outcome.context.names.count("apply")
        generations.append(given.get("idle", 0))
        given = outcome.context.following
    assert rounds == archive_workflow.IDLE_ROUNDS
    assert generations == [0, 25, 50]
    name, finish = outcome.context.calls[-1]
    assert name == "finish_archive_run"
    assert "nothing could be written" in finish["reason"]
    # What was sent without an answer is reconciled before the report is written.
    assert outcome.context.names[-2:] == ["settle", "finish"]


def test_one_write_that_reached_its_end_is_progress() -> None:
    rounds = [*[progress(remaining=2)] * 20, progress(failed=1, remaining=1), *[progress(remaining=1)] * 4]
    outcome = drive(FIRST, scripts(apply=in_turn(*rounds)))
    so_far = {"writes": 3, "done": 0, "failed": 1}
    assert outcome.context.following == {"run_id": RUN, "planned": True, "idle": 4} | so_far


@pytest.mark.parametrize("step", ["settle", "plan", "apply"])
def test_a_step_that_fails_for_good_ends_the_run_with_its_reason(step: str) -> None:
    outcome = drive(FIRST, scripts(**{step: in_turn(RuntimeError("the database is away"))}))
    name, finish = outcome.context.calls[-1]
    assert name == "finish_archive_run"
    assert "the database is away" in finish["reason"]
    assert "RuntimeError" in finish["reason"]
    assert outcome.result == "completed"


@pytest.mark.parametrize("step", ["settle", "plan", "apply"])
def test_a_run_continues_later_where_the_database_was_away(step: str) -> None:
    away = scripts(
        begin=begun(patient=True), **{step: in_turn(Unavailable("The database cannot be reached."))}
    )
    with pytest.raises(Exception, match=f"{step} failed"):
        drive(FIRST, away)
    # Not without limit: a run that is hours old ends with its reason.
    old = away | {"begin": begun(patient=False)}
    name, finish = drive(FIRST, old).context.calls[-1]
    assert name == "finish_archive_run"
    assert "cannot be reached" in finish["reason"]


def test_a_very_long_reason_is_cut() -> None:
    outcome = drive(FIRST, scripts(plan=in_turn(RuntimeError("x" * 5000))))
    assert len(outcome.context.calls[-1][1]["reason"]) == 500


@pytest.mark.parametrize("step", ["begin", "finish"])
def test_a_run_that_cannot_begin_or_end_fails_for_the_dispatcher_to_drive_again(step: str) -> None:
    with pytest.raises(Exception, match=f"{step} failed"):
        drive(FIRST, scripts(**{step: in_turn(RuntimeError("the database is away"))}))


def test_a_custom_status_stays_small() -> None:
    outcome = drive(FIRST, scripts(apply=in_turn(progress(done=20, remaining=10**9))))
    assert max(len(str(status)) for status in outcome.context.statuses) < 4096


def test_progress_never_goes_down_through_all_generations() -> None:
    planned, left, told = 1000, 1000, []
    given: dict[str, Any] | None = FIRST

    def apply(_: Any, __: int) -> dict[str, Any]:
        nonlocal left
        left -= 20
        return progress(done=18, failed=2, remaining=left)

    while given is not None:
        outcome = drive(given, scripts(plan=in_turn({"planned": planned}), apply=apply))
        told += [status["percent"] for status in outcome.context.statuses]
        given = outcome.context.following
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 100)
    assert len(set(told)) > 40
    assert outcome.context.statuses[-1]["done"] == 900


EVENTFUL = scripts(
    settle=in_turn(settled(2, 30), settled(), settled(1, 500), settled()),
    apply=in_turn(
        progress(done=20, remaining=9, wait=200),
        progress(remaining=9),
        RuntimeError("lost"),
        progress(done=9),
    ),
)


@pytest.mark.parametrize("given", [FIRST, AFTER_PLAN | {"idle": 3}])
def test_a_replay_of_any_part_of_the_history_asks_for_the_same_again(given: dict[str, Any]) -> None:
    outcome = drive(given, EVENTFUL)
    assert len(outcome.history) > 4
    for length in range(len(outcome.history) + 1):
        again = replay(given, outcome.history[:length])
        assert again.calls == outcome.context.calls[: length + 1]
        assert again.statuses == outcome.context.statuses[: len(again.statuses)]
    assert again.statuses == outcome.context.statuses
    assert again.following == outcome.context.following
