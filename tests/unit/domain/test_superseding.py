"""What is written for a copy that another one stands for (domain.md 2.6, 2.16, 2.17)."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.archive_copy import ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY
from shared.domain.revision import edited_revision, is_edited, source_revision, superseded_revision
from shared.domain.superseding import CopyOrigin, superseded_record, superseding_payload

ORIGIN = CopyOrigin(
    UUID(int=1), "s:1@2026-03-02", "1@2026-03-02", "uid", datetime(2026, 3, 2, 9, tzinfo=UTC), 2
)


def test_the_copy_is_shown_free_and_says_that_it_is_superseded() -> None:
    body = superseding_payload(ORIGIN, "abc.superseded")
    properties = {each["id"]: each["value"] for each in body.pop("singleValueExtendedProperties")}
    assert body == {"showAs": "free"}
    assert properties.pop(ARCHIVE_REVISION_PROPERTY) == "abc.superseded"
    told = orjson.loads(properties.pop(ARCHIVE_SOURCE_PROPERTY))
    assert (told["superseded"], told["key"], told["generation"]) == (True, ORIGIN.source_key, 2)
    assert properties == {}


def test_the_record_keeps_everything_else() -> None:
    record = superseded_record({"subject": "Review", "show_as": "busy", "revision": "abc"}, "abc.superseded")
    assert record == {
        "subject": "Review",
        "show_as": "free",
        "revision": "abc.superseded",
        "superseded": True,
    }


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.booleans())
def test_a_superseded_revision_tells_its_source_and_is_no_edit(own: str, edited: bool) -> None:
    previous = edited_revision(own, "run") if edited else own
    superseded = superseded_revision(previous)
    assert source_revision(superseded) == own
    assert (is_edited(superseded), is_edited(previous)) == (False, edited)
    assert superseded_revision(superseded) == superseded != previous
