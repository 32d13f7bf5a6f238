"""The services for people and tenants: who comes, who leaves, whose token it is."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.archiving import ArchivingParts

if TYPE_CHECKING:
    from shared.database.repositories.people.person_data import Person
    from shared.services.identity.further_tenants import FurtherTenants
    from shared.services.identity.tokens import TokenValidator
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


class PeopleParts(ArchivingParts):
    """People and tenants."""

    @cached_property
    def further_tenants(self) -> "FurtherTenants":
        """Which tenants have access besides the home tenant."""
        from shared.services.identity.further_tenants import FurtherTenants

        return FurtherTenants(self.database, self.clock, self.settings)

    @cached_property
    def tokens(self) -> "TokenValidator":
        """Who presents an access token."""
        from shared.services.identity.signing_keys import KeyCache
        from shared.services.identity.tokens import TokenValidator

        keys = KeyCache(self.settings.authority, self.clock)
        validator = TokenValidator(self.settings, keys, self.further_tenants)
        self._closers.append(validator.close)
        return validator

    @cached_property
    def tenants(self) -> "TenantService":
        """The list of further tenants."""
        from shared.services.operation.tenants import TenantService

        return TenantService(
            self.database, self.clock, self.settings, self.further_tenants, self.audit_writer
        )

    @cached_property
    def first_sign_in(self) -> "FirstSignInService":
        """Who becomes a user by signing in."""
        from shared.services.people.first_sign_in import FirstSignInService

        return FirstSignInService(self.database, self.clock, self.settings, self.audit_writer)

    @cached_property
    def break_glass(self) -> "BreakGlass":
        """Emergency access to private events."""
        from shared.services.people.break_glass import BreakGlass

        return BreakGlass(self.database, self.clock, self.audit_writer)

    @cached_property
    def invitations(self) -> "InvitationService":
        """Who is invited to sign in."""
        from shared.services.people.invitations import InvitationService

        return InvitationService(self.database, self.clock, self.audit_writer)

    @cached_property
    def users(self) -> "UserService":
        """Users."""
        from shared.services.people.users import UserService

        return UserService(self.database, self.calendars, self.clock, self.audit_writer)

    @cached_property
    def bulk_add(self) -> "BulkAddService":
        """Many users at once."""
        from shared.graph.directory import GraphDirectory
        from shared.graph.throttle import Throttle
        from shared.services.people.bulk_add import BulkAddService

        directory = GraphDirectory(self.graph, Throttle(clock=self.clock))
        return BulkAddService(self.database, directory, self.clock, self.audit_writer)

    @cached_property
    def offboarding(self) -> "OffboardingService":
        """People who leave."""
        from shared.services.people.offboarding import OffboardingService

        return OffboardingService(self.database, self.clock, self.audit_writer)

    @cached_property
    def legal_holds(self) -> "LegalHoldService":
        """People of whom nothing may be erased."""
        from shared.services.people.legal_holds import LegalHoldService

        return LegalHoldService(self.database, self.clock, self.audit_writer)

    @cached_property
    def user_exports(self) -> "UserExportService":
        """Everything we hold on a person, as a file."""
        from shared.services.people.exporting import UserExportService

        return UserExportService(
            self.database,
            self.clock,
            self.audit_writer,
            self.settings,
            self.storage,
            self.person_keys,
            self.system_settings,
        )

    @cached_property
    def user_erasures(self) -> "UserErasureService":
        """Erasures, asked for and confirmed."""
        from shared.services.people.erasure_requests import UserErasureService

        return UserErasureService(self.database, self.clock, self.audit_writer, self.storage)

    @cached_property
    def eraser(self) -> "Eraser":
        """Erasures, carried out."""
        from shared.graph.copy_removal import GraphCopyRemoval
        from shared.services.people.erasing import Eraser, ErasingPorts

        copies = GraphCopyRemoval(self.graph, self.throttle)
        return Eraser(
            ErasingPorts(
                database=self.database,
                clock=self.clock,
                audit=self.audit_writer,
                copies=copies,
                storage=self.storage,
                keys=self.person_keys,
                forget=self._forget,
            )
        )

    def _forget(self, person: "Person") -> None:
        """Drop what this worker keeps in memory of a person."""
        from shared.domain.identity.caller import SignedIn

        self.rate_limit.forget(person.tenant_id, person.actor)
        if "on_behalf" in self.__dict__:
            self.on_behalf.forget(SignedIn(person.tenant_id, person.object_id, ""))
