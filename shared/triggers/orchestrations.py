"""Starting orchestrations and looking whether they live, for every workflow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import batched
from typing import Any, Final
from uuid import UUID

import azure.durable_functions as df
import grpc
from durabletask.task import TaskFailedError

from shared.errors import NotFound

logger = logging.getLogger(__name__)

#: How many instances are looked up at the same time.
LOOKUPS_AT_ONCE: Final = 10
#: How many instances are started at the same time.
STARTS_AT_ONCE: Final = 16
# Continued as new: between two generations of a long orchestration.
_LIVING: Final = ("RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW")
# The extension answers ALREADY_EXISTS for an instance that may not be replaced. It knows that case by the
# exception of the storage provider: one it does not know becomes INTERNAL with the provider's text. Source:
# Azure/azure-functions-durable-extension, TaskHubGrpcServer.StartInstance.
_MAY_MEAN_EXISTS: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
# By name: the host hands on no more of an exception.
_DATABASE_AWAY: Final = ("Unavailable", "LockTimeout")
#: What goes wrong between the worker and the Durable backend.
_PASSING: Final = (grpc.aio.AioRpcError, OSError)


async def start(
    client: df.DurableFunctionsClient, orchestrator: str, instance_id: str, given: Mapping[str, Any]
) -> bool:
    """Start an instance; False, and no error, where one of that id is at work already.

    Two dispatchers may start the same one, or an answer was lost: either way it runs. An instance that is
    over is replaced. Raises what the Durable client raises.
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


async def start_all(
    ids: Sequence[UUID],
    begin: Callable[[UUID], Awaitable[None]],
    note_started: Callable[..., Awaitable[None]],
) -> None:
    """Call ``begin`` for each, several at a time, and note each group that was started at once.

    One that cannot be started is logged and keeps no other one waiting: the next tick starts it
    (domain.md 8.2).
    """
    for group in batched(ids, STARTS_AT_ONCE, strict=False):
        outcomes = await asyncio.gather(*(begin(each) for each in group), return_exceptions=True)
        failed = {each: error for each, error in zip(group, outcomes, strict=True) if error is not None}
        for each, error in failed.items():
            if not isinstance(error, Exception):
                raise error
            logger.error("orchestration cannot be started", extra={"id": str(each)}, exc_info=error)
        if len(failed) < len(group):
            await note_started(*(each for each in group if each not in failed))


def database_was_away(failure: TaskFailedError) -> bool:
    """Whether an activity failed in every attempt for want of the database (``shared.database.failures``)."""
    return failure.details.error_type.rpartition(".")[2] in _DATABASE_AWAY


async def lives(client: df.DurableFunctionsClient, instance_id: str) -> bool:
    """Whether the instance exists and is not over. Raises what the Durable client raises."""
    return await status(client, instance_id) in _LIVING


async def status(client: df.DurableFunctionsClient, instance_id: str) -> str:
    """The status of an instance, in Durable's words; ``none`` if there is no such instance."""
    state = await client.get_orchestration_state(instance_id, fetch_payloads=False)
    return "none" if state is None else str(state.runtime_status.name)


async def drive(
    client: df.DurableFunctionsClient,
    ids: Sequence[UUID],
    instance_id: Callable[[UUID], str],
    note_living: Callable[..., Awaitable[None]],
    start_again: Callable[[UUID, str], Awaitable[None]],
) -> None:
    """Start the work of each id again whose instance does not live; ``note_living`` is told the others.

    ``start_again`` gets the id and the status that was found. One that cannot be looked up or started keeps
    no other one waiting: it is logged and tried again by the next tick.
    """
    places = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def look(work_id: UUID) -> str | None:
        async with places:
            try:
                return await status(client, instance_id(work_id))
            except _PASSING:
                logger.exception("orchestration cannot be looked up", extra={"id": str(work_id)})
                return None

    found = dict(zip(ids, await asyncio.gather(*map(look, ids)), strict=True))
    if living := [work_id for work_id, each in found.items() if each in _LIVING]:
        await note_living(*living)
    for work_id, each in found.items():
        if each is None or each in _LIVING:
            continue
        try:
            await start_again(work_id, each)
        except (NotFound, *_PASSING):
            logger.exception("orchestration cannot be started again", extra={"id": str(work_id)})
