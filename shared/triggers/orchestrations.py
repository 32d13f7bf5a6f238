"""One kind of workflow: starts, checks, retries and pauses its orchestrations in one way."""

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any, Final, Protocol
from uuid import UUID

import azure.durable_functions as df
import grpc
from durabletask.task import OrchestrationContext, RetryPolicy, TaskFailedError

from shared.errors import NotFound

logger = logging.getLogger(__name__)

#: Instances that are looked up at the same time.
LOOKUPS_AT_ONCE: Final = 10
#: Instances that are started at the same time.
STARTS_AT_ONCE: Final = 16
# Continued as new: between two generations of a long orchestration.
_LIVING: Final = ("RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW")
# The extension answers ALREADY_EXISTS for an instance that may not be replaced. It recognises this case by
# the storage provider's exception. An unknown exception becomes INTERNAL with the provider's text. Source:
# Azure/azure-functions-durable-extension, TaskHubGrpcServer.StartInstance.
_MAY_MEAN_EXISTS: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
# By name, because the host passes on nothing else of an exception.
_DATABASE_AWAY: Final = ("Unavailable", "LockTimeout")
#: Errors between the worker and the Durable backend.
_PASSING: Final = (grpc.aio.AioRpcError, OSError)
#: The only retries of infrastructure (design.md): the database or the worker was away for a moment.
RETRY: Final = RetryPolicy(
    first_retry_interval=timedelta(seconds=2),
    max_number_of_attempts=3,
    backoff_coefficient=3.0,
    max_retry_interval=timedelta(seconds=30),
)


class OrchestratedWork(Protocol):
    """The service whose work an orchestration carries out."""

    def acting_for(self, work_id: UUID, /) -> AbstractAsyncContextManager[object]:
        """Act with the work's correlation id. Raises NotFound."""
        ...

    async def mark_dispatched(self, *work_ids: UUID) -> None:
        """Record that orchestrations were started, or are alive."""
        ...


@dataclass(frozen=True, eq=False)
class Workflow:
    """A kind of work with an orchestration for each piece of it.

    ``what`` names it in the log, ``id_name`` its id in the orchestration's input.
    """

    what: str
    orchestrator: str
    prefix: str
    id_name: str
    service: Callable[[], OrchestratedWork]

    def instance_id(self, work_id: UUID) -> str:
        """The orchestration instance of a piece of work."""
        return f"{self.prefix}{work_id}"

    async def start(self, client: df.DurableFunctionsClient, work_id: UUID) -> None:
        """Start an orchestration and record it. A running one is left alone.

        Raises the errors of the Durable client.
        """
        await self._begin(client, work_id)
        await self.service().mark_dispatched(work_id)

    async def start_all(self, client: df.DurableFunctionsClient, ids: Sequence[UUID]) -> None:
        """Start several at a time, and record each group that was started at once.

        One that cannot be started is logged and blocks no other one. The next tick starts it (domain.md 8.2).
        """
        for group in batched(ids, STARTS_AT_ONCE, strict=False):
            begun = (self._begin(client, each) for each in group)
            outcomes = await asyncio.gather(*begun, return_exceptions=True)
            failed = {each: error for each, error in zip(group, outcomes, strict=True) if error is not None}
            for each, error in failed.items():
                if not isinstance(error, Exception):
                    raise error
                logger.error("orchestration cannot be started", extra={"id": str(each)}, exc_info=error)
            if len(failed) < len(group):
                await self.service().mark_dispatched(*(each for each in group if each not in failed))

    async def look_after(self, client: df.DurableFunctionsClient, ids: Sequence[UUID]) -> None:
        """Start those again whose orchestration is missing, failed or over (design.md, Start).

        One that cannot be looked up or started is logged and blocks no other one. The next tick retries it.
        """
        places = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def look(work_id: UUID) -> str | None:
            async with places:
                try:
                    return await status(client, self.instance_id(work_id))
                except _PASSING:
                    logger.exception("orchestration cannot be looked up", extra={"id": str(work_id)})
                    return None

        found = dict(zip(ids, await asyncio.gather(*map(look, ids)), strict=True))
        if living := [work_id for work_id, each in found.items() if each in _LIVING]:
            await self.service().mark_dispatched(*living)
        for work_id, each in found.items():
            if each is None or each in _LIVING:
                continue
            try:
                await self._start_again(client, work_id, each)
            except (NotFound, *_PASSING):
                logger.exception("orchestration cannot be started again", extra={"id": str(work_id)})

    async def _start_again(self, client: df.DurableFunctionsClient, work_id: UUID, found: str) -> None:
        async with self.service().acting_for(work_id):
            extra = {"id": str(work_id), "found": found}
            logger.warning("%s lost its orchestration", self.what, extra=extra)
            await self.start(client, work_id)

    async def _begin(self, client: df.DurableFunctionsClient, work_id: UUID) -> None:
        given = {self.id_name: str(work_id)}
        await start(client, self.orchestrator, self.instance_id(work_id), given)


def wait_until(ctx: OrchestrationContext, instant: str | None) -> Generator[Any, Any]:
    """Sleep until an instant in ISO 8601 with an offset. Does not sleep without one, or if it is past."""
    if instant is None:
        return
    wait = datetime.fromisoformat(instant) - ctx.current_utc_datetime.replace(tzinfo=UTC)
    if wait > timedelta(0):
        yield ctx.create_timer(wait)


def reason_of(failure: TaskFailedError) -> str:
    """Why an activity failed in every attempt, in at most 500 characters."""
    return f"{failure.details.error_type}: {failure.details.message}"[:500]


async def start(
    client: df.DurableFunctionsClient, orchestrator: str, instance_id: str, given: Mapping[str, Any]
) -> bool:
    """Start an instance. False, without an error, if one with that id is running.

    Two dispatchers may start the same one, or an answer was lost. Either way it runs. An instance that is
    over is replaced. Raises the errors of the Durable client.
    """
    try:
        await client.schedule_new_orchestration(orchestrator, input=dict(given), instance_id=instance_id)
    except grpc.aio.AioRpcError as refusal:
        exists = refusal.code() is grpc.StatusCode.ALREADY_EXISTS
        if not exists and not (refusal.code() in _MAY_MEAN_EXISTS and await lives(client, instance_id)):
            raise
        logger.info("orchestration runs already", extra={"instance_id": instance_id})
        return False
    return True


def database_was_away(failure: TaskFailedError) -> bool:
    """Whether every attempt failed because the database was away (``shared.database.failures``)."""
    return failure.details.error_type.rpartition(".")[2] in _DATABASE_AWAY


async def lives(client: df.DurableFunctionsClient, instance_id: str) -> bool:
    """Whether the instance exists and is not over. Raises the errors of the Durable client."""
    return await status(client, instance_id) in _LIVING


async def status(client: df.DurableFunctionsClient, instance_id: str) -> str:
    """The status of an instance, in Durable's words. ``none`` if it does not exist."""
    state = await client.get_orchestration_state(instance_id, fetch_payloads=False)
    return "none" if state is None else str(state.runtime_status.name)
