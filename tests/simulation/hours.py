"""What counts as time: the product's answer for each row against what its calendar shows (domain.md 2.18)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.domain.appointments import counting
from tests.simulation.source_keys import Json, archive_key_of, is_superseded

type Row = Mapping[str, Any]

# What a copy that says that it is superseded may be told as: modifications of a meeting say it, too.
_REPLACED = ("superseded", "consumed")
_FACTS = ("excluded", "is_cancelled", "is_declined", "is_all_day", "show_as")


def check_hours(
    rows: Sequence[Row],
    appointments: Sequence[Row],
    copies: Sequence[Json],
    living: Mapping[str, Json],
    unsure: Collection[str],
) -> list[str]:
    """Rows that count and should not, or the other way round.

    ``living``: the source events by the keys of their rows; what takes place is asked of them alone.
    ``unsure``: keys of rows whose owner changed the copy or decided about it, or whose period is locked.
    """
    recorded = {each["archived_event_id"]: each for each in appointments}
    by_key = {archive_key_of(copy): copy for copy in copies}
    problems = []
    for row in rows:
        record, copy = recorded.get(row["id"]), by_key.get(row["archive_key"])
        item = living.get(row["source_key"])
        if row["source_key"] in unsure and row["state"] != "removed_by_owner":
            continue
        found = _why_not(row, record)
        wanted = copy is not None and item is not None and _is_time(copy) and _takes_place(item)
        if found is not None and copy is not None and is_superseded(copy) and str(found) not in _REPLACED:
            problems.append(f"the copy of {row['source_key'][-24:]} is superseded and told as {found}")
        if copy is not None and item is None:
            continue
        if (found is None) != wanted:
            told = "counts" if found is None else f"does not count ({found})"
            problems.append(
                f"{row['state']} row {row['source_key'][-24:]} {told}, its calendar says otherwise"
            )
    return problems


def check_reasons(
    rows: Sequence[Row], appointments: Sequence[Row], reasons: Mapping[str, str], unsure: Collection[str]
) -> list[str]:
    """Rows that are told as something else than what the rules made of their events, by key.

    ``unsure``: keys of rows whose owner changed the copy, or whose period is locked. What an answer
    superseded is told as that.
    """
    recorded = {each["archived_event_id"]: each for each in appointments}
    problems = []
    for row in rows:
        key = row["source_key"]
        if key in unsure or key not in reasons:
            continue
        found = _why_not(row, recorded.get(row["id"]))
        if found not in (reasons[key], counting.WhyNot.SUPERSEDED):
            problems.append(f"{row['state']} row {key[-24:]} is told as {found}, not as {reasons[key]}")
    return problems


def _why_not(row: Row, record: Row | None) -> counting.WhyNot | None:
    facts = {name: record[name] for name in _FACTS} if record is not None else {}
    return counting.why_not(
        counting.CountingFacts(
            state=row["state"], left_out=row["left_out"], written=record is not None, **facts
        )
    )


def _is_time(copy: Json) -> bool:
    return copy["showAs"] != "free" and not copy["isAllDay"]


def _takes_place(item: Json) -> bool:
    declined = (item.get("responseStatus") or {}).get("response") == "declined"
    return not item["isCancelled"] and not declined
