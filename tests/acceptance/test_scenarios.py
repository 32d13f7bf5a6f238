"""What people do, on a running system, by HTTP alone (``./dev uat``)."""

from datetime import UTC, datetime

import pytest

from infra.local import demonstration
from infra.local.commands import uat
from infra.local.deployment import trial_mailbox
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_twenty_scenarios_of_people(
    stack: Stack,
    acceptance_point: AcceptancePoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each of the twenty scenarios passes on the local system."""
    await trial_mailbox.seed(stack)
    address = demonstration.tenant(datetime.now(UTC), "large")[0].address
    monkeypatch.setenv(uat.PERSON, await stack.token(address, ["User"]))
    monkeypatch.setenv(uat.ADMIN, await stack.token())
    status = await uat.run(["--url", stack.base_url])
    lines = capsys.readouterr().out.splitlines()
    passed = sum(" ok " in line for line in lines)
    acceptance_point(measured=f"{passed} passed", bound="20 passed")
    assert (status, passed) == (0, 20), "\n".join(lines)
