"""The worker's application: every part replaceable, everything that was opened closed."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shared.application import Application, get_application, use_application
from shared.clock import SystemClock
from shared.composition.foundations import Foundations
from shared.database.engine import Database
from shared.settings import Settings


class Part:
    """Stands where a part of the application would."""


class FixedClock(SystemClock):
    """A constant instant."""

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_application() -> Iterator[None]:
    before = use_application(None)
    yield
    use_application(before)


async def test_a_part_that_is_given_is_used_by_every_service_and_never_built(settings: Settings) -> None:
    given = {name: Part() for name in ("database", "calendars")}
    app = Application(Foundations(settings, clock=FixedClock(), **cast(Any, given)))
    for name, part in given.items():
        assert getattr(app.foundations, name) is part
    assert app.foundations.clock.now() == datetime(2026, 3, 2, tzinfo=UTC)
    services = (
        app.people.users,
        app.calendars.configurations,
        app.review.appointments,
        app.archiving.service,
        app.operation.health,
    )
    for service in services:
        assert getattr(service, "_database", given["database"]) is given["database"]
    # The maker of a part closes it.
    await app.close()


async def test_any_part_of_a_room_can_be_replaced(settings: Settings) -> None:
    app = Application(Foundations(settings))
    app.people.tokens = tokens = cast(Any, Part())
    assert app.operation.health._tokens is tokens
    await app.close()


async def test_a_service_is_built_when_first_asked_for_and_once(settings: Settings) -> None:
    app = Application(Foundations(settings))
    assert "service" not in vars(app.archiving)
    assert app.archiving.service is app.archiving.service
    assert isinstance(app.foundations.database, Database)
    assert app.people.users is not Application(Foundations(settings)).people.users
    await app.close()


async def test_parts_are_closed_last_first_and_once(settings: Settings, monkeypatch: Any) -> None:
    closed: list[str] = []

    def closing(name: str) -> Any:
        async def close(*_: object) -> None:
            closed.append(name)

        return close

    monkeypatch.setattr(Database, "close", closing("database"))
    monkeypatch.setattr("shared.services.identity.tokens.TokenValidator.close", closing("tokens"))
    monkeypatch.setattr("shared.graph.client.GraphClient.close", closing("graph"))
    monkeypatch.setattr("shared.graph.client.GraphClient.create", lambda _: _Graph(closing("graph")))
    app = Application(Foundations(settings))
    assert app.operation.health is not None
    assert app.foundations.calendars is not None
    await app.close()
    assert closed == ["graph", "tokens", "database"]
    await app.close()
    assert len(closed) == 3


class _Graph:
    def __init__(self, close: Any) -> None:
        self.close = close


async def test_nothing_is_closed_that_was_never_opened(settings: Settings, monkeypatch: Any) -> None:
    async def close(_: Database) -> None:
        raise AssertionError("it was never opened")

    monkeypatch.setattr(Database, "close", close)
    await Application(Foundations(settings)).close()


async def test_every_part_is_closed_even_if_some_fail_and_each_failure_is_told(settings: Settings) -> None:
    app, closed = Application(Foundations(settings)), []

    def closing(name: str, failure: Exception | None = None) -> Any:
        async def close() -> None:
            closed.append(name)
            if failure is not None:
                raise failure

        return close

    failures = (RuntimeError("the second"), OSError("the first"))
    app.foundations.closers += [
        closing("first", failures[1]),
        closing("second", failures[0]),
        closing("third"),
    ]
    with pytest.raises(ExceptionGroup) as raised:
        await app.close()
    assert closed == ["third", "second", "first"]
    assert raised.value.exceptions == failures
    await app.close()


async def test_a_cancelled_closing_is_cancelled_and_the_rest_can_still_be_closed(settings: Settings) -> None:
    app, closed = Application(Foundations(settings)), []

    async def first() -> None:
        closed.append("first")

    async def cancelled() -> None:
        raise asyncio.CancelledError

    app.foundations.closers += [first, cancelled]
    with pytest.raises(asyncio.CancelledError):
        await app.close()
    await app.close()
    assert closed == ["first"]


def test_the_workers_application_is_built_once_and_can_be_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.settings.Settings", lambda: settings)
    own = get_application()
    assert get_application() is own
    other = Application(Foundations(settings))
    assert use_application(other) is own
    assert get_application() is other
    assert use_application(None) is other
    assert get_application() not in (own, other)
