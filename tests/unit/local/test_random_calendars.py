"""Random calendars against an oracle, and damaged ones: nothing differs, nothing is silent, nothing fails."""

from pathlib import Path
from random import Random

import pytest

from infra.local.graph_simulator.values.errors import LoadError
from tests.support.calendar_comparison import difference
from tests.support.calendar_import import load_calendar
from tests.support.mutated_calendars import mutated
from tests.support.random_calendars import random_calendar

CASES = sorted((Path(__file__).parent / "calendars").glob("*.ics"))


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_random_calendars_have_the_occurrences_that_the_oracle_says(first: int) -> None:
    assert [found for seed in range(first, first + 10) if (found := difference(seed))] == []


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_damaged_files_are_refused_or_every_event_in_them_is_accounted_for(first: int) -> None:
    sources = [*(path.read_bytes() for path in CASES), *(random_calendar(seed).raw for seed in range(5))]
    for seed in range(first, first + 20):
        raw = mutated(sources[seed % len(sources)], seed)
        try:
            entries = load_calendar(raw).report["entries"]
        except LoadError:
            continue
        assert entries["total"] == sum(entries.values()) - entries["total"], seed


def test_random_bytes_are_refused_in_one_line() -> None:
    for seed in range(40):
        raw = Random(seed).randbytes(2000)
        for head in (b"", b"PK\x03\x04", b"\xff\xfe"):
            with pytest.raises(LoadError) as refused:
                load_calendar(head + raw)
            assert "\n" not in str(refused.value)
