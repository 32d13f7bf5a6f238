"""The key of an event is fixed at first sight (domain.md 2.3)."""

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.source_event import EventType, archive_key, source_key
from tests.unit.domain.source_events import NOON, make_event, make_occurrence


def test_a_single_event_keeps_its_key_when_it_moves() -> None:
    assert source_key(make_event("a")) == "s:a" == source_key(make_event("a", NOON + timedelta(days=9)))


def test_an_exception_keeps_the_key_of_its_slot_in_the_series() -> None:
    occurrence = make_occurrence("M", NOON)
    exception = replace(occurrence, id="x", type=EventType.EXCEPTION, start=NOON + timedelta(hours=3))
    assert source_key(exception) == source_key(occurrence) == "o:M:2026-02-03T12:00:00Z"


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
