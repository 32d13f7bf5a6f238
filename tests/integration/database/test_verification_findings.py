"""VerificationFindingRepository."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.verifying.verification_findings import (
    FindingRow,
    VerificationFindingRepository,
)
from tests.support.factories import START, TENANT, Factory

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.fixture
def findings(session: AsyncSession) -> VerificationFindingRepository:
    return VerificationFindingRepository(session)


async def test_the_same_finding_again_adds_nothing_and_a_restart_forgets(
    findings: VerificationFindingRepository, make: Factory
) -> None:
    verification = await make.verification()
    found: FindingRow = {
        "kind": "unknown",
        "reason": "foreign",
        "subject": "copy",
        "archived_event_id": None,
        "source_key": None,
        "copy_id": "copy",
        "starts_at": START.isoformat(),
        "detail": {},
    }
    place = verification.id, verification.owner_id, verification.configuration_id, START
    for _ in range(2):
        await findings.add(*place, [found], NOW)
    assert (await findings.counts(verification.id))["unknown"] == 1
    await findings.restart_stretch(verification.id, START)
    assert sum((await findings.counts(verification.id)).values()) == 0


async def test_a_key_is_known_in_the_whole_tenant_its_record_to_its_configuration_alone(
    findings: VerificationFindingRepository, make: Factory
) -> None:
    event = await make.archived_event()
    await make.appointment(event, subject="Mine")
    other = await make.configuration()
    own = await findings.recorded_by_archive_keys(TENANT, event.configuration_id, [event.archive_key, "x"])
    assert [(row.id, row.record and row.record.subject) for row in own.values()] == [(event.id, "Mine")]
    others = await findings.recorded_by_archive_keys(TENANT, other.id, [event.archive_key])
    assert others[event.archive_key].record is None
    assert await findings.recorded_by_archive_keys(other.id, other.id, [event.archive_key]) == {}
    assert await findings.recorded(other.owner_id, event.configuration_id, [event.id]) == []


async def test_what_is_being_written_is_busy(findings: VerificationFindingRepository, make: Factory) -> None:
    operation = await make.operation()
    rows = await findings.recorded(
        operation.owner_id, operation.configuration_id, [operation.archived_event_id]
    )
    assert [row.busy for row in rows] == [True]


async def test_a_copy_is_made_again_a_generation_later_only_where_there_was_one(
    findings: VerificationFindingRepository, make: Factory, session: AsyncSession
) -> None:
    event = await make.archived_event()
    for _ in range(2):
        await findings.prepare_again(event.owner_id, [event.id], NOW)
    await session.refresh(event)
    assert (event.generation, event.copy_id, event.state) == (1, None, "creating")
    await findings.point_to_copy(event.owner_id, event.id, "again", "etag", NOW)
    await session.refresh(event)
    assert (event.generation, event.copy_id, event.state) == (1, "again", "present")
