"""A copy is compared with what was written, in the ways Exchange changes what it stores."""

from html import escape
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY, ARCHIVE_SOURCE_PROPERTY
from shared.domain.copies.calendar_copy import Copy, same_content, text_of
from shared.domain.copies.copy_body import written_content
from shared.domain.events.event_content import EventContent
from shared.graph.copy_codec import COPIES

WRITTEN: dict[str, Any] = {
    "subject": "Review",
    "body": {"contentType": "html", "content": "<p>One</p><p>Two</p>"},
    "start": {"dateTime": "2026-06-03T09:00:00.0000000", "timeZone": "W. Europe Standard Time"},
    "end": {"dateTime": "2026-06-03T10:00:00.0000000", "timeZone": "W. Europe Standard Time"},
    "isAllDay": False,
    "location": {"displayName": "Room 1"},
    "categories": ["B", "A"],
    "showAs": "busy",
    "importance": "normal",
    "sensitivity": "normal",
}
STORED: dict[str, Any] = {
    **WRITTEN,
    "id": "CCC=",
    "@odata.etag": 'W/"1"',
    "body": {
        "contentType": "html",
        "content": "<html>\r\n<head>\r\n<meta content='x'><style>p {color: red}</style></head>\r\n"
        "<body>\r\n<p>One</p>\r\n<!-- seen -->\r\n<p>Two</p>\r\n</body></html>\r\n",
    },
    "start": {"dateTime": "2026-06-03T07:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-06-03T08:00:00.0000000", "timeZone": "UTC"},
    "location": {"displayName": "Room 1", "locationType": "default"},
    "categories": ["A", "B"],
}


def decode_copy(item: dict[str, Any]) -> Copy:
    copy = COPIES.item(item)
    assert isinstance(copy, Copy)
    return copy


def content(body: dict[str, Any]) -> EventContent:
    return written_content(orjson.dumps(body))


def test_what_exchange_rewrites_is_no_edit() -> None:
    assert same_content(decode_copy(STORED), content(WRITTEN))


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "Review 2"},
        {"body": {"contentType": "html", "content": "<p>One</p>"}},
        {"start": {"dateTime": "2026-06-03T07:00:01", "timeZone": "UTC"}},
        {"isAllDay": True},
        {"location": None},
        {"categories": []},
        {"showAs": "free"},
        {"importance": "high"},
        {"sensitivity": "private"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_counts(change: dict[str, Any]) -> None:
    changed = decode_copy({**STORED, **change})
    assert not same_content(changed, content(WRITTEN))
    assert changed.content_hash != decode_copy(STORED).content_hash


def test_all_day_copies_compare_by_date_in_any_zone() -> None:
    stored = {
        **STORED,
        "isAllDay": True,
        "start": {"dateTime": "2026-06-10T00:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-06-11T00:00:00.0000000", "timeZone": "UTC"},
    }
    written = {
        **WRITTEN,
        "isAllDay": True,
        "start": {"dateTime": "2026-06-10T00:00:00.0000000", "timeZone": "Tokyo Standard Time"},
        "end": {"dateTime": "2026-06-11T00:00:00.0000000", "timeZone": "Tokyo Standard Time"},
    }
    assert same_content(decode_copy(stored), content(written))
    longer = content(written).changed({"end_at": "2026-06-12T00:00:00+00:00"})
    assert not same_content(decode_copy(stored), longer)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200))
def test_text_survives_being_made_html(text: str) -> None:
    html = f"<html><head><title>no</title></head><body><div>{escape(text)}</div></body></html>"
    assert text_of(html) == text_of(escape(text))


@given(st.text(max_size=300))
def test_no_body_is_too_broken_to_be_read(body: str) -> None:
    assert not text_of(body).count(" ")
    assert not text_of(f"<{body}").count(" ")


def test_property_ids_are_known_in_any_spelling() -> None:
    guid = ARCHIVE_KEY_PROPERTY.split("{")[1].split("}")[0]
    spelled = ARCHIVE_KEY_PROPERTY.replace(guid, guid.upper())
    copy = decode_copy({**STORED, "singleValueExtendedProperties": [{"id": spelled, "value": "abc"}]})
    assert copy.archive_key == "abc"


@pytest.mark.parametrize("source", ["", "no json", "[1]", '"text"'])
def test_an_unreadable_source_is_none(source: str) -> None:
    properties = [{"id": ARCHIVE_SOURCE_PROPERTY, "value": source}]
    assert decode_copy({**STORED, "singleValueExtendedProperties": properties}).source == {}
