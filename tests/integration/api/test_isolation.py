"""Many callers at once: nobody gets another's answer, correlation id or audit row, even if some give up."""

import asyncio
import random
from uuid import UUID

from sqlalchemy import select

from shared import telemetry
from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from tests.integration.api.caller import Caller

CALLERS = 12


async def test_interleaved_and_cancelled_requests_stay_apart(api: Caller, database: Database) -> None:
    admin = api.token("Admin")
    people: dict[UUID, str] = {}
    for number in range(CALLERS):
        address = f"p{number}@example.com"
        people[api.mailbox(address, "Archive")] = address
    created = await asyncio.gather(
        *(
            api(
                "POST",
                "v1/users",
                {"address": address},
                token=api.person(oid, "Admin"),
                headers={"x-correlation-id": address.split("@")[0]},
            )
            for oid, address in people.items()
        )
    )
    ids = {response.json["object_id"]: response.json["id"] for response in created}
    chance = random.Random(7)

    async def read(oid: UUID, number: int) -> None:
        correlation = f"{people[oid].split('@')[0]}-{number}"
        token = api.person(oid)
        request = asyncio.create_task(
            api("GET", f"v1/users/{ids[str(oid)]}", token=token, headers={"x-correlation-id": correlation})
        )
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.02)
            request.cancel()
        (result,) = await asyncio.gather(request, return_exceptions=True)
        if isinstance(result, asyncio.CancelledError):
            return
        assert not isinstance(result, BaseException), result
        assert result.status == 200, result.json
        assert result.json["object_id"] == str(oid)
        assert result.headers["x-correlation-id"] == correlation

    await asyncio.gather(*(read(oid, number) for number in range(10) for oid in people))
    assert (await api("GET", "v1/users", token=admin)).status == 200
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert telemetry.current_caller.get() is None
    assert telemetry.correlation_id.get() == ""
    async with database.session() as session:
        entries = (await session.execute(select(AuditEntry))).scalars().all()
    told = {(entry.actor, entry.correlation_id, entry.resource_id) for entry in entries}
    assert told == {(f"user:{oid}", address.split("@")[0], ids[str(oid)]) for oid, address in people.items()}
