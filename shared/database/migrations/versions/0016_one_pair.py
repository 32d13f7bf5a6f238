"""One configuration for a source and an archive calendar. Of existing pairs the newer one pauses."""

import sqlalchemy as sa
from alembic import op

from shared.database.migrations.columns import flag

revision = "0016"
down_revision = "0015"
branch_labels = depends_on = None

_PAIR = ("tenant_id", "source_mailbox_id", "source_calendar_id", "archive_mailbox_id", "archive_calendar_id")
_TABLE = "archive_configurations"
_TITLE = "Archiving is paused: another configuration archives the same calendar"
_TEXT = (
    "An older configuration archives the same calendar into the same archive calendar, so every event stood"
    " there twice. The jobs of the newer one were paused; what is archived stays. It can go on when the older"
    " one is deleted."
)


def upgrade() -> None:
    """Add the unique index of domain.md 2.19, after the newer of each pair was marked and paused."""
    for table, column in ((_TABLE, "archive_in_use"), ("jobs", "waits_for_pair")):
        op.add_column(table, flag(column))
    # The previous version still saves configurations. The lock prevents a new pair before the index exists.
    op.execute(f"LOCK TABLE {_TABLE} IN SHARE ROW EXCLUSIVE MODE")
    _mark_the_newer()
    _pause_and_tell()
    op.create_index(
        f"uq_{_TABLE}_pair",
        _TABLE,
        _PAIR,
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL AND NOT archive_in_use"),
    )


def _mark_the_newer() -> None:
    same = " AND ".join(f"o.{column} = c.{column}" for column in _PAIR)
    op.execute(f"""
        UPDATE {_TABLE} c SET archive_in_use = true
         WHERE c.deleted_at IS NULL
           AND EXISTS (SELECT 1 FROM {_TABLE} o WHERE o.deleted_at IS NULL AND {same}
                        AND (o.created_at, o.id) < (c.created_at, c.id))
    """)  # noqa: S608


def _pause_and_tell() -> None:
    """As the app does it: pause jobs, one audit row each, and notify the owner and the Admins."""
    op.execute(
        sa.text("""
        WITH paused AS (
            UPDATE jobs SET paused = true, waits_for_pair = true
              FROM archive_configurations c
             WHERE c.id = jobs.configuration_id AND c.archive_in_use AND NOT jobs.paused
            RETURNING c.id AS configuration_id, c.tenant_id, c.owner_id, jobs.kind),
        archives AS (
            SELECT configuration_id, tenant_id, owner_id, jsonb_agg(kind ORDER BY kind) AS kinds
              FROM paused GROUP BY 1, 2, 3),
        audited AS (
            INSERT INTO audit_entries (id, tenant_id, occurred_at, actor, on_behalf_of, action, resource_type,
                   resource_id, outcome, correlation_id, changes)
            SELECT gen_random_uuid(), tenant_id, now(), 'system:migration', owner_id, 'job.paused',
                   'archive_configuration', configuration_id::text, 'success', 'migration-0016',
                   jsonb_build_object('kinds', kinds, 'reason', 'archive_in_use')
              FROM archives)
        INSERT INTO notifications (id, tenant_id, owner_id, audience, class, transaction_id, title, text,
               state, resource_type, resource_id)
        SELECT gen_random_uuid(), tenant_id, owner_id, audience, 'job_paused',
               'archive_in_use:' || configuration_id || ':' || audience, :title, :text, 'failure',
               'archive_configuration', configuration_id
          FROM archives CROSS JOIN (VALUES ('owner'), ('admins')) AS told(audience)
    """).bindparams(title=_TITLE, text=_TEXT)
    )
