"""What the oracle takes for right beside a locked period (domain.md 2.8)."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.simulation.comparing import archive_key
from tests.simulation.locked_periods import Frozen
from tests.simulation.oracle import Facts, Snapshot
from tests.simulation.rules import Policies
from tests.simulation.shown_events import shown
from tests.simulation.source_keys import Json, key_of

CONFIGURATION = UUID(int=1)
WINDOW = (datetime(2026, 2, 21, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
LOCKED = Frozen(date(2026, 3, 2), date(2026, 3, 3), ZoneInfo("UTC"), {})


MEETING = shown("03-01T23:00", "03-02T00:00", id="Night shift", subject="Night shift")
EXTENSION = shown("03-02T00:05", "03-02T00:35", id="Extended", subject="Extended")


def map_row(item: Json, state: str, into: str | None = None) -> Json:
    """The row of an event that has no copy."""
    return {
        "id": UUID(int=len(item["subject"])),
        "source_key": key_of(item),
        "former_keys": [],
        "source_id": item["id"],
        "archive_key": archive_key(CONFIGURATION, key_of(item)),
        "copy_id": None,
        "state": state,
        "kept_categories": None,
        "left_out": None,
        "merged_into": into,
        "revision": "r",
    }


def problems(
    items: list[Json],
    rows: list[Json],
    frozen: Frozen | None,
    *copies: Json,
    overlaps: str = "keep_all",
    waiting: Collection[str] = (),
) -> list[str]:
    """What the oracle says of these events, their rows and copies.

    ``overlaps``: the policy. ``waiting``: keys of events that wait for an answer.
    """
    property_id = "String {00000000-0000-0000-0000-000000000000} Name ArchiveKey"
    mine = archive_key(CONFIGURATION, key_of(MEETING))
    archived = {"changeKey": "1", "singleValueExtendedProperties": [{"id": property_id, "value": mine}]}
    return Facts(
        configuration_id=CONFIGURATION,
        zone=ZoneInfo("UTC"),
        last=Snapshot(UUID(int=3), *WINDOW, {key_of(item): item for item in items}),
        history={key_of(item): [item] for item in items},
        touched=set(),
        copies=[copy | archived for copy in copies],
        rows=rows,
        operations=[],
        appointments=[],
        policies=Policies(overlaps=overlaps),
        settled=[],
        copied=set(),
        mailbox={item["id"] for item in items},
        frozen=frozen,
        waiting=set(waiting),
    ).judge()


EXTENDED = [map_row(MEETING, "creating"), map_row(EXTENSION, "consumed", key_of(MEETING))]
NOT_THERE = "'Night shift' at 2026-03-01T23:00 (s:Night shift) is creating, not present"


def test_a_meeting_that_its_extension_takes_into_a_locked_day_may_have_no_copy() -> None:
    assert problems([MEETING, EXTENSION], EXTENDED, LOCKED) == []


@pytest.mark.parametrize("frozen", [None, LOCKED])
def test_a_meeting_that_ends_where_a_locked_day_begins_has_a_copy(frozen: Frozen | None) -> None:
    assert problems([MEETING], EXTENDED[:1], frozen) == [NOT_THERE]


def test_an_extended_meeting_has_a_copy_if_nothing_is_locked() -> None:
    assert problems([MEETING, EXTENSION], EXTENDED, None) == [NOT_THERE]


def test_the_copy_of_an_extended_meeting_is_not_made_in_a_locked_day() -> None:
    copy = MEETING | {"end": EXTENSION["end"]}
    found = problems([MEETING, EXTENSION], EXTENDED, LOCKED, copy)
    assert "the copy 'Night shift' was made in a locked period" in found
