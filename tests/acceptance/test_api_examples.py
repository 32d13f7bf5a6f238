"""The examples in the API's description: a running system accepts the requests and answers as they say."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from infra.local import another_mailbox, demonstration
from infra.local.api import Api
from infra.local.api_examples import PATH, collect
from infra.local.seeding import Person, load_mailboxes, register
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_examples_of_the_description(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Taken again, every request is accepted, and answers have the fields and kinds of values described."""
    boxes = demonstration.tenant(datetime.now(UTC))
    await load_mailboxes(stack, [*boxes, demonstration.newcomer()])
    people = [
        Person(box.address, box.display_name, box.time_zone, box.archive_from, nightly=False) for box in boxes
    ]
    api = Api(stack.client, stack.api, await stack.token())
    await register(stack, api, people, print)
    await another_mailbox.ask(stack, api)

    taken = await collect(stack.client, stack.base_url, stack.token, stack.simulator)

    kept = orjson.loads(PATH.read_bytes())
    missing = {kind: sorted(kept[kind].keys() ^ taken[kind].keys()) for kind in kept}
    differ = {
        f"{kind}: {name}": told
        for kind in kept
        for name in sorted(kept[kind].keys() & taken[kind].keys())
        if (told := _difference(kept[kind][name], taken[kind][name]))
    }
    compared = sum(len(kept[kind].keys() & taken[kind].keys()) for kind in kept)
    acceptance_point(
        measured=f"{len(differ)} of {compared} differ", bound=f"0 of {sum(map(len, kept.values()))} differ"
    )
    assert differ == {}
    assert missing == {kind: [] for kind in kept}


def _difference(kept: Any, taken: Any, where: str = "") -> str | None:
    """Where two answers are of another shape; null and empty lists are of any."""
    if kept is None or taken is None:
        return None
    if isinstance(kept, dict) and isinstance(taken, dict):
        if where == "" and kept.keys() != taken.keys():
            return f"{kept.keys() ^ taken.keys()}"
        found = (
            _difference(kept[name], taken[name], f"{where}.{name}") for name in kept.keys() & taken.keys()
        )
        return next((told for told in found if told), None)
    if isinstance(kept, list) and isinstance(taken, list):
        return _difference(kept[0], taken[0], f"{where}[]") if kept and taken else None
    numbers = isinstance(kept, int | float) and isinstance(taken, int | float)
    return None if numbers or type(kept) is type(taken) else f"{where}: {kept!r} and {taken!r}"
