"""What the last verification of a world must find and must not."""

from datetime import UTC, datetime
from typing import Any

from tests.simulation.verifying import check_verification

_DONE = {"state": "completed", "reason": None}


def row(number: int, state: str = "present") -> dict[str, Any]:
    return {"id": number, "archive_key": f"key {number}", "source_key": f"source {number}", "state": state}


def finding(number: int, reason: str = "copy_gone") -> dict[str, Any]:
    return {
        "archived_event_id": number,
        "kind": "missing",
        "reason": reason,
        "starts_at": datetime(2026, 2, 23, 9, tzinfo=UTC),
        "source_key": f"source {number}",
    }


def check(findings: list[dict[str, Any]], *, locked: bool = False, **verification: Any) -> list[str]:
    rows = [row(1), row(2), row(3, "superseded")]
    touched, gone = {"key 1", "key 3"}, {"key 1", "key 3"}
    return check_verification(_DONE | verification, findings, rows, touched, gone, locked=locked)


def test_what_was_deleted_by_hand_is_found_and_nothing_else() -> None:
    assert check([finding(1)]) == []
    assert check([]) == ["verified: nothing is said of the deleted copy of source 1"]
    assert check([finding(1), finding(2)]) == [
        "verified: missing (copy_gone) at 02-23 09:00, present row source 2"
    ]


def test_a_locked_period_takes_nothing_late() -> None:
    assert check([finding(1), finding(2, "not_written")], locked=True) == []
    assert check([finding(1), finding(2, "not_written")]) != []


def test_a_verification_has_to_complete() -> None:
    assert check([], state="failed", reason="away") == [
        "the last verification did not complete: ('failed', 'away')"
    ]
    assert check_verification(None, [], [], [], [], locked=False) == [
        "the last verification did not complete: None"
    ]
