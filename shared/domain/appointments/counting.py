"""Which events count as time. Only this module decides it (domain.md 2.18).

Everything that shows hours asks here. The rules are data: this module applies them in Python, and
``shared/database/counting.py`` writes the same rules as SQL for filters and totals.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class WhyNot(StrEnum):
    """Why an event counts no time. Only the first reason that applies is given, in this order.

    - ``removed_by_owner``: the owner deleted the copy.
    - ``superseded``: the owner said that another copy represents the meeting (2.16, 2.17).
    - ``merged``: a duplicate of another event (2.9).
    - ``consumed``: a modification such as "Extended"; its meeting has the time (4.6).
    - ``left_out_by_resolution``: the owner resolved an overlap without it (5.5).
    - ``waiting``: the owner must decide first (2.16, 5.3).
    - ``left_out_by_rule``: the purpose of the archive or an overlap rule leaves it out (2.7, 5.4).
    - ``not_written``: it has no copy yet.
    - ``cancelled``, ``declined``: it did not take place (2.1).
    - ``all_day``, ``free``: it takes no hours of the day.
    """

    REMOVED_BY_OWNER = "removed_by_owner"
    SUPERSEDED = "superseded"
    MERGED = "merged"
    CONSUMED = "consumed"
    LEFT_OUT_BY_RESOLUTION = "left_out_by_resolution"
    WAITING = "waiting"
    LEFT_OUT_BY_RULE = "left_out_by_rule"
    NOT_WRITTEN = "not_written"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    ALL_DAY = "all_day"
    FREE = "free"


#: The event took place and is archived, but takes no hours. Its category still matters.
WITHOUT_HOURS: Final = frozenset({WhyNot.ALL_DAY, WhyNot.FREE})
NOT_TAKEN_PLACE: Final = frozenset({WhyNot.CANCELLED, WhyNot.DECLINED})
#: If one event is in several archives, this order decides. None is an event that counts. First comes what its
#: owner decided or edited, then that a meeting has its time, then the source's reasons. An archive without a
#: copy comes last.
DECIDED: Final = frozenset({WhyNot.LEFT_OUT_BY_RESOLUTION, WhyNot.SUPERSEDED})
MODIFIED: Final = frozenset({WhyNot.CONSUMED})
AS_IN_THE_SOURCE: Final = WITHOUT_HOURS | NOT_TAKEN_PLACE

type Fact = Literal[
    "state", "left_out", "excluded", "written", "is_cancelled", "is_declined", "is_all_day", "show_as"
]


@dataclass(frozen=True, slots=True)
class CountingFacts:
    """The facts that decide whether an event counts, as the tables store them.

    Facts without a note come from the appointment. There an owner's edit outranks a modification, which
    outranks the source.
    """

    #: The map's state (``ArchivedEventState``).
    state: str
    #: From the map (``LeftOut``).
    left_out: str | None = None
    #: From the appointment (``Exclusion``).
    excluded: str | None = None
    #: There is an appointment.
    written: bool = True
    is_cancelled: bool = False
    is_declined: bool = False
    is_all_day: bool = False
    show_as: str = "busy"


@dataclass(frozen=True, slots=True)
class CountingRule:
    """If the fact has one of these values, the event counts no time, for this reason."""

    reason: WhyNot
    fact: Fact
    values: tuple[str | bool, ...]


#: In the order of ``WhyNot``. A state unknown to the map matches nothing.
RULES: Final = (
    CountingRule(WhyNot.REMOVED_BY_OWNER, "state", ("removed_by_owner",)),
    CountingRule(WhyNot.SUPERSEDED, "state", ("superseded",)),
    CountingRule(WhyNot.SUPERSEDED, "excluded", ("superseded",)),
    CountingRule(WhyNot.MERGED, "state", ("merged",)),
    CountingRule(WhyNot.CONSUMED, "state", ("consumed",)),
    CountingRule(WhyNot.CONSUMED, "excluded", ("consumed",)),
    CountingRule(WhyNot.LEFT_OUT_BY_RESOLUTION, "excluded", ("resolution",)),
    CountingRule(WhyNot.LEFT_OUT_BY_RESOLUTION, "left_out", ("resolution",)),
    CountingRule(WhyNot.WAITING, "state", ("flagged", "waiting")),
    CountingRule(WhyNot.LEFT_OUT_BY_RULE, "state", ("left_out",)),
    CountingRule(WhyNot.NOT_WRITTEN, "written", (False,)),
    CountingRule(WhyNot.CANCELLED, "is_cancelled", (True,)),
    CountingRule(WhyNot.DECLINED, "is_declined", (True,)),
    CountingRule(WhyNot.ALL_DAY, "is_all_day", (True,)),
    CountingRule(WhyNot.FREE, "show_as", ("free",)),
)


def why_not(facts: CountingFacts) -> WhyNot | None:
    """Why the event counts no time. None if it counts.

    An event whose source is gone (``source_deleted``) counts, because the archive is the record of what was
    (2.4).
    """
    return next((rule.reason for rule in RULES if getattr(facts, rule.fact) in rule.values), None)
