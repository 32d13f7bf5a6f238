"""Who acts: a signed-in person, another application, or the system itself (domain.md 1, 7.1)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain.identity.roles import Role
from shared.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """The acting identity of one request, timer or workflow.

    ``name`` is ``user:<oid>``, ``app:<oid>`` or ``system:<what>``. ``object_id`` is None for the system.
    """

    tenant_id: UUID
    object_id: UUID | None
    name: str
    roles: frozenset[Role]
    app_only: bool = False

    @classmethod
    def user(cls, tenant_id: UUID, object_id: UUID, roles: Iterable[Role] = (Role.USER,)) -> "Caller":
        """A signed-in person."""
        return cls(tenant_id, object_id, f"user:{object_id}", frozenset(roles))

    @classmethod
    def app(cls, tenant_id: UUID, object_id: UUID, roles: Iterable[Role]) -> "Caller":
        """Another application, acting without a person."""
        return cls(tenant_id, object_id, f"app:{object_id}", frozenset(roles), app_only=True)

    @classmethod
    def system(cls, tenant_id: UUID, what: str) -> "Caller":
        """A timer, workflow or webhook of ours; holds no role, services of the system do not ask for one."""
        return cls(tenant_id, None, f"system:{what}", frozenset(), app_only=True)

    @property
    def actor(self) -> str:
        """How the audit names the caller (domain.md 7.1)."""
        return self.name

    @property
    def is_admin(self) -> bool:
        """True if everything of the tenant is open to the caller."""
        return Role.ADMIN in self.roles

    @property
    def reads_tenant(self) -> bool:
        """True if the caller may read what belongs to others of the tenant."""
        return Role.ADMIN in self.roles or Role.AUDITOR in self.roles

    @property
    def person(self) -> UUID | None:
        """The object id of the signed-in person; None for an application, which is nobody's eyes."""
        return None if self.app_only else self.object_id

    def is_person(self, object_id: UUID) -> bool:
        """True if the caller is this person, signed in; an application owns nothing (design.md, Who may)."""
        return not self.app_only and self.object_id == object_id


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who called, and the access token for our API that the request carried."""

    tenant_id: UUID
    object_id: UUID
    assertion: str = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """What tells one assertion from another without being one."""
        return hashlib.sha256(self.assertion.encode()).digest()


def require_active(active: bool | None) -> None:
    """Refuse (403) a person who was deactivated, whatever the token says; None is a stranger."""
    if active is False:
        raise Forbidden("this user is deactivated", code="user_deactivated")
