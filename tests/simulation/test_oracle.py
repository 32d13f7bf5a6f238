"""What the oracle takes for right of the days of a series: split more than once, or edited in the archive."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.simulation.comparing import archive_key
from tests.simulation.deciding import named
from tests.simulation.oracle import Facts, Snapshot
from tests.simulation.rules import Policies, Settled, told
from tests.simulation.shown_events import shown
from tests.simulation.source_keys import Json, key_of

CONFIGURATION, ROW = UUID(int=1), UUID(int=2)
WINDOW = (datetime(2026, 2, 21, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))


def occurrence(series: str, start: str, end: str, meeting: int = 4) -> Json:
    """The day 2026-02-28 of a series."""
    return shown(
        f"02-28T{start}",
        f"02-28T{end}",
        id=f"{series}-1",
        type="occurrence",
        seriesMasterId=series,
        subject="Lunch",
        body={"contentType": "html", "content": f"<p>Body 1 of meeting {meeting}</p>"},
        originalStart=f"2026-02-28T{start}:00Z",
    )


FIRST = occurrence("first", "09:00", "09:30")
SECOND = occurrence("second", "10:00", "10:30")
THIRD = occurrence("third", "10:15", "10:45")
EDITED = FIRST | {"type": "exception", "subject": "Lunch with Carla"}
DECLINED = {"responseStatus": {"response": "declined"}}
MOVED = FIRST | {name: SECOND[name] for name in ("start", "end")}


def map_row(keys: list[str], source_id: str, archived_as: str, state: str) -> Json:
    """The row of a day that had these keys, one after the other."""
    return {
        "id": ROW,
        "source_key": keys[-1],
        "former_keys": keys[:-1],
        "source_id": source_id,
        "archive_key": archived_as,
        "copy_id": "copy",
        "state": state,
        "kept_categories": None,
        "left_out": None,
        "merged_into": None,
        "modifications": [],
        "revision": "r",
    }


def appointment(copied: Json) -> Json:
    """The record of a copy that says what its source said."""
    start, end = (
        datetime.fromisoformat(copied[name]["dateTime"]).replace(tzinfo=UTC) for name in ("start", "end")
    )
    return {
        "archived_event_id": ROW,
        "revision": "r",
        "source_deleted_at": None,
        "subject": copied["subject"],
        "location": "",
        "body": copied["body"]["content"],
        "categories": copied["categories"],
        "importance": copied["importance"],
        "is_cancelled": copied["isCancelled"],
        "is_declined": "responseStatus" in copied,
        "start_at": start,
        "end_at": end,
        "source_start_at": start,
        "source_end_at": end,
        "source_type": copied["type"],
        "start_zone": "UTC",
        "source_show_as": copied["showAs"],
    }


def operation(state: str, revision: str, minute: int) -> Json:
    """A write of the copy that ended so."""
    finished = WINDOW[1] + timedelta(minutes=minute)
    ids = {"archived_event_id": ROW, "run_id": UUID(int=4)}
    return ids | {"state": state, "revision": revision, "finished_at": finished}


def facts(
    versions: list[Json],
    copied: Json,
    *,
    there: bool = True,
    refused: Json | None = None,
    edited: bool = False,
) -> Facts:
    """A day that had these versions, one after the other, and its copy.

    ``copied``: the version that copy and record say, ``there``: whether the calendar shows the last version.
    ``refused``: the version that the last write could not write. ``edited``: the owner edited the copy.
    """
    keys, last = [key_of(version) for version in versions], versions[-1]
    mine = archive_key(CONFIGURATION, keys[0])
    operations = [operation("done", "r", 0)]
    if refused is not None:
        operations.append(operation("conflict", named(told(refused, keys[-1], ZoneInfo("UTC"))), 1))
    property_id = "String {00000000-0000-0000-0000-000000000000} Name ArchiveKey"
    return Facts(
        configuration_id=CONFIGURATION,
        zone=ZoneInfo("UTC"),
        last=Snapshot(UUID(int=3), *WINDOW, {keys[-1]: last} if there else {}),
        history={key_of(version): [version] for version in versions},
        touched={mine} if edited else set(),
        copies=[copied | {"singleValueExtendedProperties": [{"id": property_id, "value": mine}]}],
        rows=[map_row(keys, last["id"], mine, "present" if there else "source_deleted")],
        operations=operations,
        appointments=[appointment(copied)],
        policies=Policies(),
        settled=[],
        copied={mine},
        mailbox={last["id"]} if there else set(),
    )


def problems(versions: list[Json], copied: Json, *, there: bool = True) -> list[str]:
    """What the oracle says of a day and its copy."""
    return facts(versions, copied, there=there).judge()


def judged_at(**owner: Any) -> str:
    """The time at which the oracle takes a day to be that was archived, and then moved with its series."""
    found = facts([FIRST, MOVED], FIRST, **owner)
    found.history = {key_of(MOVED): [FIRST, MOVED]}
    found.judge()
    (shown,) = found.living.values()
    return str(shown["start"]["dateTime"][11:16])


def test_a_copy_may_keep_the_times_of_a_successor_that_was_split_again() -> None:
    assert problems([FIRST, SECOND, THIRD], SECOND) == []


def test_a_copy_says_no_times_that_its_day_never_had() -> None:
    found = problems([FIRST, SECOND, THIRD], occurrence("second", "10:05", "10:35"))
    assert any("says start '2026-02-28T10:05:00', not '2026-02-28T10:15:00'" in each for each in found)


def test_a_copy_does_not_say_the_times_of_another_meeting() -> None:
    other = occurrence("second", "10:00", "10:30", meeting=5)
    found = problems([FIRST, other, THIRD], SECOND)
    assert any("says start '2026-02-28T10:00:00', not '2026-02-28T10:15:00'" in each for each in found)


def test_a_copy_keeps_the_text_of_an_exception_between_when_its_day_vanishes() -> None:
    edited = SECOND | {"type": "exception", "subject": "Lunch with Carla"}
    assert problems([FIRST, edited, THIRD], edited, there=False) == []
    found = problems([FIRST, edited, THIRD], edited | {"subject": "Dinner"}, there=False)
    assert found == ["the copy 'Dinner' says what its source never said"]


def test_a_day_that_moved_is_where_it_was_archived_unless_an_edit_of_its_copy_refused_the_move() -> None:
    assert judged_at() == "09:00"
    assert judged_at(edited=True) == "09:00"
    assert judged_at(edited=True, refused=FIRST) == "09:00"
    assert judged_at(refused=MOVED) == "09:00"
    assert judged_at(edited=True, refused=MOVED) == "10:00"


@pytest.mark.parametrize(
    "change",
    [
        {"isCancelled": True},
        DECLINED,
        {"importance": "high"},
        {"categories": ["Acme"]},
        {"body": {"contentType": "html", "content": "<p>Body 2 of meeting 4</p>"}},
    ],
)
def test_an_exception_that_was_reset_is_as_it_was_archived(change: Json) -> None:
    # A change of the whole series changes the exception, too. No run reads that version.
    changed, reset = EDITED | change, MOVED | change
    for archived in (EDITED, changed):
        found = facts([EDITED, changed, reset], archived)
        found.history = {key_of(reset): [EDITED, changed, reset]}
        assert found.judge() == []
        (shown,) = found.living.values()
        assert shown == archived


def test_an_exception_that_was_reset_does_not_say_what_its_series_says_now() -> None:
    found = facts([EDITED, MOVED], EDITED)
    found.history = {key_of(MOVED): [EDITED, MOVED]}
    found.copies[0] |= {"importance": "high"}
    (problem,) = found.judge()
    assert problem.endswith("says importance 'high', not 'normal'")


def test_an_entry_that_was_archived_alone_stays_if_its_owner_edited_the_copy() -> None:
    alone = occurrence("entry", "10:00", "10:30", meeting=5) | {
        "type": "singleInstance",
        "subject": "Extended",
    }
    meeting = occurrence("meeting", "09:00", "10:00", meeting=5) | {"type": "singleInstance"}
    for edited in (False, True):
        found = facts([alone], alone, edited=edited)
        found.last = Snapshot(UUID(int=3), *WINDOW, {key_of(each): each for each in (alone, meeting)})
        row = map_row([key_of(meeting)], meeting["id"], "another", "present") | {"id": UUID(int=9)}
        found.rows = [*found.rows, row]
        problems = [each for each in found.judge() if "consumed" in each]
        assert len(problems) == (not edited), problems


def test_a_decision_follows_its_events_to_other_keys() -> None:
    decided = Settled({"s:old": "r1", "s:other": "r2"}, {"s:old"})
    assert decided.under({"s:old": "s:new"}) == Settled({"s:new": "r1", "s:other": "r2"}, {"s:new"})
