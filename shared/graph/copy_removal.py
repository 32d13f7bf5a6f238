"""Deletes our copies from a mailbox, for an erasure (domain.md 15.3)."""

from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

from shared.graph.batch_reads import BatchReads
from shared.graph.client import GraphClient
from shared.graph.errors import MAILBOX_GONE_CODES, GraphCallError, as_product_error
from shared.graph.retry import Reads, RetryPolicy
from shared.graph.throttle import Throttle


class GraphCopyRemoval:
    """Deletes in batches of 20. A copy has no attendees, so nobody gets a cancellation."""

    def __init__(
        self, client: GraphClient, throttle: Throttle | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self._client = client
        self._reads = Reads(throttle or Throttle(), policy)

    async def remove(self, tenant_id: UUID, mailbox_id: UUID, copy_ids: Sequence[str]) -> int:
        """Delete the copies in a mailbox of the tenant. Returns how many existed.

        They go to Deleted Items. A mailbox that is gone has no copies. Raises StoreUnavailable and
        StoreRefused.
        """
        mailbox, client = str(mailbox_id), self._client.in_tenant(tenant_id)
        paths = [f"/users/{mailbox}/events/{quote(copy_id, safe='')}" for copy_id in copy_ids]
        try:
            return await BatchReads(client, self._reads).delete_all(mailbox, paths)
        except GraphCallError as failure:
            if failure.status == 404 and failure.code in MAILBOX_GONE_CODES:
                return 0
            raise as_product_error(failure, "deleting copies") from failure
