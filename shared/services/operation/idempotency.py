"""A repeated request makes its change once and gets the same answer twice."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.failures import LockTimeout
from shared.database.models.idempotency import IdempotencyKey
from shared.database.repositories.operation.idempotency_keys import Claim, IdempotencyKeyRepository
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError, Conflict, FieldError, NotFound, ValidationFailed
from shared.services.identity.access import Access

#: How long an answer is stored.
MEMORY: Final = timedelta(hours=24)
#: How long a request waits for its duplicate, in seconds.
PATIENCE: Final = 2.0
#: A larger answer is not stored. No success is that large, and an error that large had no effect.
LARGEST_BODY: Final = 65_536
_FORGOTTEN_AT_ONCE = 5_000
_NOT_KEPT = frozenset({401, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer. ``owner_id`` is the user whose data it is about."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    owner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A change with the key from its caller, and the content of the request."""

    operation: str
    key: str
    path: str
    query: Mapping[str, str]
    body: bytes

    def request_hash(self) -> bytes:
        """SHA-256 over path, query (in any order) and body."""
        digest = hashlib.sha256()
        pairs = [part for name in sorted(self.query) for part in (name, self.query[name])]
        for part in (self.path.encode(), *(text.encode() for text in pairs), b"", self.body):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


class _Refused(Exception):
    """The change was refused. Raised to roll the transaction back, so that nothing of the change stays."""

    def __init__(self, error: AdminAssistantError) -> None:
        super().__init__(str(error))
        self.error = error


class IdempotencyService:
    """Stores answers in the transaction of their change."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._under_way: dict[Claim, asyncio.Event] = {}

    async def once(
        self,
        caller: Caller,
        change: Repeatable,
        make: Callable[[], Awaitable[Answer]],
        refusal: Callable[[AdminAssistantError], Answer],
        look: Callable[[Answer], Awaitable[None]],
    ) -> tuple[Answer, bool]:
        """Make the change, or return the stored answer. The second value is True for a stored answer.

        The sessions that ``make`` opens join one transaction with the row of the answer: both are stored, or
        neither. A refusal is stored too, made by ``refusal`` from the error. Temporary errors (401, 429, 5xx,
        and those with Retry-After) are raised and leave no row. A stored answer is returned only to a caller
        who may still see it. ``look`` reads its subject and raises the errors of reading it.

        Raises NotFound also if the caller lost a role since then. Raises Conflict with ``retry_after`` while
        a duplicate request is in progress for more than 2 s. Raises ValidationFailed if the key came with
        another request before, and Forbidden to a deactivated person.
        """
        claim = Claim(caller.tenant_id, caller.actor, change.operation, change.key)
        async with self._turn(claim):
            try:
                async with self._database.unit_of_work():
                    claimed = await self._claim(caller, claim, change)
                    if claimed is None:
                        return await self._seen(caller, claim, change, look), True
                    answer = await _made(make)
                    await self._keep(claimed, answer)
                    return answer, False
            except _Refused as refused:
                answer = refusal(refused.error)
                if not _kept(refused.error, answer):
                    raise refused.error from refused.error.__cause__
            return await self._keep_refusal(caller, claim, change, answer, look)

    async def _keep_refusal(
        self,
        caller: Caller,
        claim: Claim,
        change: Repeatable,
        answer: Answer,
        look: Callable[[Answer], Awaitable[None]],
    ) -> tuple[Answer, bool]:
        """Store the answer of a change whose transaction was rolled back.

        If a duplicate in another process was faster, its answer counts.
        """
        async with self._database.unit_of_work():
            claimed = await self._claim(caller, claim, change)
            if claimed is None:
                return await self._seen(caller, claim, change, look), True
            await self._keep(claimed, answer)
            return answer, False

    async def _seen(
        self,
        caller: Caller,
        claim: Claim,
        change: Repeatable,
        look: Callable[[Answer], Awaitable[None]],
    ) -> Answer:
        answer = await self._repeated(caller, claim, change)
        await look(answer)
        return answer

    async def forget(self) -> int:
        """Delete answers older than 24 hours. Returns the number of rows."""
        until = self._clock.now() - MEMORY
        forgotten = 0
        while True:
            async with self._database.session() as session:
                found = await IdempotencyKeyRepository(session).forget_unscoped(until, _FORGOTTEN_AT_ONCE)
            forgotten += found
            if found < _FORGOTTEN_AT_ONCE:
                return forgotten

    @asynccontextmanager
    async def _turn(self, claim: Claim) -> AsyncIterator[None]:
        """Duplicates in this process wait here without a connection, others at the row."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (other := self._under_way.get(claim)) is not None:
                    await other.wait()
        except TimeoutError as error:
            raise _under_way() from error
        over = self._under_way[claim] = asyncio.Event()
        try:
            yield
        finally:
            del self._under_way[claim]
            over.set()

    async def _claim(self, caller: Caller, claim: Claim, change: Repeatable) -> UUID | None:
        now = self._clock.now()
        try:
            async with self._database.session(savepoint=False) as session:
                return await IdempotencyKeyRepository(session).claim(
                    claim,
                    change.request_hash(),
                    roles=sorted(caller.roles),
                    now=now,
                    forgotten=now - MEMORY,
                    patience=PATIENCE,
                )
        except LockTimeout as error:
            raise _under_way() from error

    async def _repeated(self, caller: Caller, claim: Claim, change: Repeatable) -> Answer:
        async with self._database.session() as session:
            # A person who was deactivated since then no longer sees it.
            await Access.of(session, caller)
            kept = await IdempotencyKeyRepository(session).find(claim)
        if kept is None:
            # It was deleted between the two statements.
            raise _under_way()
        if kept.request_hash != change.request_hash():
            raise ValidationFailed(
                [FieldError("Idempotency-Key", "came with another request before", "key_reused")]
            )
        if not caller.roles.issuperset(kept.roles):
            raise NotFound("there is no such answer: it was given to a role that you do not have any more")
        return _answer(kept)

    async def _keep(self, claimed: UUID, answer: Answer) -> None:
        async with self._database.session(savepoint=False) as session:
            await IdempotencyKeyRepository(session).complete(
                claimed,
                status=answer.status,
                headers=answer.headers,
                body=answer.body,
                owner_id=answer.owner_id,
            )


async def _made(make: Callable[[], Awaitable[Answer]]) -> Answer:
    try:
        return await make()
    except AdminAssistantError as error:
        raise _Refused(error) from error


def _under_way() -> Conflict:
    return Conflict("the same request is being worked on", code="request_under_way", retry_after=1)


def _kept(error: AdminAssistantError, answer: Answer) -> bool:
    passes = error.status >= 500 or error.status in _NOT_KEPT or error.retry_after is not None
    return not passes and len(answer.body) <= LARGEST_BODY


def _answer(kept: IdempotencyKey) -> Answer:
    return Answer(kept.status or 200, kept.headers, kept.body or b"", kept.owner_id)
