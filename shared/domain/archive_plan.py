"""The plan of an archive run: what is to be done for each source event of the window (domain.md 2.3-2.10).

Pure and incremental (design.md, Plan): pages go in in start order, decisions come out as soon as nothing
that is still to come can change them. The stages follow domain.md 4.7: an event is fed, grouped with its
duplicates, and compared with what the map knows of it.
"""

import hashlib
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.domain.archive_run import RunMode
from shared.domain.archived_event import ArchivedEventState
from shared.domain.revision import duplicate_hash, revision
from shared.domain.source_event import SourceEvent, source_key
from shared.domain.window import Window

SETTLED_AFTER = timedelta(hours=26)
"""How far behind the latest start a group of duplicates is decided.

Graph sorts an all-day event by midnight of a zone it does not tell, from UTC-12 to UTC+14, while its
start is read as its date in UTC: it comes up to 26 hours away from its place among the timed events.
"""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """One row of the map. ``pending``: its last write failed or was never done (domain.md 2.2)."""

    source_key: str
    state: ArchivedEventState
    revision: str
    merged_into: str | None
    pending: bool


class Action(StrEnum):
    """What is to be done for a source event; ``removed_by_owner``: nothing, the owner deleted its copy."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    MERGE = "merge"
    REMOVED_BY_OWNER = "removed_by_owner"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done for one source key, whose source has ``revision`` now.

    ``representative`` is the key a MERGE points to. ``formerly`` is set on the CREATE of an event that
    was merged into a key which is not among its duplicates any more: if that one's source is gone, this
    key takes over its copy (domain.md 2.9). ``changed`` is False where the map already says all of it.
    """

    source_key: str
    action: Action
    revision: str
    representative: str | None = None
    formerly: str | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class _Fact:
    """What is kept of an event until its decision: never its body."""

    source_key: str
    start: datetime
    group: bytes
    revision: str
    known: KnownEvent | None


@dataclass(slots=True)
class _Group:
    """Events that are duplicates of each other as far as seen."""

    start: datetime
    members: dict[str, _Fact] = field(default_factory=dict)


class Planner:
    """Plans one run; the answer does not depend on how the events are cut into pages."""

    def __init__(self, window: Window, mode: RunMode = RunMode.NORMAL) -> None:
        self._window = window
        self._mode = mode
        self._open: dict[str, _Fact] = {}
        self._groups: dict[bytes, _Group] = {}
        self._by_start: list[tuple[datetime, bytes]] = []
        self._seen: set[bytes] = set()
        self._latest = datetime.min.replace(tzinfo=UTC)

    def feed(self, events: Sequence[SourceEvent], known: Mapping[str, KnownEvent]) -> list[Decision]:
        """Take the next events in start order, with the map's rows of their keys; return what is decided.

        Events outside the window create no decision. Of a key that comes again before it is decided, as
        happens when the calendar moves during paging, the last version counts; after that it is ignored.
        Raises ValueError for an event that has no source key.
        """
        decisions: list[Decision] = []
        for event in events:
            if event.start > self._latest:
                self._latest = event.start
                decisions += self._settle(event.start - SETTLED_AFTER)
            self._take(event, known)
        return decisions

    def close(self) -> list[Decision]:
        """Return the decisions that were still open: nothing more comes."""
        return self._settle(None)

    def decide_single(self, event: SourceEvent, known: KnownEvent | None) -> Decision:
        """Decide for an event read by its id: moved out of the window, or retried (domain.md 2.4, 2.12).

        It counts as seen from now on. Raises ValueError if ``has_seen`` its key already.
        """
        key = source_key(event)
        if self.has_seen(key):
            raise ValueError("the event is part of this plan already")
        self._seen.add(_digest(key))
        fact = _Fact(key, event.start, b"", revision(event), known)
        return self._decide_alone(fact)

    def has_seen(self, key: str) -> bool:
        """Whether an event of this key was fed that belongs to the window, or was decided by itself."""
        return _digest(key) in self._seen

    @property
    def undecided(self) -> frozenset[str]:
        """Keys that were fed and whose decision is still open."""
        return frozenset(self._open)

    def _take(self, event: SourceEvent, known: Mapping[str, KnownEvent]) -> None:
        key = source_key(event)
        digest = _digest(key)
        if digest in self._seen and not self._withdraw(key):
            return
        if not self._window.owns(event):
            self._seen.discard(digest)
            return
        self._seen.add(digest)
        fact = _Fact(key, event.start, duplicate_hash(event), revision(event), known.get(key))
        group = self._groups.get(fact.group)
        if group is None:
            group = self._groups[fact.group] = _Group(event.start)
            heapq.heappush(self._by_start, (event.start, fact.group))
        group.members[key] = fact
        self._open[key] = fact

    def _withdraw(self, key: str) -> bool:
        """Forget the open version of a key; False if it is decided."""
        fact = self._open.pop(key, None)
        if fact is None:
            return False
        del self._groups[fact.group].members[key]
        return True

    def _settle(self, before: datetime | None) -> list[Decision]:
        """Decide the groups that start before the instant (all for None), in order of start and key."""
        settled: list[tuple[datetime, Decision]] = []
        while self._by_start and (before is None or self._by_start[0][0] < before):
            start, name = heapq.heappop(self._by_start)
            members = self._groups.pop(name).members
            for key in members:
                del self._open[key]
            settled += ((start, decision) for decision in self._decide(list(members.values())))
        settled.sort(key=lambda entry: (entry[0], entry[1].source_key))
        return [decision for _, decision in settled]

    def _decide(self, members: Sequence[_Fact]) -> list[Decision]:
        """One group of duplicates: what is archived stands by itself, the rest is merged (domain.md 2.9)."""
        standing = {fact.source_key for fact in members if _own_row(fact) is not None}
        if not standing and members:
            standing = {min(members, key=_succession).source_key}
        return [
            self._decide_alone(fact) if fact.source_key in standing else _merge(fact, standing)
            for fact in members
        ]

    def _decide_alone(self, fact: _Fact) -> Decision:
        """An event that is archived by itself, against its row (domain.md 2.4, 2.10)."""
        row = _own_row(fact)
        if row is None:
            formerly = fact.known.merged_into if fact.known else None
            return Decision(fact.source_key, Action.CREATE, fact.revision, formerly=formerly)
        if row.state is ArchivedEventState.REMOVED_BY_OWNER and self._mode is not RunMode.REPLACE:
            return Decision(fact.source_key, Action.REMOVED_BY_OWNER, fact.revision, changed=False)
        if row.state in (ArchivedEventState.CREATING, ArchivedEventState.REMOVED_BY_OWNER):
            return Decision(fact.source_key, Action.CREATE, fact.revision)
        if row.pending or row.revision != fact.revision or self._mode is RunMode.REPLACE:
            return Decision(fact.source_key, Action.UPDATE, fact.revision)
        reappeared = row.state is ArchivedEventState.SOURCE_DELETED
        return Decision(fact.source_key, Action.UNCHANGED, fact.revision, changed=reappeared)


def _own_row(fact: _Fact) -> KnownEvent | None:
    """The event's row where the map gives it a copy of its own, wherever that is by now."""
    known = fact.known
    return None if known is None or known.state is ArchivedEventState.MERGED else known


def _merge(fact: _Fact, standing: set[str]) -> Decision:
    """Merged into the representative it already has, else into the smallest."""
    known = fact.known
    into = known.merged_into if known else None
    if known is not None and into in standing:
        changed = known.revision != fact.revision
        return Decision(fact.source_key, Action.MERGE, fact.revision, representative=into, changed=changed)
    return Decision(fact.source_key, Action.MERGE, fact.revision, representative=min(standing))


def _succession(fact: _Fact) -> tuple[bool, str]:
    """Who represents a group that has no copy: first those that may take one over, then the smallest."""
    return fact.known is None, fact.source_key


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
