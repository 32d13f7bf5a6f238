"""Modifications of a whole set of meetings at once, by the sweep that planning uses."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from shared.domain.planning.modifications import Meeting, Modification, ModificationSweep

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


def apply_modifications(
    meetings: Iterable[Meeting], modifications: Iterable[Modification]
) -> tuple[dict[str, Meeting], dict[str, str | None]]:
    """All meetings after their modifications, and for each modification the meeting that consumed it.

    The order of both inputs does not matter. Modifications are applied in time order to the running
    result; the nearest meeting wins, a tie makes an orphan (domain.md 4.5).
    """
    sweep = ModificationSweep()
    done: dict[str, Meeting] = {}
    consumed: dict[str, str | None] = {}
    for meeting in meetings:
        sweep.add(meeting)
    for modification in modifications:
        sweep.add(modification)
    for result in sweep.advance(_END_OF_TIME):
        if isinstance(result, Meeting):
            done[result.key] = result
        else:
            consumed[result.modification.key] = result.meeting
    return done, consumed
