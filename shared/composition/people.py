"""People: who may sign in, who comes and leaves, and approvals of mailboxes."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.database.repositories.people.person_data import DataSubject
    from shared.services.approvals.deciding import ApprovalDecisions
    from shared.services.approvals.reading import ApprovalReading
    from shared.services.approvals.requesting import ApprovalRequests
    from shared.services.approvals.sign_ins import AdminSignIns
    from shared.services.approvals.watching import ApprovalWatch
    from shared.services.identity.further_tenants import FurtherTenants
    from shared.services.identity.tokens import TokenValidator
    from shared.services.operation.rate_limit import RateLimit
    from shared.services.operation.tenants import TenantService
    from shared.services.people.break_glass import BreakGlass
    from shared.services.people.bulk_add import BulkAddService
    from shared.services.people.erasing import Eraser
    from shared.services.people.erasure_requests import UserErasureService
    from shared.services.people.exporting import UserExportService
    from shared.services.people.first_sign_in import FirstSignInService
    from shared.services.people.invitations import InvitationService
    from shared.services.people.legal_holds import LegalHoldService
    from shared.services.people.offboarding import OffboardingService
    from shared.services.people.users import UserService


class PeopleRoom:
    """People: who may sign in, who comes and leaves, and approvals of mailboxes."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def tokens(self) -> "TokenValidator":
        """Who presents an access token."""
        from shared.services.identity.signing_keys import KeyCache
        from shared.services.identity.tokens import TokenValidator

        keys = KeyCache(self._base.settings.authority, self._base.clock)
        validator = TokenValidator(self._base.settings, keys, self.further_tenants)
        self._base.closers.append(validator.close)
        return validator

    @cached_property
    def further_tenants(self) -> "FurtherTenants":
        """Which tenants have access besides the home tenant."""
        from shared.services.identity.further_tenants import FurtherTenants

        return FurtherTenants(self._base.database, self._base.clock, self._base.settings)

    @cached_property
    def tenants(self) -> "TenantService":
        """The list of further tenants."""
        from shared.services.operation.tenants import TenantService

        return TenantService(
            self._base.database,
            self._base.clock,
            self._base.settings,
            self.further_tenants,
            self._base.audit_writer,
        )

    @cached_property
    def rate_limit(self) -> "RateLimit":
        """How many requests one caller may send to this instance."""
        from shared.services.operation.rate_limit import RateLimit

        settings = self._base.settings
        return RateLimit(settings.rate_limit_per_second, settings.rate_limit_burst, self._base.clock)

    @cached_property
    def first_sign_in(self) -> "FirstSignInService":
        """Who becomes a user by signing in."""
        from shared.services.people.first_sign_in import FirstSignInService

        return FirstSignInService(
            self._base.database, self._base.clock, self._base.settings, self._base.audit_writer
        )

    @cached_property
    def admin_sign_ins(self) -> "AdminSignIns":
        """Who is an Admin, as far as sign-ins tell."""
        from shared.services.approvals.sign_ins import AdminSignIns

        return AdminSignIns(self._base.database, self._base.clock, lambda: self._base.audit_writer)

    @cached_property
    def approval_requests(self) -> "ApprovalRequests":
        """Asking for the approval of another's mailbox."""
        from shared.services.approvals.requesting import ApprovalRequests

        return ApprovalRequests(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def approval_decisions(self) -> "ApprovalDecisions":
        """Deciding about approvals."""
        from shared.services.approvals.deciding import ApprovalDecisions

        return ApprovalDecisions(
            self._base.database, self._base.clock, self._base.audit_writer, self._base.mail_senders
        )

    @cached_property
    def approval_reading(self) -> "ApprovalReading":
        """Approvals as they are seen."""
        from shared.services.approvals.reading import ApprovalReading

        return ApprovalReading(self._base.database)

    @cached_property
    def approval_watch(self) -> "ApprovalWatch":
        """What ends and starts approvals by time."""
        from shared.services.approvals.watching import ApprovalWatch

        return ApprovalWatch(
            self._base.database, self._base.clock, self._base.audit_writer, self._base.calendar_stores
        )

    @cached_property
    def users(self) -> "UserService":
        """Users."""
        from shared.services.people.users import UserService

        return UserService(
            self._base.database, self._base.calendars, self._base.clock, self._base.audit_writer
        )

    @cached_property
    def bulk_add(self) -> "BulkAddService":
        """Many users at once."""
        from shared.graph.directory import GraphDirectory
        from shared.graph.throttle import Throttle
        from shared.services.people.bulk_add import BulkAddService

        directory = GraphDirectory(self._base.graph, Throttle(clock=self._base.clock))
        return BulkAddService(self._base.database, directory, self._base.clock, self._base.audit_writer)

    @cached_property
    def invitations(self) -> "InvitationService":
        """Who is invited to sign in."""
        from shared.services.people.invitations import InvitationService

        return InvitationService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def offboarding(self) -> "OffboardingService":
        """People who leave."""
        from shared.services.people.offboarding import OffboardingService

        return OffboardingService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def legal_holds(self) -> "LegalHoldService":
        """People of whom nothing may be erased."""
        from shared.services.people.legal_holds import LegalHoldService

        return LegalHoldService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def break_glass(self) -> "BreakGlass":
        """Emergency access to private events."""
        from shared.services.people.break_glass import BreakGlass

        return BreakGlass(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def exports(self) -> "UserExportService":
        """Everything we hold on a person, as a file."""
        from shared.services.people.exporting import UserExportService

        return UserExportService(
            self._base.database,
            self._base.clock,
            self._base.audit_writer,
            self._base.settings,
            self._base.storage,
            self._base.person_keys,
            self._base.system_settings,
        )

    @cached_property
    def erasures(self) -> "UserErasureService":
        """Erasures, asked for and confirmed."""
        from shared.services.people.erasure_requests import UserErasureService

        return UserErasureService(
            self._base.database, self._base.clock, self._base.audit_writer, self._base.storage
        )

    @cached_property
    def eraser(self) -> "Eraser":
        """Erasures, carried out."""
        from shared.graph.copy_removal import GraphCopyRemoval
        from shared.services.people.erasing import Eraser, ErasingPorts

        copies = GraphCopyRemoval(self._base.graph, self._base.throttle)
        return Eraser(
            ErasingPorts(
                database=self._base.database,
                clock=self._base.clock,
                audit=self._base.audit_writer,
                copies=copies,
                storage=self._base.storage,
                keys=self._base.person_keys,
                forget=self._forget,
            )
        )

    def _forget(self, person: "DataSubject") -> None:
        """Drop what this worker keeps in memory of a person."""
        from shared.domain.identity.caller import SignedIn

        self.rate_limit.forget(person.tenant_id, person.actor)
        if "on_behalf" in vars(self._base):
            self._base.on_behalf.forget(SignedIn(person.tenant_id, person.object_id, ""))


def build(foundations: "Foundations") -> PeopleRoom:
    """The room. Each part is built when first asked for."""
    return PeopleRoom(foundations)
