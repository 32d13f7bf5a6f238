"""How often what happened in the worlds, and what has to happen for a hundred of them to say anything."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.simulation import rule_counts
from tests.simulation.database_faults import Break
from tests.simulation.fault_sites import FaultSites
from tests.simulation.graph_faults import Kind
from tests.simulation.mishaps import Mishap

_ELSEWHERE = {kind.name for kind in Kind if kind.name.startswith("PART_")} | {"STALE", "SLOW"}
#: A world whose copies are kept in our own database.
LOCAL_ARCHIVE = "archive in the database"
#: A world whose archive calendar was deleted and made again.
REBUILT = "archive calendar made again"
#: At least how often each kind of fault must strike, and each kind of world come, in a hundred seeds.
_WORLDS = (LOCAL_ARCHIVE, REBUILT)
LEAST = {str(kind): 3 for kind in (*Kind, *Mishap, Break.BEFORE, Break.AFTER, Break.SERIALIZATION, *_WORLDS)}
#: Its two places are one fault, and it is rare.
RESTART = "PostgreSQL restarted"


def of(verdict: Any) -> Counter[str]:
    """The numbers among a verdict's facts."""
    totals: Counter[str] = Counter()
    for fact, value in verdict.facts.items():
        totals.update(value if isinstance(value, dict) else {fact: int(value)})
    return totals


def missing(totals: Mapping[str, int]) -> list[str]:
    """Kinds of faults, and of worlds, that a hundred seeds should have had and had not."""
    found = [
        f"{kind} ({totals.get(kind, 0)})" for kind, least in LEAST.items() if totals.get(kind, 0) < least
    ]
    return found if restarts(totals) else [*found, RESTART]


def restarts(totals: Mapping[str, int]) -> int:
    """How often PostgreSQL was restarted."""
    return sum(totals.get(str(kind), 0) for kind in (Break.RESTART_BEFORE, Break.RESTART_AFTER))


#: The faults that can strike at places whose names begin so.
FAULTS_OF: dict[str, tuple[str, ...]] = {
    "Graph: ": tuple(str(kind) for kind in Kind if kind.name not in _ELSEWHERE),
    "Graph part: ": tuple(str(kind) for kind in Kind if kind.name.startswith("PART_")),
    **dict.fromkeys(("Graph: read", "Graph: find", "Graph part: read"), (str(Kind.STALE), str(Kind.SLOW))),
    "database: ": (str(Break.BEFORE), str(Break.AFTER), str(Mishap.CRASH_AT_CALL)),
    "activity: ": (
        *(str(Mishap.CRASH_AT_CALL), str(Mishap.CRASH_AT_TIME), str(Mishap.CANCELLED)),
        *(str(Mishap.TWIN), str(Mishap.ZOMBIE)),
    ),
}


def table(sites: FaultSites, rules: Mapping[str, int]) -> str:
    """Every place with what struck there, every rule with how often it fired, and what never happened."""
    lines = ["faults by the place they struck:"]
    rows = sites.rows(FAULTS_OF)
    for place in dict.fromkeys(row[0] for row in rows):
        struck = "; ".join(f"{_short(fault)} {count}" for where, fault, count, _ in rows if where == place)
        lines.append(f"  {place} (passed {sites.passed[place]}): {struck}")
    lines.append("rules and outcomes:")
    lines += [f"{rules.get(rule, 0):10} {rule}" for rule in rule_counts.RULES]
    never = [f"{place}, {_short(fault)}" for place, fault, count, _ in rows if not count]
    never += [rule for rule in rule_counts.RULES if not rules.get(rule)]
    lines.append(f"never happened: {len(never)}" + "".join(f"\n  {each}" for each in never))
    return "\n".join(lines)


def _short(fault: str) -> str:
    return fault.partition(": ")[2] or fault


def line(totals: Mapping[str, int]) -> str:
    """The totals in a few words."""
    graph = sum(totals.get(str(kind), 0) for kind in Kind)
    database = sum(totals.get(str(kind), 0) for kind in (Break.BEFORE, Break.AFTER, Break.SERIALIZATION))
    runs = sum(count for fact, count in totals.items() if fact.startswith("run "))
    hosts = sum(totals.get(str(kind), 0) for kind in Mishap)
    return (
        f"faults: {graph} Graph, {database} database, {restarts(totals)} restarts, {hosts} hosts;"
        f" {runs} runs, {totals.get('events', 0)} events, {totals.get('copies', 0)} copies"
    )
