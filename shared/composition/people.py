"""People: who comes, who leaves, what is kept of them."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.composition.identity import IdentityRoom
    from shared.database.repositories.people.person_data import DataSubject
    from shared.services.people.break_glass import BreakGlass
    from shared.services.people.bulk_add import BulkAddService
    from shared.services.people.erasing import Eraser
    from shared.services.people.erasure_requests import UserErasureService
    from shared.services.people.exporting import UserExportService
    from shared.services.people.invitations import InvitationService
    from shared.services.people.legal_holds import LegalHoldService
    from shared.services.people.offboarding import OffboardingService
    from shared.services.people.users import UserService


class PeopleRoom:
    """People: who comes, who leaves, what is kept of them. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations", identity: "IdentityRoom") -> None:
        self._base = foundations
        self._identity = identity

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

        self._identity.rate_limit.forget(person.tenant_id, person.actor)
        if "on_behalf" in vars(self._base):
            self._base.on_behalf.forget(SignedIn(person.tenant_id, person.object_id, ""))


def build(foundations: "Foundations", identity: "IdentityRoom") -> PeopleRoom:
    """The room; nothing in it is built yet."""
    return PeopleRoom(foundations, identity)
