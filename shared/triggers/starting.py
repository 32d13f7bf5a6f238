"""Starting many orchestrations: what the dispatcher has claimed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import batched
from uuid import UUID

logger = logging.getLogger(__name__)

_AT_ONCE = 16


async def start_all(
    ids: Sequence[UUID],
    start: Callable[[UUID], Awaitable[None]],
    note_started: Callable[..., Awaitable[None]],
) -> None:
    """Call ``start`` for each, several at a time, and note each group that was started at once.

    One that cannot be started is logged and keeps no other one waiting: the next tick starts it
    (domain.md 8.2).
    """
    for group in batched(ids, _AT_ONCE, strict=False):
        outcomes = await asyncio.gather(*(start(each) for each in group), return_exceptions=True)
        failed = {each: error for each, error in zip(group, outcomes, strict=True) if error is not None}
        for each, error in failed.items():
            if not isinstance(error, Exception):
                raise error
            logger.error("could not be started", extra={"id": str(each)}, exc_info=error)
        if len(failed) < len(group):
            await note_started(*(each for each in group if each not in failed))
