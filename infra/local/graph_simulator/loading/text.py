"""Bytes of an iCalendar file to components with their properties. Every property knows its line.

RFC 5545 3.1: lines are folded by octets, so bytes are unfolded before they are decoded. Common mistakes are
corrected:
- blank lines, bare CR or LF, a line break inside a text,
- a colon in a parameter without quotes,
- quoted-printable, or Latin-1, without saying so.
"""

import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}(?=[;:])")
_DATE_BEGINS = re.compile(r"\s*(?:\d{8}|\d{4}-\d\d-\d\d|[+-]?P)")
_DATES = frozenset(
    {"DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE", "DUE", "CREATED", "LAST-MODIFIED"}
)
_TEXTS = frozenset({"SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT", "X-ALT-DESC"})
_PEOPLE = frozenset({"ATTENDEE", "ORGANIZER"})
_CHARSET = re.compile(rb";CHARSET=\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_QUOTED_PRINTABLE = re.compile(rb"[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DEEPEST = 20


@dataclass(slots=True)
class Property:
    """One content line. Names of properties and parameters are upper-case, the value is as it stands."""

    name: str
    params: dict[str, str]
    value: str
    line: int


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END; ``whole`` is False if the file ends inside it."""

    kind: str
    line: int
    properties: list[Property] = field(default_factory=list)
    parts: list["Component"] = field(default_factory=list)
    whole: bool = True
    file: str = ""
    #: What its reader assumed.
    remarks: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """Every property of a name, in order."""
        return [each for each in self.properties if each.name == name]

    def first(self, name: str) -> Property | None:
        """The first property of a name."""
        return next((each for each in self.properties if each.name == name), None)

    def value(self, name: str) -> str:
        """The first value of a name, trimmed, empty if there is none."""
        found = self.first(name)
        return found.value.strip() if found is not None else ""

    def walk(self, kind: str) -> Iterator["Component"]:
        """Every component of a kind in here, however deep."""
        for part in self.parts:
            if part.kind == kind:
                yield part
            yield from part.walk(kind)


def read_components(raw: bytes, file: str = "") -> list[Component]:
    """The outermost components of a file, in order; never raises, whatever the bytes are."""
    outermost: list[Component] = []
    opened: list[Component] = []
    loose: list[str] = []
    for number, text in _logical_lines(raw):
        found = _property(text, number)
        if found is None:
            loose.append(text)
            continue
        if loose:
            _continue(opened, loose)
            loose = []
        if found.name == "BEGIN":
            _begin(opened, outermost, Component(found.value.strip().upper(), number, file=file))
        elif found.name == "END":
            _end(opened, found.value.strip().upper())
        elif opened:
            opened[-1].properties.append(found)
    for component in opened:
        component.whole = False
    return outermost


def _begin(opened: list[Component], outermost: list[Component], component: Component) -> None:
    inside = next((n for n, each in enumerate(opened) if each.kind == component.kind), None)
    if component.kind in ("VCALENDAR", "VEVENT", "VTIMEZONE") and inside is not None:
        # The END of the one before is missing: neither of them holds its own kind.
        del opened[inside:]
    if opened and len(opened) < _DEEPEST:
        opened[-1].parts.append(component)
    elif not opened:
        outermost.append(component)
    opened.append(component)


def _end(opened: list[Component], kind: str) -> None:
    for number in range(len(opened) - 1, -1, -1):
        if opened[number].kind == kind:
            del opened[number:]
            return


def _continue(opened: list[Component], loose: list[str]) -> None:
    """Lines that are no properties: a text whose writer forgot to escape its line breaks."""
    if opened and opened[-1].properties and opened[-1].properties[-1].name in _TEXTS:
        last = opened[-1].properties[-1]
        last.value = "\\n".join([last.value, *loose])


def _logical_lines(raw: bytes) -> Iterator[tuple[int, str]]:
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _wide(raw)
    if encoding is not None:
        for number, line in _unfolded(raw.decode(encoding, "replace").encode()):
            yield number, line.decode("utf-8-sig", "replace")
        return
    for number, line in _unfolded(raw.removeprefix(codecs.BOM_UTF8)):
        yield number, _decoded(line)


def _wide(raw: bytes) -> str | None:
    """UTF-16 that shows itself by its zeros, without a mark."""
    head = raw[:200]
    if len(head) < 4 or head.count(0) * 3 < len(head):
        return None
    return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"


def _unfolded(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole lines with the number of their first one; blank lines count and are left out."""
    parts: list[bytes] = []
    first = 1
    soft = False
    for number, line in enumerate(raw.splitlines(), 1):
        if not line:
            continue
        if parts and (soft or line[:1] in (b" ", b"\t")):
            parts.append(line if soft and line[:1] not in (b" ", b"\t") else line[1:])
        else:
            if parts:
                yield first, b"".join(parts)
            parts, first = [line], number
        soft = line.endswith(b"=") and _QUOTED_PRINTABLE.match(parts[0]) is not None
        if soft:
            parts[-1] = parts[-1][:-1]
    if parts:
        yield first, b"".join(parts)


def _decoded(line: bytes) -> str:
    if _QUOTED_PRINTABLE.match(line) is not None:
        head, _, value = line.partition(b":")
        line = head + b":" + quopri.decodestring(value).replace(b"\r\n", b"\\n").replace(b"\n", b"\\n")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        said = _CHARSET.search(line)
    for name in (said[1].decode("ascii") if said else "cp1252", "cp1252"):
        try:
            return line.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return line.decode("latin-1")


def _property(text: str, number: int) -> Property | None:
    match = _NAME.match(text.lstrip("\ufeff \t"))
    if match is None:
        return None
    text = text.lstrip("\ufeff \t")
    # vCalendar and some writers group properties: item1.SUMMARY.
    name = match[0].rpartition(".")[2].upper()
    colon = _colon(text, match.end())
    if colon is None:
        return None
    if name in _DATES and not _DATE_BEGINS.match(text, colon + 1):
        # TZID=(UTC-05:00) Eastern Time:20260706T090000, the quotes forgotten.
        later = (at.start() for at in re.finditer(":", text) if at.start() > colon)
        colon = next((at for at in later if _DATE_BEGINS.match(text, at + 1)), colon)
    elif name in _PEOPLE and not text[colon + 1 :].lower().lstrip().startswith("mailto:"):
        meant = text.lower().rfind(":mailto:")
        colon = max(colon, meant)
    return Property(name, _params(text, match.end(), colon), text[colon + 1 :], number)


def _colon(text: str, start: int) -> int | None:
    """Where the value begins: the first colon outside of quotes."""
    if text[start] == ":":
        return start
    quoted = False
    for position in range(start, len(text)):
        letter = text[position]
        if letter == '"':
            quoted = not quoted
        elif letter == ":" and not quoted:
            return position
    # An odd quote: the first colon at all.
    found = text.find(":", start)
    return found if found >= 0 else None


def _params(text: str, start: int, end: int) -> dict[str, str]:
    found: dict[str, str] = {}
    piece, quoted = start + 1, False
    for position in range(start + 1, end + 1):
        letter = text[position] if position < end else ";"
        if letter == '"' and position < end:
            quoted = not quoted
        elif letter == ";" and (not quoted or position == end):
            key, equals, value = text[piece:position].partition("=")
            if equals:
                found.setdefault(key.strip().upper(), _unquoted(value))
            piece = position + 1
    return found


def _unquoted(value: str) -> str:
    """RFC 5545 3.2, RFC 6868: quotes are no part of a value, ``^`` escapes what must not stand in it."""
    bare = value.strip().replace('"', "")
    if "^" not in bare:
        return bare
    return re.sub(r"\^([n'^])", lambda match: {"n": "\n", "'": '"', "^": "^"}[match[1]], bare)
