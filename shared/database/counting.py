"""What counts as time, in SQL: ``shared.domain.appointments.counting`` as one expression (domain.md 2.18).

Lists are filtered and paged by it, so it must agree with the domain. A test compares both for every
combination of facts.
"""

from shared.domain.appointments.counting import AS_IN_THE_SOURCE, DECIDED, MODIFIED, RULES, Fact, WhyNot

#: Columns of the map. Every other fact is a column of ``appointments``.
_OF_THE_MAP = frozenset({"state", "left_out"})


def why_not_sql(appointment: str, entry: str, written: str = "true") -> str:
    """The reason why an event counts no time, as text. NULL if it counts.

    ``appointment`` and ``entry`` name the rows of ``appointments`` and ``archived_events`` in the statement.
    ``written`` is the condition that an appointment exists.
    """

    def column(fact: Fact) -> str:
        if fact == "written":
            return f"({written})"
        return f"{entry if fact in _OF_THE_MAP else appointment}.{fact}"

    cases = " ".join(
        f"WHEN {column(rule.fact)} IN ({', '.join(map(_literal, rule.values))}) THEN '{rule.reason}'"
        for rule in RULES
    )
    return f"CASE {cases} END"


def precedence_sql(why_not: str, edited: str) -> str:
    """The rank of an archive's verdict on an event; the smallest one wins over other archives (2.18).

    ``why_not`` names the verdict. ``edited`` is the condition that the owner edited the copy.
    """
    return (
        f"CASE WHEN {edited} OR {why_not} IN ({_listed(DECIDED)}) THEN 0"
        f" WHEN {why_not} IN ({_listed(MODIFIED)}) THEN 1"
        f" WHEN {why_not} IS NULL OR {why_not} IN ({_listed(AS_IN_THE_SOURCE)}) THEN 2 ELSE 3 END"
    )


def _listed(reasons: frozenset[WhyNot]) -> str:
    return ", ".join(_literal(reason) for reason in sorted(reasons))


def _literal(value: str | bool) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
