"""Runs Schemathesis against a whole system: every check, links between operations included."""

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from infra.local import environment, identities
from infra.local.api import Api
from infra.local.stack import ROOT, Stack

ADDRESS = "grace@example.com"
STRANGERS = [f"person{number}@example.com" for number in range(60)]
#: Every request comes from one caller, so nothing is rationed.
SETTINGS = {"ADMIN_ASSISTANT_RATE_LIMIT_PER_SECOND": "0"}
#: Who calls in each role.
_CALLERS = {"Admin": identities.ADMIN_ADDRESS, "User": ADDRESS, "Auditor": "auditor@example.com"}
_CONFIG = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; ``report`` tells each failure with the request that shows it."""

    passed: bool
    requests: int
    links: int
    report: str


async def check_contract(
    stack: Stack, folder: Path, *, examples: int, seed: int, role: str = "Admin"
) -> Outcome:
    """Send arbitrary requests as somebody of a role, about ``examples`` of each operation.

    Those at every limit come on top. A User is the person who owns what is there.
    """
    there = await _populate(stack, Api(stack.client, stack.api, await stack.token()))
    token = await stack.token(_CALLERS[role], (role,))
    config = folder / "schemathesis.toml"
    checks = _CONFIG.read_text()
    if role != "Admin":
        # Who may not do it at all learns that first.
        checks = checks.replace("404, 409, 412", "403, 404, 409, 412").replace(
            "[401, 428]", "[401, 403, 428]"
        )
    config.write_text(checks)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{stack.base_url}/api/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--request-timeout", "30"),
        *("--max-examples", str(examples), "--seed", str(seed)),
    ]
    env = environment.cleaned() | {
        "CONTRACT_SEED": json.dumps(there),
        "SCHEMATHESIS_HOOKS": "tests.security.contract_hooks",
        "PYTHONPATH": str(ROOT),
        # A database of examples would make one run depend on the one before.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    start = max(0, output.find("= FAILURES ="), output.find("= ERRORS ="))
    return Outcome(
        process.returncode == 0,
        _number(r"(\d+) generated", output),
        _number(r"API Links:\s+(\d+) covered", output),
        output[start:],
    )


async def _populate(stack: Stack, api: Api) -> dict[str, Any]:
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
    path = f"archive-configurations/{configuration['id']}"
    async with asyncio.timeout(30):
        while not (await api.request("GET", f"archive-runs/{run['id']}")).json()["finished_at"]:
            await asyncio.sleep(0.2)
    verification = (await api.request("POST", f"{path}/verifications")).json()
    diary = {"store": "local", "name": "Diary"}
    local = (await api.request("POST", f"users/{user['id']}/calendars", diary)).json()["local_calendar_id"]
    event = {"subject": "Review", "start": "2026-01-05T09:00:00Z", "end": "2026-01-05T10:00:00Z"}
    kept = (await api.request("POST", f"local-calendars/{local}/events", event)).json()
    tenant = (await api.request("POST", "tenants", {"id": str(uuid4()), "name": "Contoso"})).json()
    invitation = (await api.request("POST", "invitations", {"address": "invited@example.com"})).json()
    return {
        "tenant": tenant["id"],
        "invitation": invitation["id"],
        "address": ADDRESS,
        "strangers": STRANGERS,
        "user": user["id"],
        "configuration": configuration["id"],
        "run": run["id"],
        "verification": verification["id"],
        "local_calendar": local,
        "local_event": kept["id"],
    }


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
