"""Further tenants whose people may use the app."""

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Changes, Input, Line, Resource, absent, columns_of

if TYPE_CHECKING:
    from shared.database.models.system import Tenant


class TenantCreate(Input):
    """A tenant to give access."""

    id: UUID = Field(
        description="Its tenant id at Entra.", examples=["7d9f3d2c-3c1f-4b52-9a52-4e3f0a5d8c11"], strict=False
    )
    name: Line = Field(examples=["Contoso"])


class TenantUpdate(Changes):
    """The changes of a tenant. People of an inactive one are refused from their next request on."""

    name: Line = Field(default_factory=absent)
    active: bool = Field(default_factory=absent)


class TenantResource(Resource):
    """A further tenant."""

    id: UUID
    name: str
    active: bool
    created_by: str
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, tenant: "Tenant") -> Self:
        """The resource of a row."""
        return cls(**columns_of(tenant, cls, created_by="added_by"))
