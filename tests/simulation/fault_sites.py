"""Where faults can strike, how often each place was passed, and how often which fault struck there."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from zlib import crc32

from tests.simulation.mishaps import Mishap

_WRITES = re.compile(rb"(?<!FOR )(?<!KEY )\b(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", re.IGNORECASE)
_READS = re.compile(rb"\bFROM\s+(\w+)", re.IGNORECASE)
_LOCKS = re.compile(rb"\bFOR\s+(NO\s+KEY\s+)?(UPDATE|SHARE)\b|advisory", re.IGNORECASE)

BATCH = "Graph: send a batch"
_SHARE = 16
_MOST = 3
# Rare places. Few worlds pass them, or each world passes them seldom.
_RARE = re.compile(
    r"local_|notifications|mailbox_gates|close a statement|find events"
    r"|read overlap_|(delete|insert|update) (archived_events|overlap_)"
    r"|(lock|update) jobs|(update|lock) archive_configurations|insert archive_operations"
)
# The rarest places. Every world strikes them.
_RAREST = re.compile(
    r"(delete|insert|update|lock) local_events|(insert|update|lock) backfills|mailbox_approvals|period_locks"
    r"|read (wanted|overlap_groups)"
)
# Places that faults by chance seldom meet: most worlds pass them only after the storm. Each world wants one.
_WANTED = tuple(
    f"database: {what}"
    for what in (
        *("delete action_item_events", "delete verification_findings", "delete verification_items"),
        *("insert action_item_events", "insert action_items", "insert appointments", "insert archive_runs"),
        *("insert audit_seals", "insert jobs", "insert notifications", "insert verification_findings"),
        *("insert verification_items", "insert verifications", "lock mailbox_gates", "lock notifications"),
        *("lock verification_findings", "lock verifications", "read action_items", "read appointments"),
        *("read audit_seals", "read jobs", "read local_events", "read pg_class", "read pg_type"),
        *("read user_erasures", "read user_exports", "read users", "read verification_findings"),
        *("read verification_items", "update jobs", "update verification_findings", "update verifications"),
        *("delete idempotency_keys", "delete overlap_members", "update overlap_groups", "rollback", "other"),
    )
)
# Places that few worlds pass, or that most pass only when hardly anything fails any more. Each world also
# wants some of these. The fewer worlds pass one, the larger its weight.
_SELDOM = {
    f"database: {what}": weight
    for weight, places in (
        (6, ("delete action_item_events", "insert appointments")),
        (4, ("insert action_item_events", "insert action_items")),
        (3, ("other", "read local_events", "read pg_type")),
        (2, ("lock notifications", "read appointments", "rollback", "update verification_findings")),
        (1, ("delete verification_findings", "delete verification_items", "insert jobs")),
        (1, ("insert overlap_members", "insert verification_findings", "insert verification_items")),
        (1, ("insert verifications", "lock mailbox_gates", "lock verifications", "read audit_entries")),
        (1, ("read backfills", "read system_settings", "read user_exports", "read verification_findings")),
        (1, ("read verification_items", "update action_items", "update appointments")),
        (1, ("update archive_configurations", "update verifications")),
    )
    for what in places
}
_SELDOM_WANTED = 2
# A connection closes a prepared statement only when its cache is full. That is rare while faults happen. So
# some worlds inject a fault there on purpose.
_AGED = "database: close a statement"
_AGED_SHARE = 0.1
# Activities of verifications, and faults. Few worlds verify while faults are frequent. So each world injects
# one of these pairs in its last verification.
_MISHAPS = tuple(
    product(
        ("begin_verification", "compare_verification", "finish_verification"),
        (Mishap.CRASH_AT_CALL, Mishap.CRASH_AT_TIME, Mishap.CANCELLED, Mishap.TWIN),
    )
)


@dataclass(slots=True)
class FaultSites:
    """Counts by place. ``passed``: place -> how often; ``struck``: (place, fault) -> how often."""

    passed: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: "FaultSites") -> None:
        """Take the counts of another world in."""
        self.passed.update(other.passed)
        self.struck.update(other.struck)

    def strike(self, place: str, fault: str) -> None:
        """A fault struck at a place."""
        self.struck[place, fault] += 1

    def rows(self, faults_of: Mapping[str, Iterable[str]]) -> list[tuple[str, str, int, int]]:
        """Place, fault, how often it struck and how often the place was passed.

        ``faults_of``: the faults that can strike where the place's name begins so.
        """
        found = []
        for place, passed in sorted(self.passed.items()):
            for beginning, faults in faults_of.items():
                if place.startswith(beginning):
                    found += [(place, fault, self.struck[place, fault], passed) for fault in faults]
        return found


class Grudge:
    """A world's ill will against some kinds of places, so that rare ones are struck, too.

    Each world is against one place in ``_SHARE``, where every fourth passage fails, three times at most:
    more, and nothing would ever be done. It also strikes up to three rare places, the rarest ones, and those
    that it wants. The last two are struck after the storm, too. It has random numbers of its own, and
    draws what it wants of the places that few worlds pass from ``seldom``.
    """

    def __init__(self, rng: random.Random, seldom: random.Random) -> None:
        self.rng = rng
        self._share = rng.randrange(_SHARE)
        self._left = rng.randrange(_MOST + 1)
        self._rare = _MOST
        self._wanted = {
            rng.choice(_WANTED),
            *seldom.choices(list(_SELDOM), weights=list(_SELDOM.values()), k=_SELDOM_WANTED),
        }
        self._wanted_mishap = seldom.choice(_MISHAPS)
        if seldom.random() < _AGED_SHARE:
            self._wanted.add(_AGED)
        #: Whether that is still to befall its activity.
        self._plots = False
        self._struck: set[str] = set()
        self._forgiven = False

    def strikes(self, place: str) -> bool:
        """Whether this passage of the place is to fail."""
        if self._forgiven:
            return False
        if place not in self._struck and (self._strikes_rarest(place) or self._strikes_rare(place)):
            self._struck.add(place)
            return True
        if self._left == 0 or crc32(place.encode()) % _SHARE != self._share or self.rng.random() >= 0.25:
            return False
        self._left -= 1
        return True

    def _strikes_rarest(self, place: str) -> bool:
        wanted = place in self._wanted or _RAREST.search(place) is not None
        return wanted and self.rng.random() < 0.8

    def _strikes_rare(self, place: str) -> bool:
        if not self._rare or not _RARE.search(place) or self.rng.random() >= 0.25:
            return False
        self._rare -= 1
        return True

    def relent(self) -> None:
        """The storm is over. Only the wanted places and the rarest ones fail, each once more."""
        self._left = self._rare = 0
        self._struck.clear()

    def forgive(self) -> None:
        """Nothing fails any more."""
        self._forgiven = True

    def resent(self) -> None:
        """The wanted places and the rarest ones fail once more each. One activity meets its mishap."""
        self._forgiven, self._plots = False, True
        self._struck.clear()

    def mishap(self, activity: str, *kinds: Mishap) -> Mishap | None:
        """The wanted mishap, if it is one of ``kinds`` and is to befall this execution. It comes once."""
        wanted, kind = self._wanted_mishap
        if not self._plots or activity != wanted or kind not in kinds:
            return None
        self._plots = False
        return kind


def graph_place(method: str, path: str, *, in_batch: bool) -> str:
    """The kind of a request to Graph or, ``in_batch``, of a part of one."""
    lowered = path.lower()
    if "calendarview" in lowered:
        what = "read the calendar view"
    elif "/events" not in lowered:
        what = "read calendars"
    elif method == "GET":
        what = "find events" if lowered.endswith("/events") else "read an event"
    else:
        what = {"POST": "create an event", "PATCH": "update an event"}.get(method, "delete an event")
    return f"Graph{' part' if in_batch else ''}: {what}"


@lru_cache(4096)
def statement_place(text: bytes) -> str:
    """The kind of an SQL statement: what it writes, locks or reads first."""
    word = text.lstrip()[:9].upper()
    if found := _WRITES.search(text):
        verb, table = found.groups()
        return f"{verb.split()[0].decode().lower()} {table.decode().lower()}"
    if word.startswith((b"SAVEPOINT", b"RELEASE", b"ROLLBACK")):
        return word.split()[0].decode().lower()
    if found := _READS.search(text):
        verb = "lock" if _LOCKS.search(text) else "read"
        return f"{verb} {found.group(1).decode().lower()}"
    return "lock" if _LOCKS.search(text) else "other"
