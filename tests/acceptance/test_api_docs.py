"""The page at /api/docs, used in a browser as a person would."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local import demonstration
from infra.local.api import Api
from infra.local.runs import Wanted, archive
from infra.local.seeding import Person, load_mailboxes, register
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint
from tests.support.browser import Page, browser, installed

pytestmark = pytest.mark.asyncio(loop_scope="module")

_WEEK = ("2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z")


async def test_the_page_of_the_description(
    stack: Stack, acceptance_point: AcceptancePoint, tmp_path: Path
) -> None:
    """In a browser: sign in, PATCH an appointment with the ETag it was given, read a run's report."""
    program = installed()
    if program is None:
        pytest.skip("there is no Chromium")
    box = demonstration.newcomer()
    await load_mailboxes(stack, [box])
    person = Person(box.address, box.display_name, box.time_zone, box.archive_from, nightly=False)
    api = Api(stack.client, stack.api, await stack.token())
    ((configuration,),) = (await register(stack, api, [person], print)).values()
    start, end = (datetime.fromisoformat(each).astimezone(UTC) for each in _WEEK)
    await archive(api, [Wanted(configuration, (start, end))], print)

    async with browser(program, tmp_path / "browser") as chromium:
        page = await chromium.window("about:blank")
        await page.go(f"{stack.base_url}/api/docs")
        await page.click("document.querySelector('button.authorize')")
        await page.click(
            "[...document.querySelectorAll('.modal-ux .auth-container')]"
            ".find(each => each.innerText.includes('PKCE'))?.querySelector('button.authorize')"
        )
        popup = await chromium.window("/authorize?")
        await popup.click(
            "[...document.querySelectorAll('tr')].find(row => row.innerText.includes('nora.berg'))"
            "?.querySelector('a')"
        )
        await page.see("document.querySelector('.modal-ux').innerText.includes('Logout')")
        await page.click("document.querySelector('.modal-ux .btn-done')")

        _, listed = await tried(page, "list_appointments", {"window_start": _WEEK[0], "window_end": _WEEK[1]})
        appointment = re.findall(r'"id": "([0-9a-f-]{36})"', listed)[0]
        _, read = await tried(page, "get_appointment", {"id": appointment})
        etag = re.findall(r'etag: ("\d+")', read)[0]
        body = json.dumps({"subject": "Planning with everybody"})
        changed, answer = await tried(page, "update_appointment", {"id": appointment, "If-Match": etag}, body)
        run = re.findall(r'"id": "([0-9a-f-]{36})"', answer)[0]
        seen, report = await tried(page, "get_archive_run", {"id": run})
        windows = len(await chromium.windows())

    measured = f"PATCH {changed}, run {seen}, {windows} window"
    acceptance_point(measured=measured, bound="PATCH 202, run 200, 1 window")
    assert (changed, seen, windows) == (202, 200, 1)
    assert '"report"' in report
    renamed = await api.request("GET", f"appointments/{appointment}")
    assert renamed.json()["subject"] == "Planning with everybody"


async def tried(
    page: Page, operation: str, parameters: dict[str, str], body: str | None = None
) -> tuple[int, str]:
    """Open an operation, "Try it out", fill in, "Execute"; the status and all that the page shows of it."""
    block = f"document.querySelector('[id$=\"-{operation}\"]')"
    await page.click(f"{block}?.querySelector('.opblock-summary')")
    await page.click(f"{block}.querySelector('.try-out__btn')")
    for name, value in parameters.items():
        rows = f"[...{block}.querySelectorAll('tr[data-param-name]')]"
        field = f"{rows}.find(row => row.dataset.paramName === '{name}')?.querySelector('input')"
        await page.type(field, value)
    if body is not None:
        await page.type(f"{block}.querySelector('textarea')", body)
    await page.click(f"{block}.querySelector('.execute')")
    shown = f"{block}.querySelector('.live-responses-table')?.innerText"
    text = str(await page.see(f"{shown}?.includes('Response headers') ? {shown} : null"))
    found = re.search(r"^\s*(\d{3})\s*$", text, re.MULTILINE)
    assert found is not None, text
    return int(found[1]), text
