"""Copies as read back from their calendar, and whether their owner changed them (domain.md 2.6)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

import orjson

from shared.domain.events.event_content import SEEN_FIELDS, EventContent, content_of
from shared.domain.events.source_event import SourceEvent
from shared.domain.json_object import JsonObject

# Exchange may have shortened a subject that is longer than this.
_COMPARED_SUBJECT = 250
_HIDDEN = frozenset({"head", "style", "script", "title"})
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff"))


@dataclass(frozen=True, slots=True)
class Copy:
    """One event of an archive calendar with all or some of our properties."""

    event: SourceEvent
    etag: str
    archive_key: str
    revision: str
    #: ``ArchiveSource``, parsed. Empty if it is absent or unreadable. People can change it.
    source: JsonObject
    #: UTC.
    created: datetime

    @property
    def id(self) -> str:
        """The event's id in its calendar."""
        return self.event.id

    @property
    def start(self) -> datetime:
        """Its start, UTC. For an all-day event, midnight of its date."""
        return self.event.start

    @property
    def is_all_day(self) -> bool:
        """Whether it is an all-day event."""
        return self.event.is_all_day

    @property
    def content(self) -> EventContent:
        """The content, which its owner can change."""
        return content_of(self.event)

    @property
    def takes_time(self) -> bool:
        """Whether the calendar item counts: not free, not all-day, not superseded (domain.md 2.18)."""
        plain = self.event.show_as != "free" and not self.event.is_all_day
        return plain and not self.source.get("superseded")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the normalised content. Equal for copies with the same content."""
        content = _compared(self.event, self.event.is_all_day)
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def parsed_source(text: str) -> JsonObject:
    """``ArchiveSource`` of a copy. Empty if it is unreadable."""
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def same_content(copy: Copy, expected: EventContent) -> bool:
    """Whether the copy still has what we last wrote.

    Exchange rewrites HTML, so bodies are compared as text without white space. Times are compared to the
    second, categories in any order. ``showAs`` unknown equals busy, because the copy is written as busy.
    """
    return not differing_fields(copy, expected)


def differing_fields(copy: Copy, expected: EventContent) -> list[str]:
    """The fields that differ in the copy, by their names in findings. Compared as in ``same_content``."""
    ours, theirs = _compared(expected, expected.is_all_day), _compared(copy.event, expected.is_all_day)
    return [name for name in ours if ours[name] != theirs[name]]


def text_of(body: str) -> str:
    """The text of an HTML or plain body without white space."""
    if "<" not in body and "&" not in body:
        return _squeezed(body)
    reader = _TextReader()
    reader.feed(body)
    reader.close()
    return _squeezed("".join(reader.parts))


def _line(text: str) -> str:
    return " ".join(text.split())


def _time(instant: datetime, all_day: bool) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d" if all_day else "%Y-%m-%dT%H:%M:%S")


#: How a field is compared, if not for equality.
_COMPARED: Final[Mapping[str, Callable[[Any, bool], object]]] = {
    "subject": lambda value, _: _line(value)[:_COMPARED_SUBJECT].rstrip(),
    "body": lambda value, _: text_of(value),
    "start": _time,
    "end": _time,
    "location": lambda value, _: _line(value),
    "categories": lambda value, _: sorted({category.strip() for category in value}),
    "show_as": lambda value, _: "busy" if value == "unknown" else value,
}


def _camel(field: str) -> str:
    first, *others = field.split("_")
    return first + "".join(map(str.capitalize, others))


#: The compared fields by their names in findings, which mailboxes use.
CONTENT: Final = {_camel(field): field for field in SEEN_FIELDS}


def _compared(content: EventContent, all_day: bool) -> dict[str, object]:
    return {
        name: _COMPARED.get(field, _unchanged)(getattr(content, field), all_day)
        for name, field in CONTENT.items()
    }


def _unchanged(value: object, _: bool) -> object:
    return value


def _squeezed(text: str) -> str:
    return "".join(text.split()).translate(_INVISIBLE)


class _TextReader(HTMLParser):
    """Collects the text that a person would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden = 0
        elif tag in _HIDDEN:
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
