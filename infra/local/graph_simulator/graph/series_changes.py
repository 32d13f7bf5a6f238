"""What becomes of a series' exceptions and deleted dates when the series itself changes.

Facts, each with its source in docs/graph-series.md:

- Exceptions stay while the pattern stays; a changed pattern removes every one, past ones too
  (MS-OXOCAL 3.1.4.7.3.5).
- A new start or end time of a series deletes its exceptions (MS-ASCAL, protocol version 16.0). Exchange's
  other clients are not known to do the same: setting ``exceptions_on_time_change``.
- A changed range keeps what lies inside. Outlook 2010 reset the exceptions then, too: setting
  ``exceptions_on_range_change``.
"""

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.state.model import Event
from infra.local.graph_simulator.values.recurrence import Recurrence
from infra.local.graph_simulator.values.times import Span, require_zone


def change_series(event: Event, span: Span, recurrence: Recurrence | None, settings: Settings) -> None:
    """Give an event new times and a new recurrence (``None``: a single event).

    Its exceptions and deleted dates go or stay as Exchange lets them; the caller renews the stamp.
    """
    former, old = event.recurrence, event.span
    moved = _moves(old, span)
    if moved:
        event.original_zones = None
    event.span, event.recurrence = span, recurrence
    event.forget()
    if former is None or recurrence is None:
        event.overrides.clear()
        event.cancelled.clear()
        return
    repatterned = former.pattern != recurrence.pattern
    if (repatterned or moved) and settings.occurrence_ids == "renewed":
        event.generation += 1
    if repatterned or (moved and settings.exceptions_on_time_change == "reset"):
        event.overrides.clear()
        event.cancelled.clear()
        return
    if former.range != recurrence.range and settings.exceptions_on_range_change == "reset":
        event.overrides.clear()
        event.cancelled.clear()
        return
    _keep_inside(event, span.start.toordinal() - old.start.toordinal())


def _moves(old: Span, new: Span) -> bool:
    """Whether wall-clock times or zones differ; the same zone under another name is no difference."""
    return (
        (old.start, old.end, old.all_day) != (new.start, new.end, new.all_day)
        or require_zone(old.start_zone) != require_zone(new.start_zone)
        or require_zone(old.end_zone) != require_zone(new.end_zone)
    )


def _keep_inside(event: Event, days: int) -> None:
    """Move exceptions and deleted dates along with the series; drop those that it no longer reaches."""
    if not event.overrides and not event.cancelled:
        return
    known = {*event.overrides, *event.cancelled}
    dates = set(event.dates_until(max(known) + days))
    event.overrides = {day + days: one for day, one in event.overrides.items() if day + days in dates}
    event.cancelled = {day + days for day in event.cancelled if day + days in dates}
    event.forget()
