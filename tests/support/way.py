"""Follows one event through the rooms that archive it, with ``sys.monitoring``.

A *stop* is a function of these rooms that handles the event and is entered from another file. It handles the
event if an argument, its result or a value it yields holds the id of the event. ``self`` is no argument. A
function counts once, where it is entered first. What a function calls in its own file belongs to its stop.
The first function of a way is a stop too.

A *climb* is a stop in a file that calls, on this way, into the file of the stop before, directly or through
others. There control went down and continues above.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]
ROOMS = (
    "shared/services/archiving",
    "shared/domain/planning",
    "shared/domain/copies",
    "shared/domain/appointments",
)
# A tool id that neither debuggers nor coverage use.
_TOOL = 4
_DEPTH = 7


@dataclass(frozen=True, slots=True)
class Stop:
    """One function on the way. ``file`` is relative to the repository."""

    file: str
    function: str


@dataclass(slots=True)
class Way:
    """The functions that handle the event with this id, in the order in which they are entered."""

    marker: str
    _handling: dict[int, tuple[Stop, str | None]] = field(default_factory=dict)
    _entered: dict[int, int] = field(default_factory=dict)
    _count: int = 0

    @property
    def stops(self) -> list[Stop]:
        """The stops so far."""
        seen: dict[Stop, None] = {}
        for _, (stop, caller) in sorted(self._handling.items()):
            if caller != stop.file or not seen:
                seen.setdefault(stop)
        return list(seen)

    @property
    def climbs(self) -> list[tuple[Stop, Stop]]:
        """The places where control continues above: the stop before, and the stop there."""
        stops = self.stops
        return [(low, high) for low, high in pairwise(stops) if low.file in self._below(high.file)]

    def _below(self, file: str) -> set[str]:
        """The files that functions of a file call into on this way, directly or through others."""
        found: set[str] = set()
        left = {file}
        while left:
            above = left.pop()
            called = {stop.file for stop, caller in self._handling.values() if caller == above}
            left |= called - found - {file}
            found |= called - {file}
        return found

    def started(self, code: CodeType, offset: int) -> object:
        """A function starts."""
        if _file_of(code) is None:
            return sys.monitoring.DISABLE
        frame = sys._getframe(1)
        self._count += 1
        self._entered[id(frame)] = self._count
        if any(holds(value, self.marker) for value in _arguments(frame)):
            self._note(frame)
        return None

    def returned(self, code: CodeType, offset: int, value: object) -> object:
        """A function returns or yields."""
        if _file_of(code) is None:
            return sys.monitoring.DISABLE
        if holds(value, self.marker):
            self._note(sys._getframe(1))
        return None

    def _note(self, frame: FrameType) -> None:
        file = _file_of(frame.f_code)
        if file is None or frame.f_code.co_name.startswith("<"):
            return
        caller = frame.f_back
        while caller is not None and _file_of(caller.f_code) is None:
            caller = caller.f_back
        stop = Stop(file, frame.f_code.co_qualname)
        called_from = None if caller is None else _file_of(caller.f_code)
        self._handling.setdefault(self._entered.get(id(frame), self._count), (stop, called_from))


@contextmanager
def following(marker: str) -> Iterator[Way]:
    """Follow the event whose id is ``marker`` while the block runs."""
    way, monitoring = Way(marker), sys.monitoring
    events = monitoring.events
    monitoring.use_tool_id(_TOOL, "way of one event")
    monitoring.register_callback(_TOOL, events.PY_START, way.started)
    monitoring.register_callback(_TOOL, events.PY_RETURN, way.returned)
    monitoring.register_callback(_TOOL, events.PY_YIELD, way.returned)
    monitoring.set_events(_TOOL, events.PY_START | events.PY_RETURN | events.PY_YIELD)
    try:
        yield way
    finally:
        monitoring.set_events(_TOOL, events.NO_EVENTS)
        monitoring.free_tool_id(_TOOL)
        monitoring.restart_events()


def holds(value: object, marker: str, depth: int = _DEPTH) -> bool:
    """Whether a value is or contains the marker. Only plain data is searched."""
    if isinstance(value, str):
        return marker in value
    if isinstance(value, bytes):
        return marker.encode() in value
    parts: Iterator[object]
    if depth == 0:
        return False
    if isinstance(value, Mapping):
        parts = iter([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        parts = iter(value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = (getattr(value, each.name, None) for each in fields(value))
    else:
        parts = (getattr(value, name) for name in getattr(value, "__struct_fields__", ()))
    return any(holds(part, marker, depth - 1) for part in parts)


def _arguments(frame: FrameType) -> Iterator[object]:
    code = frame.f_code
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        if name not in ("self", "cls"):
            yield frame.f_locals.get(name)


@cache
def _file_of(code: CodeType) -> str | None:
    """The file of a function of these rooms."""
    name = code.co_filename.removeprefix(f"{ROOT}/")
    return name if name.startswith(ROOMS) else None
