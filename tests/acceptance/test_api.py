"""The HTTP API under arbitrary requests, measured on the whole system."""

from pathlib import Path

from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.security.contract import SETTINGS, check_contract


async def test_api_keeps_its_contract(tmp_path: Path, acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Arbitrary requests find no 5xx, no undocumented answer and no violated schema, all checks on."""
    wanted = 500 if quick else 5000
    async with Stack(tmp_path / "system", env=SETTINGS) as stack:
        outcome = await check_contract(stack, tmp_path, examples=5 if quick else 40, seed=4)
    kept = "all kept" if outcome.passed else "broken"
    measured = f"{outcome.requests} requests over {outcome.links} links, {kept}"
    acceptance_point(measured=measured, bound=f"{wanted} requests, all kept")
    assert outcome.passed, outcome.report
    assert outcome.requests >= wanted
