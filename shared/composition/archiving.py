"""Runs and what they write."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.composition.verifying import VerifyingRoom
    from shared.services.archiving.owner_edits import OwnerEdits
    from shared.services.archiving.previewing import Previewer
    from shared.services.archiving.run_driver import RunDriver
    from shared.services.archiving.runs import ArchiveRunService
    from shared.services.archiving.service import ArchivingService
    from shared.services.backfilling.service import BackfillService
    from shared.services.rebuilding.requests import RebuildRequests
    from shared.services.rebuilding.runs import RebuildRuns


class ArchivingRoom:
    """Runs and what they write. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations", verifying: "VerifyingRoom") -> None:
        self._base = foundations
        self._verifying = verifying

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
            RunMode.PUT_BACK: self._verifying.restoring,
            RunMode.REBUILD: self.rebuild_runs,
        }
        return RunDriver(
            self.service, planners, (self._verifying.restoring, self.rebuild_runs), self.backfills
        )


def build(foundations: "Foundations", verifying: "VerifyingRoom") -> ArchivingRoom:
    """The room; nothing in it is built yet."""
    return ArchivingRoom(foundations, verifying)
