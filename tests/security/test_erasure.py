"""After an erasure neither the database, nor the storage, nor the host's state and logs mention the person.

The promise is about a logical dump (``pg_dump``). Deleted rows stay in PostgreSQL's own files until vacuum
and the recycling of its write-ahead log, and in backups of the server until they expire. The simulator's file
is Microsoft's side of the wire: the mailbox itself is not ours to erase.
"""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local.api import Api
from infra.local.stack import Stack
from tests.support.postgres import administrator

pytestmark = pytest.mark.slow

ADDRESS = "augusta.king@example.com"
NAME = "Augusta Ada King"
SUBJECTS = ("Analytical engine review", "Note G, Bernoulli numbers")
SECRETS = (ADDRESS, "augusta", NAME, *SUBJECTS, "Lovelace v. Babbage")
WINDOW = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}


async def test_nothing_of_an_erased_person_is_left_in_the_whole_system(tmp_path: Path) -> None:
    async with Stack(tmp_path / "system") as stack:
        admin = Api(stack.client, stack.api, await stack.token())
        second = Api(stack.client, stack.api, await stack.token("second.admin@example.com"))
        user = await add(stack, admin)
        run = await work(stack, admin, user)
        before = await dump(stack) + state(stack)
        assert not [secret for secret in SECRETS if secret.casefold() not in before.casefold()]
        assert run in before

        erasure = (await admin.request("POST", f"users/{user['id']}/erasures")).json()
        refused = await admin.request("POST", f"user-erasures/{erasure['id']}/confirm", accept=(409,))
        assert refused.json()["code"] == "second_admin_needed"
        await second.request("POST", f"user-erasures/{erasure['id']}/confirm")
        report = await ended(admin, f"user-erasures/{erasure['id']}")

        assert report["status"] == "completed", report
        assert report["report"]["rows"]["appointments"] == len(SUBJECTS)
        assert report["report"]["histories"] >= 1
        after = await dump(stack)
        assert not [secret for secret in SECRETS if secret.casefold() in after.casefold()]
        files = state(stack)
        assert not [secret for secret in SECRETS if secret.casefold() in files.casefold()]
        assert run not in durable_state(stack)
        assert not kept_files(stack)
        await stack.client.post(f"{stack.base_url}/admin/functions/dispatch", json={})
        verified = (await admin.request("GET", "audit/verification")).json()
        assert verified["intact"], verified
        gone = await admin.request("GET", f"users/{user['id']}", accept=(404,))
        assert gone.status_code == 404
        await stack.stop_host()
    stopped = state(stack)
    assert not [secret for secret in SECRETS if secret.casefold() in stopped.casefold()]


async def add(stack: Stack, admin: Api) -> Any:
    """She is added by many at once, of whom one wins."""
    events = [
        {
            "subject": subject,
            "body": {"contentType": "text", "content": f"about {subject}"},
            "start": {"dateTime": f"2026-03-0{day}T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": f"2026-03-0{day}T10:00:00", "timeZone": "UTC"},
        }
        for day, subject in enumerate(SUBJECTS, 2)
    ]
    calendars = [{"name": "Calendar", "is_default": True, "events": events}, {"name": "Archive"}]
    await stack.simulator(
        "POST", "mailboxes", [{"address": ADDRESS, "display_name": NAME, "calendars": calendars}]
    )
    answers = await asyncio.gather(
        *(admin.request("POST", "users", {"address": ADDRESS}, accept=(409,)) for _ in range(5))
    )
    return next(answer.json() for answer in answers if answer.status_code == 201)


async def work(stack: Stack, admin: Api, user: Any) -> str:
    """An archive run, an export, a change of her name, a hold; answers the run's id."""
    configuration = await admin.request(
        "POST",
        "archive-configurations",
        {
            "user_id": user["id"],
            "name": f"Archive of {NAME}",
            "source": f"msgraph://{ADDRESS}/calendar",
            "archive": f"msgraph://{ADDRESS}/calendars/Archive",
            "time_zone": "UTC",
        },
    )
    started = await admin.request(
        "POST",
        f"archive-configurations/{configuration.json()['id']}/runs",
        WINDOW,
    )
    run = await ended(admin, f"archive-runs/{started.json()['id']}")
    assert run["status"] == "completed", run
    asked = await admin.request("POST", f"users/{user['id']}/exports")
    export = await ended(admin, f"user-exports/{asked.json()['id']}")
    assert export["status"] == "ready", export
    content = await admin.request("GET", f"user-exports/{export['id']}/content")
    with zipfile.ZipFile(io.BytesIO(content.content)) as file:
        assert SUBJECTS[0] in file.read("appointments.jsonl").decode()
    hold = f"users/{user['id']}/legal-hold"
    await admin.request("PUT", hold, {"reason": "Lovelace v. Babbage"})
    blocked = await admin.request("POST", f"users/{user['id']}/erasures", accept=(409,))
    assert "Lovelace v. Babbage" in blocked.json()["detail"]
    before = await dump(stack)
    assert "Lovelace v. Babbage" in before
    # The dump of the beginning is looked at after this, so the hold is kept in the name as well.
    await admin.request("DELETE", hold)
    await stack.client.patch(
        f"{stack.api}/users/{user['id']}",
        json={"display_name": f"{NAME}, of Lovelace v. Babbage"},
        headers=admin._headers | {"If-Match": "*", "Idempotency-Key": str(uuid4())},
    )
    return str(run["id"])


async def ended(api: Api, path: str) -> Any:
    """The resource when it is over. The test's own time limit ends an endless wait."""
    while True:
        found = (await api.request("GET", path)).json()
        if found["finished_at"] or found["status"] == "failed":
            return found
        await asyncio.sleep(0.1)


async def dump(stack: Stack) -> str:
    """Every row of every table as text, as ``pg_dump`` writes them."""
    parts = []
    async with administrator(stack.owner_database_url) as connection:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            for (row,) in await connection.fetch(f'SELECT t::text FROM "{table}" AS t'):  # noqa: S608
                parts.append(f"{table}: {row}")
        answers = "SELECT encode(body, 'escape') FROM idempotency_keys WHERE body IS NOT NULL"
        parts += [f"idempotency_keys.body: {body}" for (body,) in await connection.fetch(answers)]
    return "\n".join(parts)


def state(stack: Stack) -> str:
    """Every file of the system but PostgreSQL's own and the simulator's: storage, Durable, keys, logs."""
    found = []
    for path in stack.state_dir.rglob("*"):
        inside = path.relative_to(stack.state_dir)
        if path.is_file() and inside.parts[0] != "postgres" and not path.name.startswith("graph.json"):
            found.append(f"{inside} {path.read_bytes().decode('latin-1')}")
    return "\n".join(found)


def kept_files(stack: Stack) -> list[Path]:
    """The files of the storage, without the seal of the tenant's audit.

    The dispatcher writes the seal at any time. It names the tenant, and no person.
    """
    storage = stack.state_dir / "storage"
    return [
        path for path in storage.rglob("*") if path.is_file() and path.parent != storage / "audit-anchors"
    ]


def durable_state(stack: Stack) -> str:
    """What is left in the host's files beside the logs."""
    return "\n".join(line for line in state(stack).splitlines() if not line.startswith(("logs/", "[", "{")))
