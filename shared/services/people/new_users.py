"""The row of a person who becomes a user."""

from datetime import datetime
from uuid import UUID, uuid4

from shared.database.models.users import User


def new_user(tenant_id: UUID, object_id: UUID, address: str, display_name: str, now: datetime) -> User:
    """An active user, whether an Admin adds them or they sign in for the first time."""
    return User(
        id=uuid4(),
        tenant_id=tenant_id,
        object_id=object_id,
        address=address,
        display_name=display_name,
        active=True,
        version=1,
        created_at=now,
        updated_at=now,
    )
