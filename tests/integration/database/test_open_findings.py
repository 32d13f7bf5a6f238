"""OpenFindingRepository."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.verifying.open_findings import OpenFindingRepository
from shared.domain.verifying.verification import FindingReason, FindingState, VerificationState
from tests.support.factories import START, Factory

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


async def test_what_is_open_of_the_last_verification_of_its_time(
    session: AsyncSession, make: Factory
) -> None:
    """A verification that failed, or of another time, says nothing about it."""
    configuration = await make.configuration()
    event = await make.archived_event(configuration, start_at=START + DAY)
    later_event = await make.archived_event(configuration, start_at=START + 40 * DAY)
    first = await make.verification(configuration, created_at=APRIL)
    old = await make.finding(first, event)
    far = await make.finding(first, later_event)
    await make.verification(configuration, created_at=APRIL + DAY, state=VerificationState.FAILED)
    assert await ids(session, configuration) == [old.id, far.id]
    second = await make.verification(configuration, created_at=APRIL + 2 * DAY)
    assert await ids(session, configuration) == [far.id]
    new = await make.finding(second, event)
    await make.finding(second, later_event, state=FindingState.PUT_BACK)
    assert await ids(session, configuration) == [new.id, far.id]
    assert await ids(session, configuration, span=(START, START + 2 * DAY)) == [new.id]
    assert await ids(session, configuration, limit=1) == [new.id]
    other = await make.configuration()
    assert await ids(session, other) == []


async def test_others_know_of_no_finding_about_a_private_event(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    verification = await make.verification(configuration)
    shown = await make.archived_event(configuration)
    await make.appointment(shown, subject="Workshop")
    private = await make.archived_event(configuration, start_at=START + DAY)
    await make.appointment(private, subject="Surgeon", sensitivity="private")
    unknown = await make.archived_event(configuration, start_at=START + 2 * DAY)
    for event in (shown, private):
        await make.finding(verification, event)
    await make.finding(
        verification, unknown, archived_event_id=None, reason=FindingReason.NOT_ARCHIVED, subject="a key"
    )
    rows = await OpenFindingRepository(session).open_of(
        configuration.owner_id, [configuration.id], None, viewer=None, limit=9
    )
    assert [row.subject for row in rows] == ["Workshop"]


async def ids(session: AsyncSession, configuration: ArchiveConfiguration, **wish: Any) -> list[Any]:
    rows = await OpenFindingRepository(session).open_of(
        configuration.owner_id,
        [configuration.id],
        wish.get("span"),
        viewer=configuration.source_mailbox_id,
        limit=wish.get("limit", 9),
    )
    return [row.id for row in rows]
