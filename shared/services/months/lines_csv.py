"""The lines of a month as CSV (RFC 4180): one record for each event (domain.md 2.20)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.schemas.months import MonthEventResource, MonthResource
from shared.services.audit.export import ExportFile, csv_line, safe_cell

COLUMNS: Final = (
    *("day", "start", "end", "hours", "net_hours", "customer", "billing_type", "subject", "categories"),
    *("category_status", "counts", "reason_code"),
)


def month_csv(month: MonthResource) -> ExportFile:
    """The file. Times are in the month's zone. An all-day event has none.

    The hours of all lines add up to the gross hours of ``total`` and ``private``, their net hours to the
    net ones. So an invoice bills no minute twice. An event that does not count has a line with its reason
    and no hours.
    """
    zone = ZoneInfo(month.time_zone)
    content = bytearray(csv_line(COLUMNS))
    for event in month.events:
        content += csv_line([safe_cell(cell) for cell in _cells(event, zone)])
    return ExportFile(bytes(content), "text/csv; charset=utf-8; header=present", f"lines-{month.month}.csv")


def _cells(event: MonthEventResource, zone: ZoneInfo) -> Iterator[str]:
    yield event.day.isoformat()
    yield from ("", "") if event.is_all_day else (_time(event.start, zone), _time(event.end, zone))
    yield f"{event.hours:.2f}"
    yield f"{event.net_hours:.2f}"
    yield event.customer or ""
    yield event.billing_type or ""
    yield event.subject
    yield "; ".join(event.categories)
    yield event.category_status or ""
    yield "yes" if event.counts else "no"
    yield event.reason_code or ""


def _time(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
