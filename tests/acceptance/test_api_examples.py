"""The examples in the API's description are what the demonstration tenant answers today."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from infra.local import demonstration
from infra.local.api import Api
from infra.local.api_examples import PATH, collect
from infra.local.runs import Wanted, archive
from infra.local.seeding import Person, load_mailboxes, register
from infra.local.stack import Stack
from tests.acceptance.conftest import AcceptancePoint

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_examples_of_the_description(stack: Stack, acceptance_point: AcceptancePoint) -> None:
    """Taken again, they have the fields and kinds of values that are described."""
    now = datetime.now(UTC)
    boxes = demonstration.tenant(now.date())
    await load_mailboxes(stack, boxes)
    people = [
        Person(box.address, box.display_name, box.time_zone, box.archive_from, archives=box.archives)
        for box in boxes
    ]
    admin = await stack.token()
    api = Api(stack.client, stack.api, admin)
    configurations = await register(stack, api, people, print)
    first = people[0]
    window = datetime.combine(first.archive_from, datetime.min.time(), UTC), now
    await archive(api, [Wanted(configurations[first.address, first.archives[0].name][0], window)], print)

    own = await stack.token(first.address, ("User",))
    taken = await collect(stack.client, stack.base_url, admin, own)

    kept = orjson.loads(PATH.read_bytes())
    both = kept.keys() & taken.keys()
    differ = {name: told for name in sorted(both) if (told := _difference(kept[name], taken[name]))}
    acceptance_point(
        measured=f"{len(differ)} of {len(both)} differ", bound=f"0 of {len(kept)}, 50 or more compared"
    )
    assert differ == {}
    assert len(both) >= 50, kept.keys() - taken.keys()


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
