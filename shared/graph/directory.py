"""People and groups of the directory, many in few round trips (graph.md, $batch).

Needs the application permissions ``User.Read.All``, and ``GroupMember.Read.All`` for groups.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from shared.domain.calendars.calendar_port import MOST_WRITES
from shared.domain.identity.directory import DirectoryUser, MailboxState
from shared.errors import NotFound
from shared.graph.batch import IMMUTABLE_IDS, SubResponse
from shared.graph.batch_reads import BatchReads
from shared.graph.client import GraphClient
from shared.graph.errors import GraphCallError, as_product_error
from shared.graph.items import USERS, Page, UserItem
from shared.graph.retry import Reads, RetryPolicy
from shared.graph.throttle import Throttle

_USER_FIELDS: Final = "id,userPrincipalName,mail,displayName,userType"
_PAGE_SIZE: Final = 999
#: Casting members to users is an advanced query (https://learn.microsoft.com/graph/aad-advanced-queries).
_HEADERS: Final = {"Accept": "application/json", "ConsistencyLevel": "eventual"}
#: The directory has its own request slots, because its limits belong to the tenant and not to a mailbox.
_LINE: Final = "directory"
_LINES: Final = 4
#: Accepted answers of one lookup among many. Any other answer fails the whole.
_KNOWN_OR_NOT: Final = frozenset({200, 400, 404})
_OPEN_OR_NOT: Final = frozenset({200, 403, 404})
_GUEST: Final = re.compile(r"#EXT#@", re.IGNORECASE)


class GraphDirectory:
    """Reads of the directory, retried within limits.

    Raises StoreUnavailable (retry after ``retry_after`` seconds) and StoreRefused.
    """

    def __init__(
        self, client: GraphClient, throttle: Throttle | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self._client = client
        self._throttle = throttle or Throttle()
        self._policy = policy
        self._reads = Reads(self._throttle, policy)
        self._batches = BatchReads(client, self._reads)

    def in_tenant(self, tenant_id: UUID) -> "GraphDirectory":
        """The directory of a tenant."""
        return GraphDirectory(self._client.in_tenant(tenant_id), self._throttle, self._policy)

    async def find_users(self, names: Sequence[str]) -> dict[str, DirectoryUser | None]:
        """Users by address, principal name or object id, 20 per round trip. None for a missing one."""
        paths = [f"/users/{quote(name, safe='')}?$select={_USER_FIELDS}" for name in names]
        responses = await self._all(paths, _KNOWN_OR_NOT, "looking up users")
        return {
            name: _user(msgspec.convert(response.body, UserItem)) if response.status == 200 else None
            for name, response in zip(names, responses, strict=True)
        }

    async def mailbox_states(self, object_ids: Sequence[UUID]) -> dict[UUID, MailboxState]:
        """Whether each person has a mailbox, a licence, and access by the app."""
        paths = [f"/users/{object_id}/calendar?$select=id" for object_id in object_ids]
        responses = await self._all(paths, _OPEN_OR_NOT, "looking up mailboxes")
        states = {200: MailboxState.OPEN, 403: MailboxState.NO_ACCESS}
        return {
            object_id: states.get(response.status, MailboxState.NONE)
            for object_id, response in zip(object_ids, responses, strict=True)
        }

    async def group_users(self, group_id: UUID, most: int) -> list[DirectoryUser]:
        """The people in a group and its nested groups, at most ``most`` plus one.

        Raises NotFound (``group_not_found``).
        """
        # Written by hand, because the deployed SDK contains only the calendar's builders.
        url = (
            f"{self._client.base_url}/groups/{group_id}/transitiveMembers/microsoft.graph.user"
            f"?$count=true&$select={_USER_FIELDS}&$top={_PAGE_SIZE}"
        )
        found: dict[UUID, DirectoryUser] = {}
        seen: set[str] = set()
        while url and len(found) <= most:
            if url in seen:
                raise as_product_error(GraphCallError(400, "next_link_repeats"), "reading a group")
            seen.add(url)
            page = await self._page(url)
            found |= {user.id: user for user in map(_user, page.items)}
            url = self._client.checked_link(page.next_link) if page.next_link else ""
        return list(found.values())[: most + 1]

    async def _page(self, url: str) -> Page[UserItem]:
        async def read() -> Page[UserItem]:
            return USERS.page(await self._client.send("GET", url, _HEADERS, reads=1))

        try:
            return await self._reads.run(_LINE, read)
        except GraphCallError as failure:
            if failure.status == 404:
                raise NotFound("there is no such group in the directory", code="group_not_found") from failure
            raise as_product_error(failure, "reading a group") from failure

    async def _all(self, paths: Sequence[str], settled: frozenset[int], what: str) -> list[SubResponse]:
        """The responses in the order of the paths. A few batches run in parallel."""
        batches = -(-len(paths) // MOST_WRITES)
        share = MOST_WRITES * max(1, -(-batches // _LINES))
        shares = [paths[first : first + share] for first in range(0, len(paths), share)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._batches.get_all(f"{_LINE}-{line}", part, IMMUTABLE_IDS, settled=settled)
                    )
                    for line, part in enumerate(shares)
                ]
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            if isinstance(first, GraphCallError):
                raise as_product_error(first, what) from first
            raise
        return [response for task in tasks for response in task.result()]


def _user(item: UserItem) -> DirectoryUser:
    principal = item.user_principal_name or ""
    return DirectoryUser(
        id=UUID(item.id),
        address=item.mail or principal,
        display_name=item.display_name or principal,
        guest=item.user_type == "Guest" or bool(_GUEST.search(principal)),
    )
