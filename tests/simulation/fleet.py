"""The processes of a world: those that are alive, and how they end."""

import random
from collections.abc import Callable

from tests.simulation.fault_sites import FaultSites
from tests.simulation.host import Host
from tests.simulation.mishaps import Mishap


class Fleet:
    """The processes that are alive; one that died is replaced."""

    def __init__(self, rng: random.Random, make: Callable[[], Host], count: int) -> None:
        self._rng = rng
        self._make = make
        self.hosts = [make() for _ in range(count)]
        self._due: dict[str, tuple[int, Callable[[], None]]] = {}
        self.everyone = list(self.hosts)
        self.killed = 0
        self.sites = FaultSites()

    def any(self) -> Host:
        """One of the living."""
        return self._rng.choice(self.hosts)

    def kill(self, host: Host, calls_arrive: bool, how: Mishap = Mishap.CRASH_AT_TIME) -> None:
        """A process dies with everything it was doing."""
        if host.dead:
            return
        self.killed += 1
        for name in host.activities.values():
            self.sites.strike(f"activity: {name}", how)
        host.die(calls_arrive=calls_arrive)
        for work in list(host.activities):
            work.cancel()
        replacement = self._make()
        self.everyone.append(replacement)
        self.hosts[self.hosts.index(host)] = replacement

    def kill_named(self, name: str) -> None:
        """A process dies, its open calls with or without effect."""
        host = next((host for host in self.hosts if host.name == name), None)
        if host is not None:
            self.kill(host, self._rng.random() < 0.5, Mishap.CRASH_AT_CALL)

    def at_call(self, host: Host, call: int, deed: Callable[[], None]) -> None:
        """Do something to a process at this one of its next database calls."""
        self._due[host.name] = call, deed

    def struck(self, name: str) -> bool:
        """Count a database call of a process; True if it died of it."""
        if name not in self._due:
            return False
        left, deed = self._due.pop(name)
        host = next((host for host in self.hosts if host.name == name), None)
        if host is None:
            return False
        if left > 1:
            self._due[name] = left - 1, deed
            return False
        deed()
        return host.dead

    def spare(self) -> None:
        """Nobody dies any more."""
        self._due.clear()
