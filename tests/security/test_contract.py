"""The API keeps its description under arbitrary requests: no 5xx, no undocumented answer (Schemathesis)."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import environment
from infra.local.api import Api
from infra.local.stack import ROOT, Stack

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ADDRESS = "grace@example.com"
STRANGERS = [f"person{number}@example.com" for number in range(60)]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """The whole system; every request comes from one caller, so nothing is rationed."""
    async with Stack(tmp_path, env={"ADMIN_ASSISTANT_RATE_LIMIT_PER_SECOND": "0"}) as stack:
        yield stack


async def seed(stack: Stack, api: Api) -> dict[str, Any]:
    """A person with a configuration and a run, and mailboxes of people who may be added."""
    calendars = [{"name": "Calendar", "is_default": True}, {"name": "Archive"}]
    mailboxes = [{"address": address, "calendars": calendars} for address in (ADDRESS, *STRANGERS)]
    await stack.simulator("POST", "mailboxes", mailboxes)
    user = (await api.request("POST", "users", {"address": ADDRESS})).json()
    wanted = {
        "user_id": user["id"],
        "name": "Nightly",
        "source": f"msgraph://{ADDRESS}/calendar",
        "archive": f"msgraph://{ADDRESS}/calendars/Archive",
        "time_zone": "Europe/Berlin",
    }
    configuration = (await api.request("POST", "archive-configurations", wanted)).json()
    run = (await api.request("POST", f"archive-configurations/{configuration['id']}/runs")).json()
    return {
        "address": ADDRESS,
        "strangers": STRANGERS,
        "user": user["id"],
        "configuration": configuration["id"],
        "run": run["id"],
    }


async def test_the_contract_holds_under_arbitrary_requests(stack: Stack, tmp_path: Path) -> None:
    """All checks, links included; ``CONTRACT_EXAMPLES`` asks for more requests of each operation."""
    token = await stack.token()
    seeded = await seed(stack, Api(stack.client, stack.api, token))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{stack.base_url}/api/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--seed", "20261123", "--request-timeout", "30"),
        *("--max-examples", os.environ.get("CONTRACT_EXAMPLES", "5")),
    ]
    env = environment.cleaned() | {
        "CONTRACT_SEED": json.dumps(seeded),
        "SCHEMATHESIS_HOOKS": "tests.security.contract_hooks",
        "PYTHONPATH": str(ROOT),
        # Its own database of examples would make one run depend on the one before.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis"),
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    told = output[output.find("FAILURES") :] if "FAILURES" in output else output
    if os.environ.get("CONTRACT_VERBOSE"):
        sys.stdout.write(output)
    assert process.returncode == 0, told
    generated = re.search(r"(\d+) generated", output)
    assert generated is not None, told
    assert int(generated[1]) >= 500
    links = re.search(r"API Links:\s+(\d+) covered", output)
    assert links is not None, told
    assert int(links[1]) >= 10
