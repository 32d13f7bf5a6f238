"""The CSV that Outlook exports, as a calendar: headings in English, German, French, Spanish and Dutch.

Outlook writes dates and times as its Windows shows them, in local time without a zone, and series as their
single occurrences.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from infra.local.graph_simulator.loading.csv_headings import HEADINGS
from infra.local.graph_simulator.loading.text import Component, Property

_FIELD_OF = {heading: field for field, headings in HEADINGS.items() for heading in headings}
#: French headings say start and end twice: the date, then the time.
_TWICE = {
    "debut": ("start_date", "start_time"),
    "fin": ("end_date", "end_time"),
    "comienzo": ("start_time",),
}
_TRUE = frozenset("true on yes 1 -1 wahr ein ja vrai oui actif verdadero si activado waar aan".split())  # noqa: SIM905
_SENSITIVITIES = {"pri": "PRIVATE", "per": "PRIVATE", "con": "CONFIDENTIAL", "ver": "CONFIDENTIAL"}
_IMPORTANCES = {
    "1": ("high", "hoch", "haute", "elevee", "alta", "hoog"),
    "9": ("low", "niedrig", "faible", "basse", "baja", "laag"),
}
#: The numbers that Outlook writes for the four words of "Show as".
_SHOWN = {"0": "FREE", "1": "TENTATIVE", "2": "BUSY", "3": "FREE", "4": "OOF", "5": "WORKINGELSEWHERE"}
_DATE = re.compile(r"(\d{1,4})\s?[./-]\s?(\d{1,2})\s?[./-]\s?(\d{1,4})\.?")
_TIME = re.compile(r"(\d{1,2})[:.h](\d\d)(?:[:.](\d\d))?\s*([ap])?.{0,6}")
_ADDRESS = re.compile(r"[^\s<>;,:\"']{1,200}@[^\s<>;,:\"']{1,200}")
_NAMED = ("subject", "start_date")
_LARGEST_FIELD = 50_000_000


def read_outlook_csv(raw: bytes, file: str = "") -> Component | None:
    """The table as a VCALENDAR whose times are floating; ``None`` if its headings are not Outlook's."""
    text = _decoded(raw)
    head = text[:4000].split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    csv.field_size_limit(_LARGEST_FIELD)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = _columns(next(rows, []))
        if not all(name in columns.values() for name in _NAMED):
            return None
        read = [(rows.line_num, dict(_named(columns, row))) for row in rows if any(row)]
    except csv.Error:
        return None
    month_first = _month_first([row for _, row in read])
    calendar = Component("VCALENDAR", 1, file=file)
    calendar.remarks = [
        f"{file or 'the table'} names no time zone; --zone says another",
        *_assumed(read, month_first),
    ]
    calendar.parts = [_event(number, row, file, month_first=month_first) for number, row in read]
    return calendar


def _decoded(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _columns(headings: list[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    seen: dict[str, int] = {}
    for number, heading in enumerate(headings):
        plain = _plain(heading)
        seen[plain] = seen.get(plain, 0) + 1
        names = _TWICE.get(plain, ())
        field = names[seen[plain] - 1] if seen[plain] <= len(names) else _FIELD_OF.get(plain)
        if field is not None and field not in found.values():
            found[number] = field
    return found


def _named(columns: dict[int, str], row: list[str]) -> Iterator[tuple[str, str]]:
    for number, field in columns.items():
        yield field, row[number].strip() if number < len(row) else ""


def _plain(text: str) -> str:
    """Without case, accents and doubled blanks."""
    bare = unicodedata.normalize("NFKD", text.strip().casefold())
    return " ".join("".join(each for each in bare if not unicodedata.combining(each)).split())


def _month_first(rows: list[dict[str, str]]) -> bool:
    """Whether 3/2/2026 is in March: by a day over 12 anywhere in the file, else by am and pm."""
    dates = [
        match for row in rows for name in ("start_date", "end_date") if (match := _slashed(row.get(name, "")))
    ]
    if any(int(match[1]) > 12 for match in dates):
        return False
    if any(int(match[2]) > 12 for match in dates):
        return True
    times = [match for row in rows if (match := _TIME.fullmatch(_plain(row.get("start_time", ""))))]
    return bool(dates) and any(match[4] for match in times)


def _assumed(rows: list[tuple[int, dict[str, str]]], month_first: bool) -> list[str]:
    """A remark where no day over 12 says whether the month or the day stands first."""
    dates = [match for _, row in rows if (match := _slashed(row.get("start_date", "")))]
    if not dates or any(int(part) > 12 for match in dates for part in match.groups()[:2]):
        return []
    order = "month before day" if month_first else "day before month"
    return [f"dates like {dates[0][0]} are read as {order}: no date of the table says it"]


def _slashed(text: str) -> re.Match[str] | None:
    match = _DATE.fullmatch(text)
    return match if match is not None and "/" in text and len(match[1]) < 3 else None


def _event(line: int, row: dict[str, str], file: str, *, month_first: bool) -> Component:
    event = Component("VEVENT", line, file=file)

    def add(name: str, value: str, **params: str) -> None:
        event.properties.append(Property(name, params, value, line))

    all_day = _plain(row.get("all_day", "")) in _TRUE or not row.get("start_time", "")
    try:
        start = _moment(row["start_date"], "" if all_day else row["start_time"], month_first)
        end = _moment(
            row.get("end_date") or row["start_date"], "" if all_day else row.get("end_time", ""), month_first
        )
    except ValueError:
        add("DTSTART", " ".join((row["start_date"], row.get("start_time", ""))))
    else:
        pattern = "%Y%m%d" if all_day else "%Y%m%dT%H%M%S"
        value = {"VALUE": "DATE"} if all_day else {}
        if all_day:
            end = max(end, start + timedelta(days=1))
        elif not row.get("end_time"):
            end = start
        add("DTSTART", start.strftime(pattern), **value)
        add("DTEND", end.strftime(pattern), **value)
    for field, name in (("subject", "SUMMARY"), ("description", "DESCRIPTION"), ("location", "LOCATION")):
        if row.get(field):
            add(name, _escaped(row[field]))
    if row.get("categories"):
        add("CATEGORIES", ",".join(_escaped(each.strip()) for each in row["categories"].split(";")))
    _add_people(row, event, line)
    _add_choices(row, event, line)
    return event


def _add_people(row: dict[str, str], event: Component, line: int) -> None:
    """Outlook writes names; only those with an address are people that we can tell."""
    for field, role in (("required", "REQ-PARTICIPANT"), ("optional", "OPT-PARTICIPANT")):
        for address in _ADDRESS.findall(row.get(field, "")):
            params = {"ROLE": role, "PARTSTAT": "X-UNKNOWN"}
            event.properties.append(Property("ATTENDEE", params, f"mailto:{address}", line))
    organizer = _ADDRESS.search(row.get("organizer", ""))
    if organizer is not None:
        event.properties.append(Property("ORGANIZER", {}, f"mailto:{organizer[0]}", line))


def _add_choices(row: dict[str, str], event: Component, line: int) -> None:
    chosen: dict[str, str] = {}
    if _plain(row.get("private", "")) in _TRUE:
        chosen["CLASS"] = "PRIVATE"
    sensitivity = _SENSITIVITIES.get(_plain(row.get("sensitivity", ""))[:3])
    if sensitivity is not None:
        chosen["CLASS"] = sensitivity
    importance = _plain(row.get("importance", ""))
    for priority, words in _IMPORTANCES.items():
        if importance in words:
            chosen["PRIORITY"] = priority
    shown = _SHOWN.get(row.get("show_as", ""))
    if shown is not None:
        chosen["X-MICROSOFT-CDO-BUSYSTATUS"] = shown
    event.properties += [Property(name, {}, value, line) for name, value in chosen.items()]


def _moment(day_text: str, time_text: str, month_first: bool) -> datetime:
    """Raises ``ValueError``."""
    match = _DATE.fullmatch(day_text)
    if match is None:
        raise ValueError(day_text)
    first, second, third = (int(part) for part in match.groups())
    if len(match[1]) > 2:
        year, month, day = first, second, third
    elif "/" in day_text and month_first:
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    if year < 100:
        year += 2000 if year < 70 else 1900
    at = time.min
    if time_text:
        clock = _TIME.fullmatch(_plain(time_text))
        if clock is None:
            raise ValueError(time_text)
        hour = int(clock[1])
        if clock[4]:
            hour = hour % 12 + (12 if clock[4] == "p" else 0)
        at = time(hour, int(clock[2]), int(clock[3] or 0))
    return datetime.combine(date(year, month, day), at)


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (",", "\\,"), (";", "\\;"), ("\r\n", "\\n"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text
