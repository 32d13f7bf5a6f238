"""Archived copies found again, and whether their owner has edited them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.appointments.appointment_record import appointment_record
from shared.domain.copies.calendar_copy import Copy, same_content
from shared.domain.copies.copy_body import written_content
from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent, archive_key, source_key
from shared.errors import StoreRefused
from shared.graph.calendar_adapter import CalendarAdapter
from tests.integration.graph.conftest import Tenant
from tests.integration.graph.samples import CONFIGURATION, archived, create, event

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)

SOURCES = [
    event(
        "Review  of the\tplan",
        "2026-06-03T09:00:00",
        "2026-06-03T10:00:00",
        "W. Europe Standard Time",
        body={
            "contentType": "html",
            "content": "<p>Agenda &amp; <b>notes</b></p><p>Caf\u00e9&nbsp;\u2615</p>",
        },
        location={"displayName": "Room 1"},
        categories=["Online", "Acme - billable"],
        showAs="tentative",
        importance="high",
        sensitivity="private",
    ),
    event("Holiday", "2026-06-10T00:00:00", "2026-06-12T00:00:00", "Tokyo Standard Time", isAllDay=True),
    event(
        "Plain",
        "2026-06-04T09:00:00",
        "2026-06-04T09:00:00",
        body={"contentType": "text", "content": "a\n<b>"},
    ),
    event("", "2026-06-05T22:30:00", "2026-06-06T01:00:00", "America/New_York", showAs="unknown"),
]


async def copied(
    adapter: CalendarAdapter, tenant: Tenant, source: dict[str, Any]
) -> tuple[SourceEvent, Copy]:
    """The source event and its copy, as the product makes and finds it."""
    tenant.load(source)
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    (found,) = [each async for page in pages for each in page]
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [archived(found)], 5)
    assert answer.copy_id is not None
    copy = await adapter.get_copy(tenant.mailbox, answer.copy_id)
    assert copy is not None
    assert (copy.id, copy.etag) == (answer.copy_id, answer.etag)
    return found, copy


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["subject"] or "no subject")
async def test_an_untouched_copy_says_what_was_written_and_recorded(
    adapter: CalendarAdapter, tenant: Tenant, source: dict[str, Any]
) -> None:
    found, copy = await copied(adapter, tenant, source)
    assert copy.revision == revision(found)
    assert same_content(copy, appointment_record(found))
    assert same_content(copy, written_content(archived(found).payload))


@pytest.mark.parametrize(
    "edit",
    [
        {"subject": "Review of the other plan"},
        {"body": {"contentType": "html", "content": "<p>Agenda</p>"}},
        {"start": {"dateTime": "2026-06-03T06:00:00", "timeZone": "UTC"}},
        {"end": {"dateTime": "2026-06-03T12:00:00", "timeZone": "UTC"}},
        {"location": {"displayName": "Room 2"}},
        {"categories": ["Online"]},
        {"showAs": "busy"},
        {"importance": "low"},
        {"sensitivity": "normal"},
    ],
    ids=lambda edit: next(iter(edit)),
)
async def test_an_edit_by_the_owner_shows(
    adapter: CalendarAdapter, tenant: Tenant, edit: dict[str, Any]
) -> None:
    found, copy = await copied(adapter, tenant, SOURCES[0])
    await tenant.owner_edits(copy.id, edit)
    edited = await adapter.get_copy(tenant.mailbox, copy.id)
    assert edited is not None
    assert edited.etag != copy.etag
    assert edited.revision == copy.revision
    assert edited.content_hash != copy.content_hash
    assert not same_content(edited, appointment_record(found))


async def test_a_reminder_set_by_the_owner_is_no_edit_of_the_content(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    found, copy = await copied(adapter, tenant, SOURCES[0])
    await tenant.owner_edits(copy.id, {"isReminderOn": True})
    touched = await adapter.get_copy(tenant.mailbox, copy.id)
    assert touched is not None
    assert touched.etag != copy.etag
    assert touched.content_hash == copy.content_hash
    assert same_content(touched, appointment_record(found))


async def test_a_copy_is_found_by_its_archive_key(adapter: CalendarAdapter, tenant: Tenant) -> None:
    found, copy = await copied(adapter, tenant, SOURCES[0])
    await adapter.send(tenant.mailbox, tenant.archive, [create("Foreign")], 5)
    key = archive_key(CONFIGURATION, source_key(found))
    assert await adapter.find_copies(tenant.mailbox, tenant.archive, key) == [copy]
    assert copy.archive_key == key
    assert copy.source == {
        "configuration": str(CONFIGURATION),
        "source": found.id,
        "iCalUId": found.ical_uid,
        "originalStart": "2026-06-03T07:00:00Z",
        "key": source_key(found),
        "generation": 0,
        "superseded": False,
    }
    assert await adapter.find_copies(tenant.mailbox, tenant.archive, "0" * 64) == []


async def test_more_than_one_copy_of_a_key_come_oldest_first(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    found, first = await copied(adapter, tenant, SOURCES[0])
    tenant.simulator.settings.transaction_memory_seconds = 0
    for item in tenant.stored(tenant.archive):
        item.stamp.created = "2026-01-01T00:00:00Z"
        item.rendered = None
    await adapter.send(tenant.mailbox, tenant.archive, [archived(found)], 5)
    copies = await adapter.find_copies(tenant.mailbox, tenant.archive, first.archive_key)
    assert len(copies) == 2
    assert copies[0].id == first.id
    assert copies[0].created < copies[1].created


async def test_where_a_named_calendar_cannot_be_searched_the_mailbox_is(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    _, copy = await copied(adapter, tenant, SOURCES[0])
    tenant.fault("status", {"path_regex": "/calendars/[^/]+/events"}, status=400, code="ErrorInvalidRequest")
    assert await adapter.find_copies(tenant.mailbox, tenant.archive, copy.archive_key) == [copy]


async def test_a_refused_search_is_an_error(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.fault("status", status=403)
    with pytest.raises(StoreRefused):
        await adapter.find_copies(tenant.mailbox, tenant.archive, "ab")


async def test_only_hashes_are_searched(adapter: CalendarAdapter, tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="ArchiveKey"):
        await adapter.find_copies(tenant.mailbox, tenant.archive, "x' or 1 eq 1")


async def test_a_copy_that_is_gone_is_none(adapter: CalendarAdapter, tenant: Tenant) -> None:
    _, copy = await copied(adapter, tenant, SOURCES[0])
    tenant.simulator.service.store.delete(tenant.stored(tenant.archive)[0])
    assert await adapter.get_copy(tenant.mailbox, copy.id) is None


async def test_a_foreign_event_is_a_copy_without_key(adapter: CalendarAdapter, tenant: Tenant) -> None:
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create("Foreign")], 5)
    copy = await adapter.get_copy(tenant.mailbox, answer.copy_id or "")
    assert copy is not None
    assert (copy.archive_key, copy.revision, copy.source) == ("", "", {})
