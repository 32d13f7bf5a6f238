"""What the orchestrations do, without the host."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared import telemetry
from shared.application import Application
from shared.database.models.runs import ArchiveRun
from shared.database.models.verifications import Verification, VerificationFinding
from shared.services.verifying.service import CompareProgress
from shared.triggers import archive_workflow
from tests.integration.archiving.durable import RecordingClient, function_of
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World

#: Meetings of these tests lie in the week that begins with ``DAY``.
WEEK_END = DAY + timedelta(days=7)


def meetings(count: int) -> list[dict[str, Any]]:
    """This many, one every ten hours."""
    return [event(f"Meeting {n}", DAY + timedelta(hours=10 * n)) for n in range(count)]


@dataclass
class Verifier:
    """Verifies an archive and does what its owner wants done about it."""

    world: World
    app: Application

    async def request(self, start: datetime | None = None, end: datetime | None = None) -> Verification:
        """Ask for a verification as an admin."""
        with telemetry.bind(caller=self.world.admin, correlation="verify"):
            asked = await self.app.archiving.verifications.request(
                self.world.admin, self.world.configuration_id, start, end
            )
        return asked.verification

    async def compare(self, verification_id: UUID) -> CompareProgress:
        """One round."""
        async with self.app.archiving.verifications.acting_for(verification_id):
            return await self.app.archiving.verifications.compare(verification_id)

    async def drive(self, verification_id: UUID) -> Verification:
        """Begin, compare and finish."""
        assert (await self.app.archiving.verifications.begin(verification_id)).mine
        for _ in range(20):
            progress = await self.compare(verification_id)
            if not progress.remaining:
                break
        async with self.app.archiving.verifications.acting_for(verification_id):
            await self.app.archiving.verifications.finish(
                verification_id, progress.refused, gone=progress.gone
            )
        return await self.app.archiving.verifications.get(self.world.admin, verification_id)

    async def verify(self, start: datetime | None = None, end: datetime | None = None) -> Verification:
        """A whole verification."""
        return await self.drive((await self.request(start, end)).id)

    async def one_finding(self) -> tuple[Verification, VerificationFinding]:
        """A whole verification, and the only thing it found."""
        verified = await self.verify()
        (finding,) = await self.findings(verified)
        return verified, finding

    async def missing(self) -> tuple[Verification, VerificationFinding]:
        """One meeting, archived, its copy deleted by hand: what is found."""
        await self.world.open(meetings(1))
        await self.world.archive()
        await self.world.delete((await self.world.copy("Meeting 0"))["id"])
        return await self.one_finding()

    async def edited(self) -> tuple[Verification, VerificationFinding]:
        """One meeting, archived, its copy named "Mine" by hand: what is found."""
        await self.world.open(meetings(1))
        await self.world.archive()
        await self.world.edit((await self.world.copy("Meeting 0"))["id"], subject="Mine")
        return await self.one_finding()

    async def findings(self, verification: Verification) -> list[VerificationFinding]:
        """All it found."""
        told = await self.app.archiving.verifications.findings(
            self.world.admin, verification.id, None, None, 1000
        )
        found = told.page
        return list(found.rows)

    async def found(self, verification: Verification) -> list[tuple[str, str]]:
        """Kind and reason of all it found, sorted."""
        return sorted((each.kind, each.reason) for each in await self.findings(verification))

    async def put_back(self, verification: Verification, finding: VerificationFinding) -> ArchiveRun:
        """Ask for it, and let the run do it."""
        with telemetry.bind(caller=self.world.admin, correlation="put back"):
            started = await self.app.archiving.copy_restoring.put_back(
                self.world.admin, verification.id, finding.id
            )
        await self.run(started.run.id)
        return (await self.world.view(started.run.id)).run

    async def adopt(self, verification: Verification, finding: VerificationFinding) -> VerificationFinding:
        """Take an edit over."""
        with telemetry.bind(caller=self.world.admin, correlation="adopt"):
            return await self.app.archiving.copy_restoring.adopt(
                self.world.admin, verification.id, finding.id
            )

    async def run(self, run_id: UUID) -> list[str]:
        """Drive an archive run through its activities; the instances that it started in the end."""
        client, run = RecordingClient(), str(run_id)
        assert (await activity("begin", run))["mine"]
        await activity("settle", {"run_id": run, "attempt": 0})
        await activity("plan", run)
        while (await activity("apply", run))["remaining"]:
            pass
        await activity("finish", {"run_id": run, "reason": None}, client)
        return [instance for _, _, instance in client.started]


async def activity(name: str, given: Any, *more: Any) -> Any:
    """Run an activity of the archive's workflow as the worker does."""
    return await function_of(getattr(archive_workflow, f"{name}_archive_run"))(given, *more)
