"""Archived copies as Graph gives them back, and whether their owner has changed them (domain.md 2.6)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import orjson

from shared.domain.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
)
from shared.graph.event_codec import moment

#: The content of a copy, as domain.md 2.6 lists it, in Graph's names.
CONTENT_FIELDS = (
    "subject",
    "body",
    "start",
    "end",
    "isAllDay",
    "location",
    "categories",
    "showAs",
    "importance",
    "sensitivity",
)
COPY_FIELDS = (
    "id",
    "changeKey",
    "createdDateTime",
    "originalStartTimeZone",
    "originalEndTimeZone",
    *CONTENT_FIELDS,
)
COPY_EXPAND = "singleValueExtendedProperties($filter={})".format(
    " or ".join(
        f"id eq '{name}'"
        for name in (ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY)
    )
)
# Beyond this many characters Exchange may have shortened a subject.
_COMPARED_SUBJECT = 250
_RECORD_NAMES = {
    "is_all_day": "isAllDay",
    "show_as": "showAs",
    "start_at": "start",
    "end_at": "end",
}
_HIDDEN = frozenset({"head", "style", "script", "title"})
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff"))


@dataclass(frozen=True, slots=True)
class Copy:
    """One event of an archive calendar that carries our properties, or some of them.

    ``fields`` is Graph's JSON of ``COPY_FIELDS``, times in UTC; ``source`` is ``ArchiveSource`` parsed, empty
    if absent or unreadable; ``created`` is UTC.
    """

    id: str
    etag: str
    archive_key: str
    revision: str
    source: dict[str, Any]
    created: datetime
    fields: dict[str, Any]

    @property
    def takes_time(self) -> bool:
        """Whether it counts where it stands: not free, not all-day, not superseded (domain.md 2.18)."""
        plain = self.fields.get("showAs") != "free" and self.fields.get("isAllDay") is not True
        return plain and not self.source.get("superseded")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the normalised content; equal for copies that say the same."""
        canonical = orjson.dumps(_content(self.fields, all_day=False), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()


def decode_copy(item: dict[str, Any]) -> Copy:
    """A copy from Graph's JSON; of a foreign event key and revision are empty. Raises KeyError without id."""
    properties = {
        _spelling(entry.get("id", "")): entry.get("value", "")
        for entry in item.get("singleValueExtendedProperties") or ()
    }
    created = item.get("createdDateTime")
    return Copy(
        id=item["id"],
        etag=item.get("@odata.etag") or f'W/"{item.get("changeKey", "")}"',
        archive_key=properties.get(_spelling(ARCHIVE_KEY_PROPERTY), ""),
        revision=properties.get(_spelling(ARCHIVE_REVISION_PROPERTY), ""),
        source=_parsed(properties.get(_spelling(ARCHIVE_SOURCE_PROPERTY), "")),
        created=datetime.fromisoformat(created).astimezone(UTC)
        if created
        else datetime.fromtimestamp(0, UTC),
        fields={name: item[name] for name in COPY_FIELDS if name in item},
    )


def same_content(copy: Copy, expected: Mapping[str, Any]) -> bool:
    """Whether the copy still says what we last wrote; only what ``expected`` names is compared.

    ``expected`` is the body of our POST or PATCH, or our appointment's columns (``start_at``, ``show_as``, …;
    times as datetimes or ISO 8601). Bodies are compared as text without white space, since Exchange rewrites
    HTML; times to the second; categories in any order; ``showAs`` unknown counts as busy, as it is written.
    """
    return not differing_fields(copy, expected)


def differing_fields(copy: Copy, expected: Mapping[str, Any]) -> list[str]:
    """The fields, in Graph's names, in which the copy says something else; compared as in same_content."""
    wanted = {_RECORD_NAMES.get(name, name): value for name, value in expected.items()}
    all_day = bool(wanted.get("isAllDay", copy.fields.get("isAllDay")))
    ours = _content({name: wanted[name] for name in CONTENT_FIELDS if name in wanted}, all_day=all_day)
    theirs = _content({name: copy.fields.get(name) for name in ours}, all_day=all_day)
    return [name for name in ours if ours[name] != theirs[name]]


def text_of(body: str) -> str:
    """The text of an HTML or plain body without any white space."""
    if "<" not in body and "&" not in body:
        return _squeezed(body)
    reader = _TextReader()
    reader.feed(body)
    reader.close()
    return _squeezed("".join(reader.parts))


def _content(fields: Mapping[str, Any], *, all_day: bool) -> dict[str, Any]:
    all_day = all_day or fields.get("isAllDay") is True
    return {name: _value(name, fields[name], all_day) for name in CONTENT_FIELDS if name in fields}


def _value(name: str, value: Any, all_day: bool) -> Any:
    match name:
        case "subject":
            return " ".join(str(value or "").split())[:_COMPARED_SUBJECT].rstrip()
        case "body":
            return text_of(str((value.get("content") if isinstance(value, Mapping) else value) or ""))
        case "location":
            text = value.get("displayName") if isinstance(value, Mapping) else value
            return " ".join(str(text or "").split())
        case "start" | "end":
            return _time(value, all_day)
        case "categories":
            return sorted({str(category).strip() for category in value or ()})
        case "isAllDay":
            return value is True
        case "showAs":
            return "busy" if value in (None, "unknown") else value
    return value or "normal"


def _time(value: Any, all_day: bool) -> str:
    if isinstance(value, Mapping):
        if all_day:
            return str(value["dateTime"])[:10]
        instant = moment(dict(value))
    else:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    instant = instant.astimezone(UTC)
    return instant.strftime("%Y-%m-%d") if all_day else instant.strftime("%Y-%m-%dT%H:%M:%S")


def _spelling(property_id: str) -> str:
    # Graph returns the id with the GUID in its own letter case.
    return " ".join(property_id.split()).casefold()


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _squeezed(text: str) -> str:
    return "".join(text.split()).translate(_INVISIBLE)


class _TextReader(HTMLParser):
    """Collects what a person would read."""

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
