"""All that needs a person in one list: ordered by hours, in pages, with a link to each (domain.md 2.20)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.domain.verifying.verification import FindingState
from tests.integration.api.caller import Caller, problem
from tests.integration.api.conftest import People
from tests.integration.categories.conftest import Record, api, configuration, people, record, simulator
from tests.support.factories import Factory

__all__ = ["api", "configuration", "people", "record", "simulator"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME, BETA = "Acme - billable", "Beta - non-billable"
PATH = "v1/needs-attention"
MARCH: dict[str, Any] = {"first_day": "2026-03-01", "last_day": "2026-03-31"}


async def listed(api: Caller, token: str, limit: int = 2, **query: Any) -> list[dict[str, Any]]:
    """The whole list, by pages."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api("GET", PATH, token=token, limit=limit, **query, **cursor)
        assert page.status == 200, page.body
        found += page.json["items"]
        if page.json["next"] is None:
            return found
        cursor = {"cursor": page.json["next"]}


@pytest.fixture
async def things(
    database: Database, configuration: ArchiveConfiguration, record: Record
) -> dict[str, dict[str, str]]:
    """Ada's: of each kind one, and a finding that a later verification did not find again."""
    ambiguous = await record(ACME, BETA, start=START + 7 * DAY, hours=9)
    invalid = await record("Cobalt- billable", start=START + 8 * DAY, hours=2)
    async with database.session() as session:
        make = Factory(session)
        waiting = [
            await make.archived_event(
                configuration, start_at=START + number * HOUR / 2, state="flagged", copy_id=None
            )
            for number in range(2)
        ]
        overlap = await make.overlap_group(*waiting)
        asked = await make.archived_event(configuration, start_at=START + 10 * DAY)
        await make.appointment(asked, start_at=asked.start_at, end_at=asked.start_at + HOUR, subject="Weekly")
        item = await make.action_item(asked)
        lost = await make.archived_event(configuration, start_at=START + 12 * DAY)
        await make.appointment(
            lost,
            start_at=lost.start_at,
            end_at=lost.start_at + 4 * HOUR,
            subject="Offsite",
            categories=[ACME],
        )
        earlier = datetime(2026, 4, 1, tzinfo=UTC)
        first = await make.verification(configuration, created_at=earlier)
        await make.finding(first, asked)
        second = await make.verification(configuration, created_at=earlier + DAY)
        finding = await make.finding(second, lost)
        await make.finding(second, asked, state=FindingState.ADOPTED)
        return {
            "ambiguous_category": {"appointment_ids": str(ambiguous)},
            "invalid_category": {"appointment_ids": str(invalid)},
            "overlap": {"overlap_id": str(overlap.id)},
            "question": {"action_item_id": str(item.id)},
            "finding": {"finding_id": str(finding.id), "verification_id": str(second.id)},
        }


async def test_it_has_all_kinds_by_hours_with_subjects_and_a_link_to_each(
    api: Caller, people: People, things: dict[str, dict[str, str]]
) -> None:
    found = await listed(api, people.ada.token, **MARCH)
    assert [(each["kind"], each["name"], each["hours"]) for each in found] == [
        ("ambiguous_category", "Acme - billable; Beta - non-billable", 9.0),
        ("finding", "Offsite", 4.0),
        ("invalid_category", "Cobalt- billable", 2.0),
        ("overlap", "“(no subject)” and “(no subject)”", 1.5),
        ("question", "Weekly", 1.5),
    ]
    for each in found:
        for field, value in things[each["kind"]].items():
            assert value in each[field], each
        assert each["reason"]
        assert each["remedy"].endswith(".")
        (url,) = each["urls"]
        assert (await api("GET", url.removeprefix("/api/"), token=people.ada.token)).status == 200, url
    assert len({each["id"] for each in found}) == len(found)


async def test_pages_of_any_size_have_each_entry_once_and_a_kind_narrows_them(
    api: Caller, people: People, things: dict[str, dict[str, str]]
) -> None:
    whole = await listed(api, people.ada.token, limit=200, **MARCH)
    for limit in (1, 3):
        assert await listed(api, people.ada.token, limit, **MARCH) == whole
    (alone,) = await listed(api, people.ada.token, kind="finding", **MARCH)
    assert alone in whole
    first = await api("GET", PATH, token=people.ada.token, limit=1, **MARCH)
    others: tuple[tuple[str, dict[str, Any]], ...] = (
        (people.ada.token, {"kind": "overlap"}),
        (people.bob.token, {}),
    )
    for token, query in others:
        refused = await api("GET", PATH, token=token, **MARCH, **query, cursor=first.json["next"])
        assert refused.fields == ["cursor"]


async def test_the_month_tells_the_same(
    api: Caller, people: People, things: dict[str, dict[str, str]]
) -> None:
    month = (await api("GET", "v1/months/2026-03", token=people.ada.token)).json["attention"]
    found = await listed(api, people.ada.token, **MARCH)
    told = ("kind", "name", "reason", "hours", "count", "appointment_ids", "overlap_id", "action_item_id")
    assert [{name: each[name] for name in told} for each in found] == [
        {name: each[name] for name in told} for each in month
    ]


async def test_what_is_open_is_told_however_old_it_is(
    api: Caller, people: People, database: Database, configuration: ArchiveConfiguration
) -> None:
    """Without days: overlaps, questions and findings of any time, categories of the last days."""
    long_ago = datetime(2019, 1, 7, 9, tzinfo=UTC)
    async with database.session() as session:
        make = Factory(session)
        asked = await make.archived_event(configuration, start_at=long_ago)
        await make.action_item(asked)
        event = await make.archived_event(configuration, start_at=long_ago)
        await make.finding(await make.verification(configuration), event)
        recent = await make.archived_event(configuration, start_at=datetime.now(UTC) - DAY)
        await make.appointment(
            recent,
            start_at=recent.start_at,
            end_at=recent.start_at + HOUR,
            categories=["Cobalt- billable"],
        )
    found = await listed(api, people.ada.token)
    assert sorted(each["kind"] for each in found) == ["finding", "invalid_category", "question"]
    assert await listed(api, people.ada.token, **MARCH) == []


async def test_others_see_nothing_of_private_events(
    api: Caller, people: People, record: Record, database: Database, configuration: ArchiveConfiguration
) -> None:
    secret: dict[str, Any] = {"sensitivity": "private", "subject": "Surgeon"}
    await record("Clinic- billable", start=START, **secret)
    async with database.session() as session:
        make = Factory(session)
        event = await make.archived_event(configuration, start_at=START + DAY)
        times = {"start_at": event.start_at, "end_at": event.start_at + HOUR}
        await make.appointment(event, **times, **secret)
        await make.finding(await make.verification(configuration), event)
    assert len(await listed(api, people.ada.token, **MARCH)) == 2
    for token in (people.admin, people.auditor):
        assert await listed(api, token, user_id=people.ada.id, **MARCH) == []


async def test_it_is_ones_own(api: Caller, people: People, things: dict[str, dict[str, str]]) -> None:
    assert await listed(api, people.bob.token, **MARCH) == []
    assert len(await listed(api, people.admin, user_id=people.ada.id, **MARCH)) == 5
    refused = await api("GET", PATH, token=people.bob.token, user_id=people.ada.id)
    problem(refused, 404, "not_found")
    assert (await api("GET", PATH, token=people.admin)).fields == ["user_id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"first_day": "2026-03-01"}, "last_day"),
        ({"first_day": "2026-03-02", "last_day": "2026-03-01"}, "last_day"),
        ({"first_day": "2020-03-02", "last_day": "2026-03-01"}, "last_day"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"kind": "boredom"}, "kind"),
    ],
)
async def test_wrong_parameters_are_422_naming_them(
    api: Caller, people: People, query: dict[str, Any], field: str
) -> None:
    refused = await api("GET", PATH, token=people.ada.token, **query)
    problem(refused, 422)
    assert refused.fields == [field]


async def test_a_closed_archive_is_not_in_it(api: Caller, people: People, database: Database) -> None:
    """No approval holds any more (domain.md 6.5)."""
    async with database.session() as session:
        make = Factory(session)
        ada = await session.get_one(User, people.ada.id)
        closed = await make.configuration(
            ada, source_mailbox_id=uuid4(), names_another=True, open_until=START
        )
        event = await make.archived_event(closed, start_at=START + DAY)
        await make.appointment(
            event, start_at=event.start_at, end_at=event.start_at + HOUR, categories=["Cobalt- billable"]
        )
        await make.action_item(event)
        await make.finding(await make.verification(closed), event)
    assert await listed(api, people.ada.token, **MARCH) == []
