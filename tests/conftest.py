"""Fixtures for every test."""

import pytest

from shared.settings import Settings
from tests.support.settings import make_settings


@pytest.fixture
def settings() -> Settings:
    """Settings of a local installation without a database; nothing of the environment gets in."""
    return make_settings()
