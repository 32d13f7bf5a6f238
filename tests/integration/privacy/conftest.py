"""The app on the simulator, with runs driven in this process instead of by the Durable host."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.triggers.http import started_runs, verifications
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import Person, api, people, simulator

__all__ = ["api", "people", "simulator"]

RANGE: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}
WINDOW = {"window_start": RANGE["window_start"], "window_end": RANGE["window_end"]}

type Drive = Callable[[str], Awaitable[None]]
type Enter = Callable[..., None]


@pytest.fixture(autouse=True)
def no_orchestrations(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(client: object, some_id: UUID) -> None:
        return

    api.durable = object()
    monkeypatch.setattr(started_runs, "start_archive_run", start)
    monkeypatch.setattr(verifications, "start_orchestration", start)


@pytest.fixture
def enter(api: Caller) -> Enter:
    """Enters an event of an hour into somebody's calendar in Outlook."""

    def entered(person: Person, subject: str, day: int, hour: int = 9, **fields: Any) -> None:
        mailbox = api.simulator.state.find_mailbox(str(person.oid))
        assert mailbox is not None
        event = {
            "subject": subject,
            "body": {"contentType": "text", "content": f"about {subject}"},
            "start": {"dateTime": f"2026-03-{day:02}T{hour:02}:00:00", "timeZone": "UTC"},
            "end": {"dateTime": f"2026-03-{day:02}T{hour + 1:02}:00:00", "timeZone": "UTC"},
            **fields,
        }
        loader = Loader(api.simulator.state, api.simulator.settings)
        loader.load_events(mailbox.default_calendar, [event])

    return entered


@pytest.fixture
def drive(api: Caller) -> Drive:
    """Carries a run to its end."""

    async def driven(run_id: str) -> None:
        archiving, run = api.app.archiving.service, UUID(run_id)
        async with archiving.acting_for(run):
            await archiving.begin(run)
            await archiving.reconcile(run, 0)
            await archiving.plan(run)
            while (await archiving.apply(run)).remaining:
                pass
            await archiving.finish(run)

    return driven


async def archive(api: Caller, configuration: str, token: str, drive: Drive) -> str:
    """A run of March, started by whose token it is and carried to its end."""
    started = await api("POST", f"v1/archive-configurations/{configuration}/runs", WINDOW, token=token)
    assert started.status == 202, started.json
    await drive(started.json["id"])
    return str(started.json["id"])
