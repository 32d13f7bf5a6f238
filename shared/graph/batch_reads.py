"""Many small requests in few round trips: ``$batch`` of GETs, or of DELETEs, which are also repeatable.

Only failed requests are repeated.
"""

from collections.abc import Callable, Sequence
from functools import partial

from shared.domain.calendars.calendar_port import MOST_WRITES
from shared.graph.batch import SubResponse, decode_responses, encode_deletes, encode_reads
from shared.graph.client import GraphClient
from shared.graph.errors import GraphCallError
from shared.graph.retry import Reads
from shared.graph.throttle import MAILBOX_SLOTS

_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
_SETTLED = frozenset({200, 404})
_GONE = frozenset({204, 404})


class BatchReads:
    """GETs and DELETEs of one mailbox, 20 per batch, one batch after another."""

    def __init__(self, client: GraphClient, reads: Reads) -> None:
        self._client = client
        self._reads = reads

    async def get_all(
        self,
        mailbox: str,
        paths: Sequence[str],
        prefer: str,
        *,
        settled: frozenset[int] = _SETTLED,
        lasting: frozenset[int] = frozenset(),
    ) -> list[SubResponse]:
        """The responses in the order of the paths, each with a ``settled`` status.

        A ``lasting`` status is also returned, if the others were answered and a retry did not help. Raises
        GraphCallError for any other status.
        """
        return await self._all(mailbox, paths, partial(encode_reads, prefer=prefer), settled, lasting)

    async def delete_all(self, mailbox: str, paths: Sequence[str]) -> int:
        """Delete what is at the paths. Returns how many existed. Raises GraphCallError."""
        responses = await self._all(mailbox, paths, encode_deletes, _GONE)
        return sum(response.status == 204 for response in responses)

    async def _all(
        self,
        mailbox: str,
        paths: Sequence[str],
        encode: "_Encode",
        settled: frozenset[int],
        lasting: frozenset[int] = frozenset(),
    ) -> list[SubResponse]:
        found: list[SubResponse] = []
        for first in range(0, len(paths), MOST_WRITES):
            chunk = _Chunk(self._client, paths[first : first + MOST_WRITES], encode, settled)
            slots = min(MAILBOX_SLOTS, len(chunk.paths))
            try:
                await self._reads.run(mailbox, chunk.fetch, slots=slots)
            except GraphCallError:
                if not chunk.give_up(lasting):
                    raise
            found += [chunk.found[number] for number in range(len(chunk.paths))]
        return found


type _Encode = Callable[[Sequence[str]], bytes]


class _Chunk:
    """The paths of one batch, and the answers so far."""

    def __init__(
        self, client: GraphClient, paths: Sequence[str], encode: _Encode, settled: frozenset[int]
    ) -> None:
        self.paths = paths
        self.found: dict[int, SubResponse] = {}
        self._client = client
        self._encode = encode
        self._settled = settled
        self._renewed = False
        self._failed: dict[int, SubResponse] = {}

    def give_up(self, lasting: frozenset[int]) -> bool:
        """Accept failures as answers, if everything that is missing has a ``lasting`` status."""
        missing = {number for number in range(len(self.paths)) if number not in self.found}
        given = {number for number, each in self._failed.items() if each.status in lasting}
        if missing != given:
            return False
        self.found |= self._failed
        return True

    async def fetch(self) -> None:
        """Request everything that is missing. Raises GraphCallError if something is still missing."""
        failure = await self._ask()
        if failure is not None and failure.status == 401 and not self._renewed:
            self._renewed = True
            await self._client.tokens.invalidate()
            failure = await self._ask()
        if failure is not None:
            raise failure

    async def _ask(self) -> GraphCallError | None:
        missing = [number for number in range(len(self.paths)) if number not in self.found]
        self._failed = {}
        content = self._encode([self.paths[number] for number in missing])
        url = f"{self._client.base_url}/$batch"
        raw = await self._client.send("POST", url, _HEADERS, content, reads=len(missing))
        try:
            responses = decode_responses(raw)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise GraphCallError(502, "unreadable_answer") from error
        failures = []
        for position, number in enumerate(missing):
            response = responses.get(position) or SubResponse(502, {}, "missing_response", None)
            if response.status in self._settled:
                self.found[number] = response
            else:
                self._failed[number] = response
                code = response.code or f"http_{response.status}"
                failures.append(GraphCallError(response.status, code, response.retry_after))
        return _worst(failures)


def _worst(failures: list[GraphCallError]) -> GraphCallError | None:
    """The failure of the whole chunk: a lasting one first, else the longest wait (graph.md, $batch)."""
    if not failures:
        return None
    lasting = next((failure for failure in failures if not failure.passing), None)
    return lasting or max(failures, key=lambda failure: failure.retry_after or 0.0)
