"""The key of an event is fixed at first sight (domain.md 2.3)."""

import re
import uuid
from copy import replace
from datetime import date, timedelta
from typing import Any

import pytest

from shared.domain.events.source_event import (
    EventType,
    archive_key,
    former_source_key,
    second_source_key,
    source_key,
)
from tests.unit.domain.source_events import NOON, make_event, make_occurrence


def test_a_single_event_keeps_its_key_when_it_moves() -> None:
    assert source_key(make_event("a")) == "s:a" == source_key(make_event("a", NOON + timedelta(days=9)))


def test_an_exception_keeps_the_key_of_its_slot_in_the_series() -> None:
    occurrence = make_occurrence("M", NOON)
    exception = replace(occurrence, id="x", type=EventType.EXCEPTION, start=NOON + timedelta(hours=3))
    assert source_key(exception) == source_key(occurrence) == "o:M:2026-02-03"


def test_the_date_is_that_of_the_zone_in_which_the_series_was_entered() -> None:
    late = make_occurrence("M", NOON.replace(hour=23, minute=30))
    assert source_key(late) == "o:M:2026-02-04"
    assert source_key(replace(late, start_zone="UTC")) == "o:M:2026-02-03"
    assert source_key(replace(late, start_zone="tzone://Microsoft/Custom")) == "o:M:2026-02-03"
    assert source_key(replace(late, original_date=date(2026, 2, 9))) == "o:M:2026-02-09"


def test_an_all_day_occurrence_has_its_date_whatever_midnight_its_slot_is_told_as() -> None:
    day = make_occurrence("M", NOON.replace(hour=23), is_all_day=True, start=NOON.replace(day=4, hour=0))
    assert source_key(day) == "o:M:2026-02-04"
    exception = replace(day, type=EventType.EXCEPTION, start=NOON.replace(day=9, hour=0))
    assert source_key(exception) == "o:M:2026-02-04"
    assert source_key(replace(exception, start_zone="UTC")) == "o:M:2026-02-04"


def test_the_key_of_former_versions_and_that_of_a_second_event_name_the_slot() -> None:
    occurrence = make_occurrence("M", NOON)
    assert former_source_key(occurrence) == "o:M:2026-02-03T12:00:00Z"
    assert second_source_key(occurrence, "o:M:2026-02-03") == "o:M:2026-02-03:2026-02-03T12:00:00Z"
    assert former_source_key(make_event("a")) is None


@pytest.mark.parametrize("changes", [{"series_master_id": None}, {"original_start": None}])
def test_an_occurrence_without_its_series_has_no_key(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no key"):
        source_key(replace(make_occurrence("M", NOON), **changes))


def test_a_series_master_has_no_key() -> None:
    with pytest.raises(ValueError, match="no key"):
        source_key(replace(make_occurrence("M", NOON), type=EventType.SERIES_MASTER))


def test_an_archive_key_belongs_to_one_key_of_one_configuration() -> None:
    one = uuid.UUID(int=1)
    assert re.fullmatch("[0-9a-f]{64}", archive_key(one, "s:a"))
    assert len({archive_key(one, "s:a"), archive_key(one, "s:A"), archive_key(uuid.UUID(int=2), "s:a")}) == 3
