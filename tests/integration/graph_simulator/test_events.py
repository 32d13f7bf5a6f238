"""Writing and reading events as Graph does it, and refusing what it refuses."""

from typing import Any

import pytest
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.sdk import Graph, timed

KEY = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name ArchiveKey"
SPRING = ("2026-03-02T09:00:00.0000000", "2026-03-02T10:00:00.0000000")


async def refusal(graph: Graph, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
    """Status and code of a request that must fail."""
    with pytest.raises(ODataError) as caught:
        await graph.request(method, path, body, **more)
    assert caught.value.error is not None
    return caught.value.response_status_code or 0, caught.value.error.code or ""


async def test_created_event_reads_back_with_what_was_given(graph: Graph, archive: str) -> None:
    body = timed(
        *SPRING,
        "W. Europe Standard Time",
        subject="Überblick 会議",
        body={"contentType": "html", "content": "<p>Agenda &amp; notes</p>"},
        location={"displayName": "Room 1"},
        categories=["Acme - billable"],
        showAs="oof",
        importance="high",
        sensitivity="private",
        isReminderOn=False,
        transactionId="t-1",
        singleValueExtendedProperties=[{"id": KEY, "value": "ABC"}],
    )
    created = await graph.request("POST", f"{archive}/events", body)
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{KEY}')"
    event = await graph.request("GET", f"{archive}/events/{created['id']}?{expand}")
    assert event["start"] == {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"}
    assert event["originalStartTimeZone"] == "W. Europe Standard Time"
    assert (event["subject"], event["showAs"], event["importance"]) == ("Überblick 会議", "oof", "high")
    assert event["body"]["content"].startswith("<html>")
    assert event["bodyPreview"] == "Agenda & notes"
    assert event["singleValueExtendedProperties"] == [{"id": KEY, "value": "ABC"}]
    assert event["@odata.etag"] == f'W/"{event["changeKey"]}"'
    assert (event["type"], event["transactionId"], event["isOrganizer"]) == ("singleInstance", "t-1", True)


async def test_extended_properties_stay_hidden_without_expand(graph: Graph, archive: str) -> None:
    body = timed(*SPRING, singleValueExtendedProperties=[{"id": KEY, "value": "ABC"}])
    created = await graph.request("POST", f"{archive}/events", body)
    assert "singleValueExtendedProperties" not in created


async def test_preferences_choose_zone_and_text_body(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    created = await graph.request(
        "POST",
        f"{user}/events",
        timed(*SPRING, body={"contentType": "html", "content": "<p>One</p><p>Two</p>"}),
    )
    prefer = 'outlook.timezone="Europe/Berlin", IdType="ImmutableId", outlook.body-content-type="text"'
    answer = await graph.http.get(
        f"{simulator.base_url}/v1.0{user}/events/{created['id']}",
        headers={"Prefer": prefer, "Authorization": f"Bearer {simulator.identity.graph_token()}"},
    )
    event = answer.json()
    assert event["start"] == {"dateTime": "2026-03-02T10:00:00.0000000", "timeZone": "Europe/Berlin"}
    assert event["body"] == {"contentType": "text", "content": "One\r\nTwo"}
    assert event["id"] == created["id"]
    applied = answer.headers["Preference-Applied"]
    assert all(part in applied for part in prefer.split(", "))


async def test_all_day_event_keeps_its_midnights_in_every_zone(graph: Graph, user: str) -> None:
    body = timed("2026-03-02T00:00:00", "2026-03-03T00:00:00", "Asia/Tokyo", isAllDay=True)
    created = await graph.request("POST", f"{user}/events", body)
    shown = await graph.request(
        "GET", f"{user}/events/{created['id']}", prefer='outlook.timezone="Asia/Tokyo"'
    )
    assert created["start"]["dateTime"] == shown["start"]["dateTime"] == "2026-03-02T00:00:00.0000000"


async def test_immutable_id_survives_a_move_and_the_other_does_not(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    other = (await graph.request("GET", f"{user}/events/{created['id']}", prefer=""))["id"]
    assert other != created["id"]
    mailbox = next(iter(simulator.state.all_mailboxes()))
    item = simulator.state.item(mailbox, other)
    simulator.state.move(item.master, next(c for c in mailbox.calendars.values() if c.name == "Archive"))
    assert (await graph.request("GET", f"{user}/events/{created['id']}"))["id"] == created["id"]
    assert await refusal(graph, "GET", f"{user}/events/{other}") == (404, "ErrorItemNotFound")


async def test_patch_changes_only_what_it_names_and_renews_the_etag(graph: Graph, user: str) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING, categories=["A"]))
    changed = await graph.request("PATCH", f"{user}/events/{created['id']}", {"subject": "New"})
    assert (changed["subject"], changed["categories"], changed["start"]) == ("New", ["A"], created["start"])
    assert changed["@odata.etag"] != created["@odata.etag"]


async def test_stale_if_match_is_refused_for_patch_and_delete(graph: Graph, user: str) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    path, old = f"{user}/events/{created['id']}", {"If-Match": created["@odata.etag"]}
    changed = await graph.request("PATCH", path, {"subject": "New"}, headers=old)
    assert await refusal(graph, "PATCH", path, {"subject": "X"}, headers=old) == (
        412,
        "ErrorIrresolvableConflict",
    )
    assert await refusal(graph, "DELETE", path, headers=old) == (412, "ErrorIrresolvableConflict")
    await graph.request("DELETE", path, headers={"If-Match": changed["@odata.etag"]})
    assert await refusal(graph, "GET", path) == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"start": {"dateTime": "2026-03-02T09:00:00Z", "timeZone": "UTC"}},
            "ErrorPropertyValidationFailure",
        ),
        (
            {"start": {"dateTime": "2026-03-02T09:00:00+01:00", "timeZone": "UTC"}},
            "ErrorPropertyValidationFailure",
        ),
        ({"start": {"dateTime": "2026-03-02T11:00:00", "timeZone": "UTC"}}, "ErrorPropertyValidationFailure"),
        (
            {"start": {"dateTime": "2026-03-02T09:00:00", "timeZone": "Mars/Base"}},
            "TimeZoneNotSupportedException",
        ),
        ({"isAllDay": True}, "ErrorPropertyValidationFailure"),
        ({"categories": ["x" * 256]}, "ErrorPropertyValidationFailure"),
        ({"subject": "x" * 256}, "ErrorPropertyValidationFailure"),
        ({"subject": 5}, "RequestBodyRead"),
        ({"showAs": "away"}, "RequestBodyRead"),
        ({"colour": "red"}, "RequestBodyRead"),
        ({"isCancelled": True}, "ErrorInvalidPropertySet"),
        ({"iCalUId": "x"}, "ErrorInvalidPropertySet"),
        ({"singleValueExtendedProperties": [{"id": "ArchiveKey", "value": "x"}]}, "ExtensionError"),
        ({"singleValueExtendedProperties": [{"id": KEY, "value": 5}]}, "ExtensionError"),
        ({"attendees": [{"emailAddress": {"address": "nobody"}}]}, "ErrorPropertyValidationFailure"),
        ({"recurrence": {"pattern": {"type": "hourly"}, "range": {}}}, "ErrorPropertyValidationFailure"),
    ],
)
async def test_refused_bodies_write_nothing(
    graph: Graph, user: str, change: dict[str, Any], code: str
) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    assert await refusal(graph, "POST", f"{user}/events", timed(*SPRING) | change) == (400, code)
    assert await refusal(graph, "PATCH", f"{user}/events/{created['id']}", change) == (400, code)
    events = await graph.all(f"{user}/events")
    assert [event["@odata.etag"] for event in events] == [created["@odata.etag"]]


async def test_transaction_id_cannot_be_patched(graph: Graph, user: str) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    path = f"{user}/events/{created['id']}"
    assert await refusal(graph, "PATCH", path, {"transactionId": "x"}) == (400, "ErrorInvalidPropertySet")


@pytest.mark.parametrize(("switch", "status"), [("409", 409), ("400", 400)])
async def test_duplicate_transaction_is_refused_and_names_the_event(
    graph: Graph, user: str, simulator: GraphSimulator, switch: str, status: int
) -> None:
    simulator.settings.update({"duplicate_transaction": switch})
    body = timed(*SPRING, transactionId="t-1")
    created = await graph.request("POST", f"{user}/events", body)
    with pytest.raises(ODataError) as caught:
        await graph.request("POST", f"{user}/events", body)
    assert caught.value.response_status_code == status
    assert caught.value.error is not None
    assert caught.value.error.code == "ErrorDuplicateTransactionId"
    assert caught.value.error.additional_data["@event.existingEventId"] == created["id"]
    assert len(await graph.all(f"{user}/events")) == 1


async def test_duplicate_transaction_may_answer_as_the_first_time(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"duplicate_transaction": "201_existing"})
    body = timed(*SPRING, transactionId="t-1")
    first = await graph.request("POST", f"{user}/events", body)
    assert (await graph.request("POST", f"{user}/events", body))["id"] == first["id"]


async def test_forgotten_transaction_creates_a_second_event(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    simulator.settings.update({"transaction_memory_seconds": 0.0})
    body = timed(*SPRING, transactionId="t-1")
    first = await graph.request("POST", f"{user}/events", body)
    assert (await graph.request("POST", f"{user}/events", body))["id"] != first["id"]


async def test_attendees_are_invited_and_told_of_changes(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    people = [
        {"emailAddress": {"address": "bob@contoso.example"}},
        {"emailAddress": {"address": "eve@x.example"}},
    ]
    created = await graph.request("POST", f"{user}/events", timed(*SPRING, attendees=people))
    path = f"{user}/events/{created['id']}"
    await graph.request("PATCH", path, {"categories": ["A"]})
    assert (simulator.counters.total.invitations_sent, simulator.counters.total.updates_sent) == (2, 0)
    await graph.request("PATCH", path, {"subject": "Moved"})
    await graph.request("DELETE", path)
    assert (simulator.counters.total.invitations_sent, simulator.counters.total.updates_sent) == (2, 4)


async def test_event_without_attendees_sends_nothing(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    await graph.request("PATCH", f"{user}/events/{created['id']}", {"subject": "Moved"})
    await graph.request("DELETE", f"{user}/events/{created['id']}")
    assert (simulator.counters.total.invitations_sent, simulator.counters.total.updates_sent) == (0, 0)


async def test_ids_of_other_shapes_and_other_calendars_are_refused(
    graph: Graph, user: str, archive: str
) -> None:
    created = await graph.request("POST", f"{user}/events", timed(*SPRING))
    assert await refusal(graph, "GET", f"{user}/events/nonsense") == (400, "ErrorInvalidIdMalformed")
    assert await refusal(graph, "GET", f"{user}/events/{created['id'].swapcase()}") != (200, "")
    assert await refusal(graph, "GET", f"{archive}/events/{created['id']}") == (404, "ErrorItemNotFound")
    assert await refusal(graph, "GET", "/users/nobody@contoso.example/events") == (404, "ResourceNotFound")


async def test_attachments_are_listed_and_translated_ids_match(
    graph: Graph, user: str, simulator: GraphSimulator, admin: Any
) -> None:
    answer = await admin.post(
        "/_simulator/mailboxes/ada@contoso.example/events", json=timed(*SPRING, attachments=2)
    )
    event_id = answer.json()["id"]
    event = await graph.request("GET", f"{user}/events/{event_id}")
    assert event["hasAttachments"] is True
    attachments = await graph.all(f"{user}/events/{event_id}/attachments?$select=id,name")
    assert [entry["name"] for entry in attachments] == ["attachment-1.pdf", "attachment-2.pdf"]
    wish = {"InputIds": [answer.json()["mutableId"]], "TargetIdType": "restImmutableEntryId"}
    translated = await graph.request("POST", f"{user}/translateExchangeIds", wish)
    assert translated["value"][0]["targetId"] == event_id


async def test_user_settings_and_mail(graph: Graph, user: str, admin: Any) -> None:
    shown = await graph.send(
        graph.client.users.by_user_id("ada@contoso.example").to_get_request_information()
    )
    assert shown["mail"] == shown["userPrincipalName"] == "ada@contoso.example"
    assert (await graph.request("GET", f"{user}/mailboxSettings"))["timeZone"] == "W. Europe Standard Time"
    message = {"subject": "Hi", "toRecipients": [{"emailAddress": {"address": "bob@contoso.example"}}]}
    assert (
        await graph.request("POST", f"{user}/sendMail", {"Message": message, "SaveToSentItems": False})
        is None
    )
    sent = (await admin.get("/_simulator/mailboxes/ada@contoso.example/mail")).json()["value"]
    assert [mail["message"]["subject"] for mail in sent] == ["Hi"]
