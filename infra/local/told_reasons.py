"""Why a source event has no copy, event by event, from our API.

The dry run of what was archived names each event that it would change. The writes of a run name each one that
could not be written. An event that neither names has a copy, as far as our database knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.local.api import Api

#: The states of a write that leave an event without a copy (domain.md 2.8, 2.12).
_UNWRITTEN = ("failed", "locked")
#: Most events that a dry run names, and the longest window it takes, in days.
_NAMED = 1000
_LONGEST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Reason:
    """What is said of one source key: an action of the plan, or the state of a write that was not made."""

    kind: str


async def told_reasons(
    api: Api,
    configuration_id: str,
    runs: Sequence[Mapping[str, Any]],
    start: datetime,
    end: datetime,
    expected: int = 0,
) -> dict[str, Reason]:
    """Reasons by source key, for all of ``[start, end)`` that ``runs`` archived.

    ``expected`` is how many there should be. A plan of more than it can name would be useless. A
    configuration that may not be planned (409) has none. Raises LocalError when the API refuses.
    """
    found = await _of_plan(api, configuration_id, start, end, expected)
    for run in runs:
        for state in _UNWRITTEN:
            async for write in api.items(f"archive-runs/{run['id']}/operations", status=state):
                if write["action"] == "create":
                    found[write["source_key"]] = Reason(state)
    return found


async def _of_plan(
    api: Api, configuration_id: str, start: datetime, end: datetime, expected: int
) -> dict[str, Reason]:
    halved = end - start >= timedelta(days=2)
    if end - start <= _LONGEST and (expected <= _NAMED or not halved):
        path = f"archive-configurations/{configuration_id}/plan"
        answer = await api.request(
            "GET",
            path,
            accept=(409,),
            window_start=start.isoformat(),
            window_end=end.isoformat(),
            limit=_NAMED,
        )
        if answer.is_error:
            return {}
        plan = answer.json()
        # A day is not halved: it would end its modifications and overlaps in the middle.
        if not plan["more"] or not halved:
            return {event["source_key"]: _reason(event) for event in plan["events"]}
    middle = start + (end - start) / 2
    middle = middle.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
    first = await _of_plan(api, configuration_id, start, middle, expected // 2)
    return first | await _of_plan(api, configuration_id, middle, end, expected // 2)


def _reason(event: Mapping[str, Any]) -> Reason:
    # A series that changed is kept as it was archived, which the plan tells with a reason (domain.md 2.17).
    kept = event["action"] == "unchanged" and event.get("reason_code")
    return Reason("kept" if kept else str(event["action"]))
