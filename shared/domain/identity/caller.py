"""Who acts: a signed-in person, another application, or the system (domain.md 1, 7.1)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain.identity.roles import Role
from shared.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind one request, timer or workflow."""

    tenant_id: UUID
    #: None for the system.
    object_id: UUID | None
    #: ``user:<oid>``, ``app:<oid>`` or ``system:<what>``.
    name: str
    roles: frozenset[Role]
    app_only: bool = False

    @classmethod
    def user(cls, tenant_id: UUID, object_id: UUID, roles: Iterable[Role] = (Role.USER,)) -> "Caller":
        """A signed-in person."""
        return cls(tenant_id, object_id, f"user:{object_id}", frozenset(roles))

    @classmethod
    def app(cls, tenant_id: UUID, object_id: UUID, roles: Iterable[Role]) -> "Caller":
        """Another application, without a person."""
        return cls(tenant_id, object_id, f"app:{object_id}", frozenset(roles), app_only=True)

    @classmethod
    def system(cls, tenant_id: UUID, what: str) -> "Caller":
        """A timer, workflow or webhook of ours. It has no role, and system services require none."""
        return cls(tenant_id, None, f"system:{what}", frozenset(), app_only=True)

    @property
    def actor(self) -> str:
        """The caller's name in the audit (domain.md 7.1)."""
        return self.name

    @property
    def is_admin(self) -> bool:
        """True if the caller may see and change everything in the tenant."""
        return Role.ADMIN in self.roles

    @property
    def reads_tenant(self) -> bool:
        """True if the caller may read data of other people in the tenant."""
        return Role.ADMIN in self.roles or Role.AUDITOR in self.roles

    @property
    def person(self) -> UUID | None:
        """The object id of the signed-in person. None for an application, which is no person."""
        return None if self.app_only else self.object_id

    def is_person(self, object_id: UUID) -> bool:
        """True if the caller is this person, signed in. An application owns nothing (design.md, Who may)."""
        return not self.app_only and self.object_id == object_id


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The caller, and the access token for our API in the request."""

    tenant_id: UUID
    object_id: UUID
    assertion: str = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """Identifies an assertion without containing it."""
        return hashlib.sha256(self.assertion.encode()).digest()


def require_active(active: bool | None) -> None:
    """Refuse (403) a deactivated person, whatever the token says. None is a person without an account."""
    if active is False:
        raise Forbidden("this user is deactivated", code="user_deactivated")
