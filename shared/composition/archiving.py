"""The services that archive, look at what was archived, and compare."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.foundations import Foundations

if TYPE_CHECKING:
    from shared.services.action_items.answering import ActionItemAnswering
    from shared.services.action_items.reading import ActionItemService
    from shared.services.appointments.general_reading import GeneralReading
    from shared.services.appointments.reading import AppointmentService
    from shared.services.approvals.deciding import ApprovalDecisions
    from shared.services.approvals.reading import ApprovalReading
    from shared.services.approvals.requesting import ApprovalRequests
    from shared.services.approvals.sign_ins import AdminSignIns
    from shared.services.approvals.watching import ApprovalWatch
    from shared.services.archiving.context import ArchivingPorts
    from shared.services.archiving.owner_edits import OwnerEdits
    from shared.services.archiving.previewing import Previewer
    from shared.services.archiving.run_driver import RunDriver
    from shared.services.archiving.runs import ArchiveRunService
    from shared.services.archiving.service import ArchivingService
    from shared.services.backfilling.service import BackfillService
    from shared.services.configurations.changes import ConfigurationChanges
    from shared.services.configurations.saving import ArchiveConfigurationService
    from shared.services.notifications.item_reminders import ActionItemReminders
    from shared.services.notifications.mailing import MailSending
    from shared.services.notifications.reading import NotificationService
    from shared.services.notifications.reminding import OverlapReminders
    from shared.services.overlaps.reading import OverlapService
    from shared.services.overlaps.resolving import OverlapResolving
    from shared.services.rebuilding.requests import RebuildRequests
    from shared.services.rebuilding.runs import RebuildRuns
    from shared.services.verifying.restoring import CopyRestoring
    from shared.services.verifying.scheduling import VerificationSchedule
    from shared.services.verifying.service import VerificationService


class ArchivingParts(Foundations):
    """Archiving and what goes with it."""

    @cached_property
    def archiving_ports(self) -> "ArchivingPorts":
        """What archiving, backfills and verifications work with."""
        from shared.services.archiving.context import ArchivingPorts

        return ArchivingPorts(
            self.database, self.calendar_stores, self.clock, self.settings, person_keys=self.person_keys
        )

    @cached_property
    def archiving(self) -> "ArchivingService":
        """Archive runs."""
        from shared.services.archiving.service import ArchivingService

        return ArchivingService(self.archiving_ports)

    @cached_property
    def archive_configurations(self) -> "ArchiveConfigurationService":
        """Archive configurations."""
        from shared.services.configurations.saving import ArchiveConfigurationService

        return ArchiveConfigurationService(
            self.database, self.calendar_stores, self.clock, self.system_settings
        )

    @cached_property
    def configuration_changes(self) -> "ConfigurationChanges":
        """Changes of archive configurations."""
        from shared.services.configurations.changes import ConfigurationChanges

        return ConfigurationChanges(self.database, self.clock, self.audit_writer)

    @cached_property
    def archive_runs(self) -> "ArchiveRunService":
        """Archive runs, looked at and cancelled."""
        from shared.services.archiving.runs import ArchiveRunService

        return ArchiveRunService(self.database, self.clock, self.audit_writer)

    @cached_property
    def archive_previews(self) -> "Previewer":
        """Dry runs."""
        from shared.services.archiving.previewing import Previewer

        return Previewer(self.archiving_ports)

    @cached_property
    def approval_requests(self) -> "ApprovalRequests":
        """Asking for the approval of another's mailbox."""
        from shared.services.approvals.requesting import ApprovalRequests

        return ApprovalRequests(self.database, self.clock, self.audit_writer)

    @cached_property
    def approval_decisions(self) -> "ApprovalDecisions":
        """Deciding about approvals."""
        from shared.services.approvals.deciding import ApprovalDecisions

        return ApprovalDecisions(self.database, self.clock, self.audit_writer, self.mail_senders)

    @cached_property
    def approval_reading(self) -> "ApprovalReading":
        """Approvals as they are seen."""
        from shared.services.approvals.reading import ApprovalReading

        return ApprovalReading(self.database)

    @cached_property
    def approval_watch(self) -> "ApprovalWatch":
        """What ends and starts approvals by time."""
        from shared.services.approvals.watching import ApprovalWatch

        return ApprovalWatch(self.database, self.clock, self.audit_writer, self.calendar_stores)

    @cached_property
    def mail_sending(self) -> "MailSending":
        """What sends mail to people who are no users."""
        from shared.graph.mail import GraphMail
        from shared.services.notifications.mailing import MailSending

        posts = GraphMail(self.graph)
        return MailSending(self.database, self.clock, self.audit_writer, posts, self.mail_senders)

    @cached_property
    def admin_sign_ins(self) -> "AdminSignIns":
        """Who is an Admin, as far as sign-ins tell."""
        from shared.services.approvals.sign_ins import AdminSignIns

        return AdminSignIns(self.database, self.clock, lambda: self.audit_writer)

    @cached_property
    def owner_edits(self) -> "OwnerEdits":
        """Explicit edits of what is archived."""
        from shared.services.archiving.owner_edits import OwnerEdits

        return OwnerEdits(self.archiving_ports)

    @cached_property
    def appointments(self) -> "AppointmentService":
        """The record of what was archived."""
        from shared.services.appointments.reading import AppointmentService

        return AppointmentService(self.database, self.settings, lambda: self._general_reading)

    @cached_property
    def _general_reading(self) -> "GeneralReading":
        from shared.services.appointments.general_reading import GeneralReading

        return GeneralReading(self.database, lambda: self.audit_writer)

    @cached_property
    def overlaps(self) -> "OverlapService":
        """Groups of overlapping events."""
        from shared.services.overlaps.reading import OverlapService

        return OverlapService(self.database, self.audit_writer)

    @cached_property
    def overlap_resolving(self) -> "OverlapResolving":
        """Decisions about overlapping events."""
        from shared.services.overlaps.resolving import OverlapResolving

        return OverlapResolving(self.archiving_ports)

    @cached_property
    def action_items(self) -> "ActionItemService":
        """Questions about archived meetings."""
        from shared.services.action_items.reading import ActionItemService

        return ActionItemService(self.database, self.audit_writer)

    @cached_property
    def answering(self) -> "ActionItemAnswering":
        """Answers to action items."""
        from shared.services.action_items.answering import ActionItemAnswering

        return ActionItemAnswering(self.archiving_ports)

    @cached_property
    def item_reminders(self) -> "ActionItemReminders":
        """Reminders of action items that wait."""
        from shared.services.notifications.item_reminders import ActionItemReminders

        return ActionItemReminders(self.database, self.clock, self.audit_writer)

    @cached_property
    def notifications(self) -> "NotificationService":
        """What people were told."""
        from shared.services.notifications.reading import NotificationService

        return NotificationService(self.database, self.clock, self.audit_writer)

    @cached_property
    def overlap_reminders(self) -> "OverlapReminders":
        """Reminders of overlaps that wait."""
        from shared.services.notifications.reminding import OverlapReminders

        return OverlapReminders(self.database, self.clock, self.audit_writer)

    @cached_property
    def backfills(self) -> "BackfillService":
        """What is archived month by month."""
        from shared.services.backfilling.service import BackfillService

        return BackfillService(self.archiving_ports)

    @cached_property
    def verifications(self) -> "VerificationService":
        """Comparing source, record and archive calendar."""
        from shared.services.verifying.service import VerificationService

        return VerificationService(self.archiving_ports)

    @cached_property
    def verification_schedule(self) -> "VerificationSchedule":
        """The weekly verification."""
        from shared.services.verifying.scheduling import VerificationSchedule

        return VerificationSchedule(self.archiving_ports)

    @cached_property
    def copy_restoring(self) -> "CopyRestoring":
        """Copies put back, and edits taken over, on their owner's word."""
        from shared.services.verifying.restoring import CopyRestoring

        return CopyRestoring(self.archiving_ports)

    @cached_property
    def rebuild_requests(self) -> "RebuildRequests":
        """Deleted archive calendars asked for again."""
        from shared.services.rebuilding.requests import RebuildRequests

        return RebuildRequests(self.archiving_ports, self.calendar_stores)

    @cached_property
    def rebuild_runs(self) -> "RebuildRuns":
        """Runs that create the copies of a deleted archive calendar again."""
        from shared.services.rebuilding.runs import RebuildRuns

        return RebuildRuns(self.archiving_ports)

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
        return RunDriver(self.archiving, planners, (self.copy_restoring, self.rebuild_runs), self.backfills)
