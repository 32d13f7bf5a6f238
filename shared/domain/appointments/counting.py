"""Which events count as time, decided in one place (domain.md 2.18).

Whatever shows hours asks here. The rules are data: this module applies them in Python, and
``shared/database/counting.py`` writes the same rules as SQL, where lists are filtered and totals are read.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class WhyNot(StrEnum):
    """Why an event counts as no time. Only the first reason that applies is told, in this order.

    ``removed_by_owner``: its owner deleted the copy. ``superseded``: its owner said that another copy stands
    for the meeting (2.16, 2.17). ``merged``: a duplicate of another event (2.9). ``consumed``: a modification
    such as "Extended", its meeting has the time (4.6). ``left_out_by_resolution``: its owner resolved an
    overlap without it (5.5). ``waiting``: its owner has to decide first (2.16, 5.3). ``left_out_by_rule``:
    the purpose of the archive or a rule for overlaps leaves it out (2.7, 5.4). ``not_written``: it has no
    copy yet. ``cancelled`` and ``declined``: it did not take place (2.1). ``all_day`` and ``free``: it takes
    none of the day's hours.
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


#: The event took place and stands in the archive; it only takes no hours. Its category still matters.
WITHOUT_HOURS: Final = frozenset({WhyNot.ALL_DAY, WhyNot.FREE})
NOT_TAKEN_PLACE: Final = frozenset({WhyNot.CANCELLED, WhyNot.DECLINED})
#: Where one event stands in several archives, this is asked in order; None is an event that counts. What its
#: owner decided or edited comes first of all, then that a meeting has its time, then what the source says. An
#: archive that has no copy of it says least.
DECIDED: Final = frozenset({WhyNot.LEFT_OUT_BY_RESOLUTION, WhyNot.SUPERSEDED})
MODIFIED: Final = frozenset({WhyNot.CONSUMED})
AS_IN_THE_SOURCE: Final = WITHOUT_HOURS | NOT_TAKEN_PLACE

type Fact = Literal[
    "state", "left_out", "excluded", "written", "is_cancelled", "is_declined", "is_all_day", "show_as"
]


@dataclass(frozen=True, slots=True)
class CountingFacts:
    """What decides whether an event counts, as the tables hold it.

    ``state`` and ``left_out`` are those of the map (``ArchivedEventState``, ``LeftOut``), ``excluded`` that
    of the appointment (``Exclusion``). ``written``: there is an appointment. The other facts are those of the
    appointment, so an owner's edit outranks a modification, and that outranks the source.
    """

    state: str
    left_out: str | None = None
    excluded: str | None = None
    written: bool = True
    is_cancelled: bool = False
    is_declined: bool = False
    is_all_day: bool = False
    show_as: str = "busy"


@dataclass(frozen=True, slots=True)
class CountingRule:
    """The event counts as no time, for this reason, if the fact has one of these values."""

    reason: WhyNot
    fact: Fact
    values: tuple[str | bool, ...]


#: In the order of ``WhyNot``. A state that the map does not know yet matches nothing.
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
    """Why the event counts as no time; None if it counts.

    An event whose source is gone (``source_deleted``) counts: the archive is the record of what was (2.4).
    """
    return next((rule.reason for rule in RULES if getattr(facts, rule.fact) in rule.values), None)
