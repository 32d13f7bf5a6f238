"""What the people of the local system were told, as each of them reads it through the API."""

from collections import Counter
from collections.abc import Iterable

from infra.local.api import Api
from infra.local.stack import Stack


async def told_by_class(stack: Stack, addresses: Iterable[str]) -> dict[str, int]:
    """How many notifications of each class they have, all of them together."""
    found: Counter[str] = Counter()
    for address in addresses:
        api = Api(stack.client, stack.api, await stack.token(address, ("User",)))
        found.update([item["class"] async for item in api.items("notifications")])
    return dict(sorted(found.items()))
