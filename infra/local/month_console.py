"""A month on the console: one calm page, at most 100 columns, coloured only on a terminal.

Every number is the API's (``GET /months/{yyyy-mm}``).
"""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from infra.local.month_report import figures

WIDEST = 100
#: Below it columns of less weight are left out.
_NARROW = 72
_MOST_ITEMS = 10
_MOST_OVERLAPS = 6
_STYLES = {
    "billable": "cyan",
    "non_billable": "blue",
    "without_category": "yellow",
    "ambiguous": "red",
    "private": "bright_black",
}
_GLYPHS = {"billable": "█", "non_billable": "▓", "without_category": "░", "ambiguous": "▒", "private": "·"}
_PLAIN = {"billable": "#", "non_billable": "=", "without_category": "-", "ambiguous": "!", "private": "."}
_NAMES = {
    "billable": "billable",
    "non_billable": "non-billable",
    "without_category": "no category",
    "ambiguous": "two categories",
    "private": "private",
}


def console(file: TextIO | None = None) -> Console:
    """As wide as the terminal, and no wider than a page."""
    columns = shutil.get_terminal_size((WIDEST, 24)).columns
    return Console(
        file=file or sys.stdout,
        width=max(min(columns, WIDEST), 20),
        highlight=False,
        emoji=False,
        markup=False,
    )


def print_month(
    to: Console,
    month: Mapping[str, Any],
    *,
    source: str,
    overview: Sequence[Mapping[str, Any]] = (),
    read: Sequence[str] = (),
) -> None:
    """The page. ``overview`` are all months of the file, ``read`` is what was not read of it, in lines."""
    page = _Page(to, month)
    with to.capture() as captured:
        _print(to, page, source, overview, read)
    # Tables are padded to the width of the page; nobody needs blanks at the ends of lines.
    to.file.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _print(
    to: Console,
    page: "_Page",
    source: str,
    overview: Sequence[Mapping[str, Any]],
    read: Sequence[str],
) -> None:
    to.print(page.heading(source))
    to.print()
    to.print(page.weeks())
    for title, parts in (
        ("Customers", page.customers()),
        ("What needs you", page.attention()),
        ("Overlaps", page.overlaps()),
        ("Changed meetings", page.modifications()),
        ("Missing working hours", page.missing()),
        ("Not counted", page.not_counted()),
        ("The file", [Text(clean(line, keep_indent=True)) for line in read if line]),
        ("Other months", page.others(overview)),
    ):
        found = list(parts)
        if found:
            to.print()
            to.print(Text(title, style="bold"))
            to.print(Padding(Group(*found), (0, 0, 0, 2)))


def clean(text: str, *, keep_indent: bool = False) -> str:
    """Without control characters: what stands in a calendar must not command a terminal."""
    plain = "".join(
        " "
        if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in "\u202a\u202b\u202d\u202e"
        else each
        for each in text
    )
    return plain if keep_indent else " ".join(plain.split())


class _Page:
    """The parts of one month."""

    def __init__(self, to: Console, month: Mapping[str, Any]) -> None:
        self._month = month
        self._zone = ZoneInfo(month["time_zone"])
        self._width = to.width
        self._narrow = to.width < _NARROW
        fits = (to.encoding or "").lower().replace("-", "").startswith("utf")
        self._glyphs = _GLYPHS if fits else _PLAIN
        self._kinds = [kind for kind in _NAMES if month[kind]["count"]]

    def heading(self, source: str) -> RenderableType:
        month, before = self._month, self._month["before"]
        first = date.fromisoformat(month["first_day"])
        title = Text(f"{first:%B %Y}", style="bold")
        title.append(f"  {clean(month['display_name'])}", style="bold")
        about = Text(f"{source}, times in {month['time_zone']}", style="dim")
        net = Text(f"{hours(month['total']['net_hours'])} h net", style="bold")
        for kind, net_hours in figures(month):
            if net_hours or kind in ("billable", "non_billable"):
                net.append(f"  {hours(net_hours)} {_NAMES[kind]}", style=f"not bold {_STYLES[kind]}")
        earlier = date.fromisoformat(f"{before['month']}-01")
        count = month["total"]["count"]
        compared = Text(
            f"{hours(month['total']['hours'])} h gross of {count} {'event' if count == 1 else 'events'}; "
            f"{earlier:%B}: {hours(before['total']['net_hours'])} h net",
            style="dim",
        )
        return Group(title, about, Text(), net, compared)

    def weeks(self) -> RenderableType:
        table = self._table()
        table.add_column("Week")
        for name in ("Net", "Billable"):
            table.add_column(name, justify="right")
        shown = ["total", "billable"]
        if not self._narrow:
            shown += ["non_billable", "without_category"]
            table.add_column("Non-billable", justify="right")
            table.add_column("No category", justify="right")
        table.add_column("")
        weeks = self._month["weeks"]
        longest = max((sum(value for _, value in figures(each)) for each in weeks), default=0.0)
        room = max(self._width - (38 if self._narrow else 66), 6)
        for each in weeks:
            cells = [hours(each[kind]["net_hours"]) for kind in shown]
            table.add_row(
                _span(each["first_day"], each["last_day"]), *cells, self._bar(figures(each), longest, room)
            )
        legend = Text()
        for kind in self._kinds:
            legend.append(self._glyphs[kind], style=_STYLES[kind])
            legend.append(f" {_NAMES[kind]}  ", style="dim")
        return Group(table, legend) if self._kinds else table

    def customers(self) -> Iterator[RenderableType]:
        customers = self._month["customers"]
        if not customers:
            return
        table = self._table()
        table.add_column("", overflow="fold", ratio=1)
        table.add_column("Billable", justify="right")
        table.add_column("Non-billable" if not self._narrow else "Non-b.", justify="right")
        before = date.fromisoformat(f"{self._month['before']['month']}-01")
        table.add_column(f"{before:%b}", justify="right", style="dim")
        for each in customers:
            table.add_row(
                clean(each["customer"]),
                hours(each["billable"]["net_hours"]),
                hours(each["non_billable"]["net_hours"]),
                hours(each["net_hours_before"]),
            )
        yield table

    def attention(self) -> Iterator[RenderableType]:
        items = self._month["attention"]
        if not items:
            yield Text(
                "Nothing: every event has one valid category, and no time counts twice.", style="green"
            )
            return
        table = self._table(header=False)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for each in items[:_MOST_ITEMS]:
            body = Text(clean(each["name"]), style="bold")
            times = f"{each['count']} ×, " if each["count"] > 1 and each["kind"] != "overlap" else ""
            when = _span(_day(each["first_start"], self._zone), _day(each["last_start"], self._zone))
            body.append(f"  {times}{when}", style="not bold dim")
            body.append(f"\n{clean(each['reason'])}", style="not bold")
            body.append(f"\n{clean(each['remedy'])}", style="not bold green")
            table.add_row(Text(f"{hours(each['hours'])} h", style="yellow"), body)
        yield table
        yield from _more(items, _MOST_ITEMS)

    def overlaps(self) -> Iterator[RenderableType]:
        groups = self._month["overlaps"]
        for group in groups[:_MOST_OVERLAPS]:
            at_stake = group["hours_waiting"] or group["hours_twice"]
            text = Text(f"{_weekday(group['start'], self._zone)}", style="bold")
            text.append(f"  {clean(group['note'])}", style="not bold dim")
            if at_stake:
                text.append(f"  {hours(at_stake)} h", style="not bold yellow")
            for member in group["members"]:
                text.append(
                    f"\n  {_time(member['start'], self._zone)} – {_time(member['end'], self._zone)}"
                    f"  {clean(member['subject']) or '(no subject)'}",
                    style="not bold",
                )
                if not member["counts"]:
                    text.append("  (does not count)", style="not bold dim")
            if at_stake:
                text.append(f"\n  {_proposal(group)}", style="not bold green")
            yield text
        yield from _more(groups, _MOST_OVERLAPS)

    def modifications(self) -> Iterator[RenderableType]:
        applied, not_applied = self._month["modifications"], self._month["unapplied_modifications"]
        for each in applied[:_MOST_ITEMS]:
            yield Text(f"{_weekday(each['start'], self._zone)}  {clean(each['subject'])}: {each['text']}")
        yield from _more(applied, _MOST_ITEMS)
        for each in not_applied[:_MOST_ITEMS]:
            when = f"{_weekday(each['start'], self._zone)} {_time(each['start'], self._zone)}"
            yield Text(
                f"{when}  {clean(each['subject'])}: not applied, {clean(each['reason'])}", style="yellow"
            )
        yield from _more(not_applied, _MOST_ITEMS)

    def missing(self) -> Iterator[RenderableType]:
        days = [day for day in self._month["days"] if day["missing_hours"]]
        if days:
            alike: dict[float, list[str]] = {}
            for day in days:
                alike.setdefault(day["missing_hours"], []).append(str(date.fromisoformat(day["day"]).day))
            told = "; ".join(
                f"{hours(each)} on {', '.join(alike[each])}" for each in sorted(alike, reverse=True)
            )
            total, workday = hours(self._month["missing_hours"]), hours(self._month["workday_hours"])
            yield Text(f"{total} h, of {workday} h a working day")
            yield Text(told, style="dim")

    def not_counted(self) -> Iterator[RenderableType]:
        reasons = self._month["not_counted"]
        if reasons:
            yield Text(", ".join(f"{each['count']} {each['reason']}" for each in reasons))

    def others(self, overview: Iterable[Mapping[str, Any]]) -> Iterator[RenderableType]:
        others = [each for each in overview if each["name"] != self._month["month"]]
        if others:
            told = ", ".join(f"{each['name']} {hours(each['total']['net_hours'])} h" for each in others)
            yield Text(f"{told}\n--month yyyy-mm shows one of them.", style="dim")

    def _bar(self, parts: Sequence[tuple[str, float]], longest: float, room: int) -> Text:
        bar, drawn, told = Text(no_wrap=True), 0, 0.0
        for kind, value in parts:
            told += value
            until = round(room * told / longest) if longest else 0
            bar.append(self._glyphs[kind] * (until - drawn), style=_STYLES[kind])
            drawn = until
        return bar

    def _table(self, *, header: bool = True) -> Table:
        return Table(box=None, show_header=header, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))


def hours(value: float) -> str:
    """Two places."""
    return f"{value:.2f}"


def _proposal(group: Mapping[str, Any]) -> str:
    proposal = group["proposal"]
    if proposal is None:
        return "No rule decides."
    kept = [clean(each["subject"]) for each in group["members"] if each["source_key"] in proposal["kept"]]
    return f"The rule would keep {', '.join(kept)}: {proposal['reason']}."


def _more(items: Sequence[object], shown: int) -> Iterator[RenderableType]:
    if len(items) > shown:
        yield Text(f"and {len(items) - shown} more: --report FILE.html shows all", style="dim")


def _local(instant: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(instant).astimezone(zone)


def _day(instant: str, zone: ZoneInfo) -> str:
    return _local(instant, zone).date().isoformat()


def _time(instant: str, zone: ZoneInfo) -> str:
    return f"{_local(instant, zone):%H:%M}"


def _weekday(instant: str, zone: ZoneInfo) -> str:
    return _short(_day(instant, zone))


def _short(day: str) -> str:
    found = date.fromisoformat(day)
    return f"{found:%a} {found.day} {found:%b}"


def _span(first: str, last: str) -> str:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    if begin == end:
        return f"{begin.day} {begin:%b}"
    same = (begin.year, begin.month) == (end.year, end.month)
    return f"{begin.day} – {end.day} {end:%b}" if same else f"{begin.day} {begin:%b} – {end.day} {end:%b}"
