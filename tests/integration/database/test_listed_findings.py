"""ListedFindingRepository."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.verifying.listed_findings import ListedFindingRepository
from tests.support.factories import Factory


async def test_findings_are_paged_in_the_order_of_the_calendar_and_by_kind(
    make: Factory, session: AsyncSession
) -> None:
    findings = ListedFindingRepository(session)
    verification = await make.verification()
    rows = [await make.finding(verification, await make.archived_event()) for _ in range(3)]
    edited = await make.finding(verification, await make.archived_event(), kind="edited")
    await session.execute(text("UPDATE verification_findings SET starts_at = found_at"))
    everything = await findings.of_verification(verification.id, None, None, 10)
    first = await findings.of_verification(verification.id, None, None, 2)
    await session.refresh(first[-1])
    rest = await findings.of_verification(verification.id, None, (first[-1].starts_at, first[-1].id), 10)
    assert [row.id for row in [*first, *rest]] == [row.id for row in everything]
    assert len(everything) == len(rows) + 1
    assert [row.id for row in await findings.of_verification(verification.id, "edited", None, 10)] == [
        edited.id
    ]
