"""The pages that a newcomer follows: each command is run, and prints what the page says."""

import asyncio
import sys
from pathlib import Path

import pytest

from infra.local import demonstration
from infra.local.seeding import load_mailboxes
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.pages import printed

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_tutorial(stack: Stack, acceptance_point: AcceptancePoint, tmp_path: Path) -> None:
    """Ten minutes with curl: add a person, archive, change, see, decide."""
    await load_mailboxes(stack, [demonstration.newcomer()])
    await follow("tutorial.md", stack, acceptance_point, tmp_path)
    assert "Nora Berg" in (tmp_path / "nora.html").read_text()


async def test_the_page_of_the_simulator(
    stack: Stack, acceptance_point: AcceptancePoint, tmp_path: Path
) -> None:
    """Change an event, inject a fault, get a Graph token."""
    await follow("simulator.md", stack, acceptance_point, tmp_path)


async def follow(page: str, stack: Stack, acceptance_point: AcceptancePoint, folder: Path) -> None:
    told = await asyncio.to_thread(printed, page, stack, folder, sys.executable)
    kept = sum(block.promised == output for block, output in told)
    acceptance_point(measured=f"{kept} blocks as promised", bound=f"{len(told)} blocks")
    assert [(block.promised, output) for block, output in told if block.promised != output] == []
