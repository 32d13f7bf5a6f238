"""Faults switched on by rules: what happens to requests and sub-requests that match."""

import random
import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from infra.local.graph_simulator.values.errors import GraphError, injected

type Kind = Literal[
    "status",
    "drop_before",
    "drop_after",
    "lost_answer",
    "delay",
    "missing_subresponse",
    "stale_read",
    "corrupt_event",
    "malformed_event",
    "long_range",
]
_KINDS: tuple[str, ...] = get_args(Kind.__value__)
#: These look at what a request reads, not at the request alone, and strike when they find it.
_OF_CONTENT = frozenset({"corrupt_event", "malformed_event", "long_range"})
_MATCH_MEMBERS = frozenset({"method", "path_regex", "in_batch", "mailbox"})


@dataclass(slots=True)
class Rule:
    """One fault.

    - ``drop_before`` closes the connection before any effect, ``lost_answer`` after it, ``drop_after`` in the
      middle of the answer. Inside a batch they affect the whole batch's answer.
    - ``stale_read`` hides from reads what was created in the last ``stale_seconds``.
    - ``corrupt_event`` fails reads that show an event with ``event`` as its id or subject, alone or on a
      page. The answer is 500 ``ErrorCorruptData`` unless ``status`` and ``code`` say otherwise. With
      ``properties``, only reads that select one of them.
    - ``malformed_event`` leaves the ``properties`` out of its JSON.
    - ``long_range`` answers 504 to calendar views of more than ``longest_hours``.

    Sources: docs/graph.md, section 3. ``times`` is how often it strikes (``None``: always), after ``skip``
    matching requests.
    """

    kind: str
    method: str | None = None
    path_regex: str | None = None
    in_batch: bool | None = None
    mailbox: str | None = None
    status: int = 503
    code: str | None = None
    retry_after: int | None = None
    delay_ms: float = 0.0
    stale_seconds: float = 60.0
    event: str | None = None
    properties: list[str] | None = None
    longest_hours: float = 24.0
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    struck: int = 0
    _random: random.Random = field(init=False, repr=False)
    _path: re.Pattern[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; known: {', '.join(_KINDS)}")
        for name in ("status", "delay_ms", "stale_seconds", "longest_hours", "skip", "probability", "seed"):
            if not isinstance(getattr(self, name), int | float):
                raise ValueError(f"{name} must be a number")
        for name in ("times", "retry_after"):
            if not isinstance(getattr(self, name), int | None):
                raise ValueError(f"{name} must be a whole number or null")
        if self.kind in ("corrupt_event", "malformed_event") and not isinstance(self.event, str):
            raise ValueError(f"{self.kind} needs the event's id or subject")
        named = self.properties or []
        if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
            raise ValueError("properties must be a list of names")
        self._random = random.Random(self.seed)
        self._path = re.compile(self.path_regex) if self.path_regex else None

    def strikes(self, method: str, path: str, *, in_batch: bool, names: frozenset[str]) -> bool:
        """Whether the rule hits a request; advances its counters."""
        if self.times is not None and self.struck >= self.times:
            return False
        if (
            (self.method is not None and self.method.upper() != method)
            or (self.in_batch is not None and self.in_batch != in_batch)
            or (self.kind == "missing_subresponse" and not in_batch)
            or (self.mailbox is not None and self.mailbox.casefold() not in names)
            or (self._path is not None and self._path.search(path) is None)
        ):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        if self.kind not in _OF_CONTENT:
            self.struck += 1
        return True

    def found(self, *names: str) -> bool:
        """Whether a rule about content hits an event of these names; advances its counter."""
        if self.event not in names or (self.times is not None and self.struck >= self.times):
            return False
        self.struck += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """The rule as it stands, with how often it struck."""
        names = [each.name for each in fields(self) if each.init and each.name not in _MATCH_MEMBERS]
        match = {name: getattr(self, name) for name in sorted(_MATCH_MEMBERS)}
        return {"match": match, **{name: getattr(self, name) for name in names}}


@dataclass(slots=True)
class Hit:
    """What the striking rules together do to one request."""

    error: GraphError | None = None
    drop_before: bool = False
    drop_after: bool = False
    lost_answer: bool = False
    missing: bool = False
    delay_seconds: float = 0.0
    stale_seconds: float = 0.0
    of_content: list[Rule] = field(default_factory=list)


class Faults:
    """The rules switched on."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, rule: dict[str, Any]) -> Rule:
        """Switch a rule on, given as JSON with its conditions under ``match``; raises ``ValueError``."""
        values = {name: value for name, value in rule.items() if name != "match"}
        match = rule.get("match") or {}
        if not isinstance(match, dict) or not match.keys() <= _MATCH_MEMBERS:
            raise ValueError(f"match accepts only {', '.join(sorted(_MATCH_MEMBERS))}")
        try:
            made = Rule(**values, **match)
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from None
        self.rules.append(made)
        return made

    def clear(self) -> None:
        """Switch everything off."""
        self.rules.clear()

    def strike(self, method: str, path: str, *, in_batch: bool, names: frozenset[str]) -> Hit | None:
        """What the rules do to a request; ``names``: the mailboxes' addresses and ids, case-folded."""
        if not self.rules:
            return None
        hit: Hit | None = None
        for rule in self.rules:
            if (hit is None or hit.error is None) and rule.strikes(
                method, path, in_batch=in_batch, names=names
            ):
                hit = hit or Hit()
                _apply(rule, hit)
        return hit


def _apply(rule: Rule, hit: Hit) -> None:
    match rule.kind:
        case "status":
            hit.error = injected(rule.status, rule.code, rule.retry_after)
        case "drop_before":
            hit.drop_before = True
        case "drop_after":
            hit.drop_after = True
        case "lost_answer":
            hit.lost_answer = True
        case "missing_subresponse":
            hit.missing = True
        case "delay":
            hit.delay_seconds += rule.delay_ms / 1000
        case kind if kind in _OF_CONTENT:
            hit.of_content.append(rule)
        case _:
            hit.stale_seconds = max(hit.stale_seconds, rule.stale_seconds)
