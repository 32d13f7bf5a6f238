"""Runs, what they write, and what is compared."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.archiving.owner_edits import OwnerEdits
    from shared.services.archiving.previewing import Previewer
    from shared.services.archiving.run_driver import RunDriver
    from shared.services.archiving.runs import ArchiveRunService
    from shared.services.archiving.service import ArchivingService
    from shared.services.backfilling.service import BackfillService
    from shared.services.rebuilding.requests import RebuildRequests
    from shared.services.rebuilding.runs import RebuildRuns
    from shared.services.verifying.restoring import CopyRestoring
    from shared.services.verifying.scheduling import VerificationSchedule
    from shared.services.verifying.service import VerificationService


class ArchivingRoom:
    """Runs, what they write, and what is compared."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def service(self) -> "ArchivingService":
        """Archive runs."""
        from shared.services.archiving.service import ArchivingService

        return ArchivingService(self._base.archiving_ports)

    @cached_property
    def runs(self) -> "ArchiveRunService":
        """Archive runs, looked at and cancelled."""
        from shared.services.archiving.runs import ArchiveRunService

        return ArchiveRunService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def previews(self) -> "Previewer":
        """Dry runs."""
        from shared.services.archiving.previewing import Previewer

        return Previewer(self._base.archiving_ports)

    @cached_property
    def owner_edits(self) -> "OwnerEdits":
        """Explicit edits of what is archived."""
        from shared.services.archiving.owner_edits import OwnerEdits

        return OwnerEdits(self._base.archiving_ports)

    @cached_property
    def backfills(self) -> "BackfillService":
        """What is archived month by month."""
        from shared.services.backfilling.service import BackfillService

        return BackfillService(self._base.archiving_ports)

    @cached_property
    def rebuild_requests(self) -> "RebuildRequests":
        """Deleted archive calendars asked for again."""
        from shared.services.rebuilding.requests import RebuildRequests

        return RebuildRequests(self._base.archiving_ports, self._base.calendar_stores)

    @cached_property
    def rebuild_runs(self) -> "RebuildRuns":
        """Runs that create the copies of a deleted archive calendar again."""
        from shared.services.rebuilding.runs import RebuildRuns

        return RebuildRuns(self._base.archiving_ports)

    @cached_property
    def run_driver(self) -> "RunDriver":
        """The steps of runs."""
        from shared.domain.runs.archive_run import RunMode
        from shared.services.archiving.run_driver import ModePlanner, RunDriver

        planners: dict[RunMode, ModePlanner] = {
            RunMode.EDIT: self.owner_edits,
            RunMode.PUT_BACK: self.copy_restoring,
            RunMode.REBUILD: self.rebuild_runs,
        }
        return RunDriver(self.service, planners, (self.copy_restoring, self.rebuild_runs), self.backfills)

    @cached_property
    def verifications(self) -> "VerificationService":
        """Comparing source, record and archive calendar."""
        from shared.services.verifying.service import VerificationService

        return VerificationService(self._base.archiving_ports)

    @cached_property
    def verification_schedule(self) -> "VerificationSchedule":
        """The weekly verification."""
        from shared.services.verifying.scheduling import VerificationSchedule

        return VerificationSchedule(self._base.archiving_ports)

    @cached_property
    def copy_restoring(self) -> "CopyRestoring":
        """Copies put back, and edits taken over, on their owner's word."""
        from shared.services.verifying.restoring import CopyRestoring

        return CopyRestoring(self._base.archiving_ports)


def build(foundations: "Foundations") -> ArchivingRoom:
    """The room. Each part is built when first asked for."""
    return ArchivingRoom(foundations)
