"""Copies as read back from their calendar, and whether their owner changed them (domain.md 2.6)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

import orjson

from shared.domain.events.event_content import content_columns
from shared.domain.events.source_event import SourceEvent

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
    #: ``ArchiveSource``, parsed. Empty if absent or unreadable.
    source: dict[str, Any]
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
    def content(self) -> dict[str, Any]:
        """The content that its owner can change, as columns of our record. Times are ISO 8601."""
        return content_columns(self.event)

    @property
    def takes_time(self) -> bool:
        """Whether the calendar item counts: not free, not all-day, not superseded (domain.md 2.18)."""
        plain = self.event.show_as != "free" and not self.event.is_all_day
        return plain and not self.source.get("superseded")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the normalised content. Equal for copies with the same content."""
        content = _content(self.event, CONTENT, self.event.is_all_day)
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def parsed_source(text: str) -> dict[str, Any]:
    """``ArchiveSource`` of a copy. Empty if it is unreadable."""
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def same_content(copy: Copy, expected: Mapping[str, Any]) -> bool:
    """Whether the copy still has what we last wrote. Only the fields in ``expected`` are compared.

    ``expected`` are columns of our record (``start_at``, ``show_as``, …; times as datetimes or ISO 8601).
    Exchange rewrites HTML, so bodies are compared as text without white space. Times are compared to the
    second, categories in any order. ``showAs`` unknown equals busy, because the copy is written as busy.
    """
    return not differing_fields(copy, expected)


def differing_fields(copy: Copy, expected: Mapping[str, Any]) -> list[str]:
    """The fields that differ in the copy, by their names in findings. Compared as in ``same_content``."""
    named = {name: column for name, column in CONTENT.items() if column in expected}
    all_day = expected.get("is_all_day", copy.event.is_all_day) is True
    ours = {name: _COMPARED[name](expected[column], all_day) for name, column in named.items()}
    theirs = _content(copy.event, named, all_day)
    return [name for name in ours if ours[name] != theirs[name]]


def text_of(body: str) -> str:
    """The text of an HTML or plain body without white space."""
    if "<" not in body and "&" not in body:
        return _squeezed(body)
    reader = _TextReader()
    reader.feed(body)
    reader.close()
    return _squeezed("".join(reader.parts))


#: The content of a copy (domain.md 2.6): names in findings, and columns of our record.
CONTENT: Final = {
    "subject": "subject",
    "body": "body",
    "start": "start_at",
    "end": "end_at",
    "isAllDay": "is_all_day",
    "location": "location",
    "categories": "categories",
    "showAs": "show_as",
    "importance": "importance",
    "sensitivity": "sensitivity",
}


def _content(event: SourceEvent, names: Mapping[str, str], all_day: bool) -> dict[str, Any]:
    return {
        name: _COMPARED[name](getattr(event, column.removesuffix("_at")), all_day)
        for name, column in names.items()
    }


def _subject(value: Any, _: bool) -> str:
    return " ".join(str(value or "").split())[:_COMPARED_SUBJECT].rstrip()


def _time(value: Any, all_day: bool) -> str:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return instant.astimezone(UTC).strftime("%Y-%m-%d" if all_day else "%Y-%m-%dT%H:%M:%S")


_COMPARED: Final[Mapping[str, Callable[[Any, bool], Any]]] = {
    "subject": _subject,
    "body": lambda value, _: text_of(str(value or "")),
    "start": _time,
    "end": _time,
    "isAllDay": lambda value, _: value is True,
    "location": lambda value, _: " ".join(str(value or "").split()),
    "categories": lambda value, _: sorted({str(category).strip() for category in value or ()}),
    "showAs": lambda value, _: "busy" if value in (None, "unknown") else value,
    "importance": lambda value, _: value or "normal",
    "sensitivity": lambda value, _: value or "normal",
}


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
