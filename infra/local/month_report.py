"""The months of a calendar file, as the API answers them; nothing is added up here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local.api import Api
from infra.local.calendar_file import CalendarFile
from infra.local.errors import LocalError
from infra.local.stack import Stack

#: A month is shown unasked once so much of it is over.
_BEGUN = timedelta(days=7)
#: The API takes 400 days.
_LONGEST_DAYS = 400


@dataclass(frozen=True, slots=True)
class MonthWish:
    """What the command line says: which month is shown, where page and lines go, whether all are told."""

    month: str | None = None
    report: Path | None = None
    lines: Path | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Months:
    """``weeks`` and ``overview`` (months with an hour) are those of the whole file, ``shown`` is one month.

    ``hours`` are the statistics of the whole range by week, None where it is longer than the API takes.
    ``everything`` holds all months with an event, if they were asked for.
    """

    weeks: list[dict[str, Any]]
    hours: dict[str, Any] | None
    overview: list[dict[str, Any]]
    shown: dict[str, Any]
    everything: list[dict[str, Any]] = field(default_factory=list)
    page: bytes | None = None
    lines: bytes | None = None


async def find(
    stack: Stack,
    file: CalendarFile,
    configuration_id: str,
    wish: MonthWish,
    tell: Callable[[str], None],
) -> Months:
    """Ask as the file's own person. Raises LocalError when the API refuses."""
    token = await stack.token(file.person.address, ("User",))
    api = Api(stack.client, stack.api, token)
    about: dict[str, Any] = {"configuration_id": configuration_id, "time_zone": file.person.time_zone}

    async def statistics(period: str) -> list[dict[str, Any]]:
        found = []
        for first, last in _parts(file, period):
            days: dict[str, Any] = {
                "first_day": first.isoformat(),
                "last_day": last.isoformat(),
                "group_by": period,
            }
            found.append(dict((await api.request("GET", "categories/statistics", **about, **days)).json()))
        return found

    by_week = await statistics("week")
    weeks = [each for part in by_week for each in part["periods"]]
    overview = [
        each for part in await statistics("month") for each in part["periods"] if each["total"]["count"]
    ]
    name = wish.month or _chosen(overview, file)

    async def month(name: str, form: str = "json") -> Any:
        return await api.request("GET", f"months/{name}", **about, format=form)

    tell(f"reading {name}")
    shown = dict((await month(name)).json())
    everything = []
    if wish.everything:
        names = dict.fromkeys([name, *_names(file)])
        for number, each in enumerate(sorted(names), start=1):
            found = shown if each == name else (await month(each)).json()
            if found["events"] or found["not_counted"] or each == name:
                everything.append(found)
            tell(f"reading the months: {number} of {len(names)}")
    return Months(
        weeks,
        by_week[0] if len(by_week) == 1 else None,
        overview,
        shown,
        everything,
        page=(await month(name, "html")).content if wish.report else None,
        lines=(await month(name, "csv")).content if wish.lines else None,
    )


def as_json(months: Months) -> dict[str, Any]:
    """For programs: everything, as the API gave it."""
    return {"hours": months.hours, "month": months.shown["month"], "months": months.everything}


def write(found: Months, wish: MonthWish, stem: str | None) -> list[Path]:
    """Write page and lines; ``stem`` is put into the names where several files are reported.

    Raises LocalError naming what cannot be written.
    """
    written = []
    for path, content in ((wish.report, found.page), (wish.lines, found.lines)):
        if path is None or content is None:
            continue
        target = path if stem is None else path.with_name(f"{path.stem}-{stem}{path.suffix}")
        try:
            target.write_bytes(content)
        except OSError as error:
            raise LocalError(f"cannot write {target}: {error.strerror}") from error
        written.append(target)
    return written


def _chosen(overview: list[dict[str, Any]], file: CalendarFile) -> str:
    """The latest month with an hour of which a week is over, else the first with one."""
    names = [str(each["name"]) for each in overview]
    begun = [name for name in names if date.fromisoformat(f"{name}-01") + _BEGUN <= datetime.now(UTC).date()]
    if begun:
        return begun[-1]
    return names[0] if names else f"{file.start:%Y-%m}"


def _parts(file: CalendarFile, period: str) -> Iterator[tuple[date, date]]:
    """The range in parts that the API accepts, each beginning with a week or a month: no period is cut."""
    first, last = file.start, file.end - timedelta(days=1)
    while (last - first).days >= _LONGEST_DAYS:
        cut = first + timedelta(days=_LONGEST_DAYS - 31)
        cut = cut.replace(day=1) if period == "month" else cut - timedelta(days=cut.weekday())
        yield first, cut - timedelta(days=1)
        first = cut
    yield first, last


def _names(file: CalendarFile) -> list[str]:
    """Every month of the file's range."""
    found, day = [], file.start.replace(day=1)
    while day < file.end:
        found.append(f"{day:%Y-%m}")
        day = (day + timedelta(days=31)).replace(day=1)
    return found


def figures(found: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The kinds of a month or a week with their net hours, in the order in which they are told."""
    kinds = ("billable", "non_billable", "without_category", "ambiguous", "private")
    return [(kind, float(found[kind]["net_hours"])) for kind in kinds]
