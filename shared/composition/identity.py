"""Whose token it is, and who may sign in."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.approvals.sign_ins import AdminSignIns
    from shared.services.identity.further_tenants import FurtherTenants
    from shared.services.identity.tokens import TokenValidator
    from shared.services.operation.rate_limit import RateLimit
    from shared.services.operation.tenants import TenantService
    from shared.services.people.first_sign_in import FirstSignInService


class IdentityRoom:
    """Whose token it is, and who may sign in. Each part is built when first asked for."""

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


def build(foundations: "Foundations") -> IdentityRoom:
    """The room; nothing in it is built yet."""
    return IdentityRoom(foundations)
