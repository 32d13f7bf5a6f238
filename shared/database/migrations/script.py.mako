"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
from shared.database.migrations.grants import grant_to_app_user

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand only: the previous version of the app runs while this does."""
    ${upgrades if upgrades else "pass"}
