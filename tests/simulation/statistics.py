"""How often what happened in the worlds, and what has to happen for a hundred of them to say anything."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.simulation.database_faults import Break
from tests.simulation.graph_faults import Kind
from tests.simulation.orchestration import Mishap

#: A world whose copies are kept in our own database.
LOCAL_ARCHIVE = "archive in the database"
#: At least how often each kind of fault must strike, and each kind of world come, in a hundred seeds.
LEAST = {
    str(kind): 3 for kind in (*Kind, *Mishap, Break.BEFORE, Break.AFTER, Break.SERIALIZATION, LOCAL_ARCHIVE)
}
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
