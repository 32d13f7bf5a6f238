"""The dispatcher does everything that is due, whatever fails (domain.md 8.2)."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from shared.errors import Unavailable
from shared.services.operation.dispatching import Dispatcher, Work
from tests.integration.archiving.world import SteppableClock

RUN, LOST = uuid4(), uuid4()


class Recorded:
    """Records what should be started and looked after."""

    def __init__(self) -> None:
        self.started: list[tuple[str, list[UUID]]] = []
        self.looked_after: list[tuple[str, list[UUID]]] = []

    async def start(self, work: Work, ids: Sequence[UUID]) -> None:
        self.started.append((work, list(ids)))

    async def look_after(self, work: Work, ids: Sequence[UUID]) -> None:
        self.looked_after.append((work, list(ids)))


async def test_what_fails_keeps_nothing_else_waiting_and_is_told() -> None:
    done: list[str] = []
    clock = SteppableClock()

    async def claims_nothing() -> list[UUID]:
        return []

    async def claims_one() -> list[UUID]:
        return [RUN]

    async def lost_one() -> list[UUID]:
        return [LOST]

    async def fails() -> list[UUID]:
        raise Unavailable("the database is away")

    async def forgets() -> None:
        done.append("forgot")

    async def seals() -> int:
        done.append("sealed")
        return 3

    dispatcher = Dispatcher(
        claims=[
            (Work.ARCHIVE_RUN, "failing", fails),
            (Work.ARCHIVE_RUN, "idle", claims_nothing),
            (Work.VERIFICATION, "due", claims_one),
        ],
        driven={Work.USER_EXPORT: fails, Work.USER_ERASURE: lost_one},
        duties={"fails": fails, "seals": seals},
        hourly={"forgets": forgets},
        clock=clock,
    )
    orchestrations = Recorded()
    with pytest.raises(Unavailable):
        await dispatcher.tick(orchestrations)
    assert orchestrations.started == [("verification", [RUN])]
    assert orchestrations.looked_after == [("user_erasure", [LOST])]
    assert done == ["sealed", "forgot"]


async def test_what_costs_too_much_for_every_tick_is_done_once_an_hour() -> None:
    clock, done = SteppableClock(), []

    async def forgets() -> None:
        done.append(clock.now())

    dispatcher = Dispatcher(claims=[], driven={}, duties={}, hourly={"forgets": forgets}, clock=clock)
    for minutes in (0, 30, 29, 1, 59, 1):
        clock.advance(minutes=minutes)
        await dispatcher.tick(Recorded())
    assert len(done) == 3
