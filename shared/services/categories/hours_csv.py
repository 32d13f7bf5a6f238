"""Statistics as CSV (RFC 4180): one record for each total of each period or of the whole range."""

from collections.abc import Iterator
from typing import Final

from shared.schemas.category_reports import StatisticsResource, StatisticsTotals, TallyResource
from shared.services.audit.export import ExportFile, csv_line, safe_cell

COLUMNS: Final = (
    *("period", "first_day", "last_day", "kind", "customer", "billing_type"),
    *("events", "hours", "net_hours"),
)
#: Records that add up to ``total`` come before it. Records after it are parts of it, or in no total.
_BEFORE: Final = ("ambiguous",)
_AFTER: Final = ("personal", "invalid", "total", "special", "source_deleted", "private")


def statistics_csv(found: StatisticsResource) -> ExportFile:
    """The file. ``period`` is empty for the whole range. With periods, the whole range has no records.

    In each period, ``ambiguous``, ``customer``, ``personal`` and ``invalid`` add up to ``total``. ``special``
    and ``source_deleted`` are parts of it.
    """
    content = bytearray(csv_line(COLUMNS))
    for cells in _records(found):
        content += csv_line([safe_cell(cell) for cell in cells])
    return ExportFile(bytes(content), "text/csv; charset=utf-8; header=present", "statistics.csv")


def _records(found: StatisticsResource) -> Iterator[tuple[str, ...]]:
    if found.periods is None:
        yield from _of(found, ("", "", ""))
        return
    for each in found.periods:
        yield from _of(each, (each.name, each.first_day.isoformat(), each.last_day.isoformat()))


def _of(totals: StatisticsTotals, period: tuple[str, str, str]) -> Iterator[tuple[str, ...]]:
    for kind in _BEFORE:
        yield *period, kind, "", "", *_numbers(getattr(totals, kind))
    for line in totals.lines:
        yield *period, "customer", line.customer, str(line.billing_type), *_numbers(line)
    for kind in _AFTER:
        yield *period, kind, "", "", *_numbers(getattr(totals, kind))


def _numbers(found: TallyResource) -> tuple[str, str, str]:
    return str(found.count), f"{found.hours:.2f}", f"{found.net_hours:.2f}"
