"""Fixtures for every test."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from shared.settings import Settings
from tests.support.settings import make_settings

FOLDER = Path(__file__).parent
# --fast does not run these, because it may take 90 s: slow features, new processes, many faults or examples.
SLOW = (
    *("integration/archiving", "integration/audit", "integration/calendars", "integration/categories"),
    *("integration/functions_host", "integration/graph_simulator", "integration/local", "integration/months"),
    *("integration/people", "integration/privacy", "integration/storage", "integration/verifying"),
    *("security", "simulation", "unit/azure"),
    *("integration/api/test_docs.py", "integration/api/test_statements.py"),
    *("integration/api/test_several_instances.py", "integration/api/test_system_health.py"),
    *("integration/database/test_mailbox_approvals_migration.py", "integration/database/test_migrations.py"),
    *("integration/database/test_one_pair_migration.py", "integration/database/test_reading.py"),
    *("integration/database/test_silence.py", "integration/graph/test_retries.py"),
    *("unit/architecture/test_nothing_ambient.py", "unit/http/test_catalogues.py"),
    *("unit/domain/test_archive_plan_properties.py", "unit/domain/test_plan_stage_properties.py"),
    "unit/local/test_random_calendars.py",
)
#: Files of slow folders that --fast runs all the same, to find a broken archive or wrong hours early.
FAST = (
    "integration/archiving/test_changes.py",
    "integration/archiving/test_dispatching.py",
    "integration/categories/test_hours.py",
)
#: The longest tests start first, so that at the end all workers have short ones.
LONGEST = (
    *("security/test_contract.py", "security/test_erasure.py", "security/test_isolation.py", "simulation"),
    *("integration/functions_host", "integration/local", "integration/verifying/test_real_host.py"),
    *("integration/archiving/test_system_killed.py", "unit/domain", "unit/azure"),
)

# How long an example takes says nothing of whether it is right.
hypothesis_settings.register_profile("suite", deadline=None)
hypothesis_settings.load_profile("suite")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the slow ones where they are not wanted."""
    unwanted = config.option.markexpr == "not slow" and collection_path.is_file() and _slow(collection_path)
    return unwanted or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones, and begin with the longest."""
    for item in items:
        if _slow(item.path):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _place(item.path))


@cache
def _slow(path: Path) -> bool:
    return _is_in(path, SLOW) and not _is_in(path, FAST)


@cache
def _place(path: Path) -> int:
    for place, each in enumerate(LONGEST):
        if _is_in(path, (each,)):
            return place
    return len(LONGEST) + (not _slow(path))


def _is_in(path: Path, parts: Iterable[str]) -> bool:
    return any(path.is_relative_to(FOLDER / part) for part in parts)


@pytest.fixture
def settings() -> Settings:
    """Settings of a local installation without a database; nothing of the environment gets in."""
    return make_settings()
