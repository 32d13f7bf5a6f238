"""Fixtures for every test."""

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from shared.settings import Settings
from tests.support.settings import make_settings

# What starts processes, injects faults by the dozen or tries hundreds of examples: left out by --fast.
SLOW = (
    *("integration/functions_host", "integration/graph_simulator", "integration/local", "security"),
    *("simulation", "integration/archiving/test_faults.py", "integration/archiving/test_system_killed.py"),
    *("integration/verifying", "integration/people", "integration/storage", "integration/audit"),
    *("integration/calendars/test_archiving.py", "integration/archiving/test_regressions.py"),
    *("integration/archiving/test_replace.py", "integration/archiving/test_overlaps.py"),
    *("integration/archiving/test_workflow.py", "integration/archiving/test_policies.py"),
    *("integration/archiving/test_notifications.py", "integration/archiving/test_modifications.py"),
    *("integration/archiving/test_permitted_calendars.py", "integration/archiving/test_locked_periods.py"),
    *("integration/archiving/test_owner_edits.py", "integration/archiving/test_progress.py"),
    *("integration/archiving/test_same_meeting.py", "integration/archiving/test_series_edits.py"),
    *("integration/archiving/test_unreadable.py", "integration/archiving/test_same_numbers.py"),
    *("integration/privacy/test_words.py", "integration/privacy/test_approvals.py"),
    *("integration/api/test_statements.py", "integration/api/test_docs.py"),
    *("integration/database/test_migrations.py", "integration/database/test_reading.py"),
    *("unit/domain/test_archive_plan_properties.py", "unit/domain/test_plan_stage_properties.py"),
)

# How long an example takes says nothing of whether it is right.
hypothesis_settings.register_profile("suite", deadline=None)
hypothesis_settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones."""
    folder = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(folder / slow) for slow in SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def settings() -> Settings:
    """Settings of a local installation without a database; nothing of the environment gets in."""
    return make_settings()
