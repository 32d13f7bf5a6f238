"""Starting an orchestration twice at the real Durable engine, through the real client."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.triggers import orchestrations
from tests.integration.functions_host.durable_apps.harness import EngineUnderTest, running_engine

# The SDK says so of itself, once in a process, whatever the app does.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions:DeprecationWarning")


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineUnderTest]:
    monkeypatch.setenv("PATTERNS_FOLDER", str(tmp_path))
    async with running_engine(tmp_path) as running:
        yield running


async def test_starting_again_is_success_and_leaves_the_running_instance_alone(hub: EngineUnderTest) -> None:
    assert await orchestrations.start(hub.client, "approval", "once", {"attempt": 1}) is True
    await hub.until_custom_status("once", {"waits for": "approval"})
    assert await orchestrations.start(hub.client, "approval", "once", {"attempt": 2}) is False
    await hub.client.raise_orchestration_event("once", "approval", data="yes")
    ended = await hub.end_of("once")
    assert (ended.get_input(), ended.get_output()) == ({"attempt": 1}, {"approved": "yes"})
    assert await orchestrations.lives(hub.client, "once") is False


async def test_an_instance_that_is_over_is_replaced(hub: EngineUnderTest) -> None:
    for attempt in (1, 2):
        assert await orchestrations.start(hub.client, "family", "again", {"attempt": attempt}) is True
        assert (await hub.end_of("again")).get_input() == {"attempt": attempt}
