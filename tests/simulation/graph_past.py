"""What a stale read of Graph sees: the mailbox as it was some seconds ago, old versions and all."""

import copy
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.local.graph_simulator.state.model import Event, Mailbox
from infra.local.graph_simulator.state.state import State

type Version = tuple[float, Event | None]


class RememberingState(State):
    """The simulator's state that keeps every version of every event."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[str, dict[str, list[Version]]] = {}

    def touch(self, event: Event) -> None:
        """Note that a stored event changed."""
        super().touch(event)
        self._keep(event.calendar.mailbox, event.key, _frozen(event))

    def remove(self, event: Event) -> None:
        """Delete an event."""
        mailbox = event.calendar.mailbox
        super().remove(event)
        self._keep(mailbox, event.key, None)

    def discard(self, event: Event) -> None:
        """Move an event to Deleted Items."""
        super().discard(event)
        self._keep(event.calendar.mailbox, event.key, None)

    def _keep(self, mailbox: Mailbox, key: str, version: Event | None) -> None:
        self._versions.setdefault(mailbox.oid, {}).setdefault(key, []).append((time.time(), version))

    @contextmanager
    def seconds_ago(self, mailbox: Mailbox, seconds: float) -> Iterator[None]:
        """Inside, the mailbox is what it was ``seconds`` ago; nothing may be written then."""
        moment = time.time() - seconds
        then: dict[str, Event] = {}
        for key, versions in self._versions.get(mailbox.oid, {}).items():
            place = bisect_right(versions, moment, key=lambda version: version[0])
            if place and (version := versions[place - 1][1]) is not None:
                then[key] = version
        now = mailbox.events, {calendar.key: calendar.events for calendar in mailbox.calendars.values()}
        mailbox.events = then
        for calendar in mailbox.calendars.values():
            calendar.events = {key: event for key, event in then.items() if event.calendar is calendar}
        try:
            yield
        finally:
            mailbox.events = now[0]
            for calendar in mailbox.calendars.values():
                calendar.events = now[1][calendar.key]


def _frozen(event: Event) -> Event:
    """The event as it is now, whatever becomes of it."""
    version: Any = copy.copy(event)
    version._fields = dict(event.fields)
    version._extended = dict(event.extended)
    version._stamp = copy.copy(event.stamp)
    version.cancelled = set(event.cancelled)
    version.overrides = {day: _frozen_override(override) for day, override in event.overrides.items()}
    version.forget()
    frozen: Event = version
    return frozen


def _frozen_override(override: Any) -> Any:
    version = copy.copy(override)
    version.fields, version.extended = dict(override.fields), dict(override.extended)
    version.stamp = copy.copy(override.stamp)
    return version
