"""Approvals to archive another person's mailbox (domain.md 6.5).

From now on, configurations that read or write another person's mailbox need an approval, even if an Admin
permitted them before. Until another Admin approves them, they do not run, and what they archived is closed to
their owners. What they hold of private events is masked here, except for the times.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import INTEGER, TEXT, TIME, UUID, allow_values, flag, versioned
from shared.database.migrations.grants import READ_AND_WRITE, grant_to_app_user

revision = "0023"
down_revision = "0022"
branch_labels = depends_on = None

_CLASSES = (
    *("run_finished", "run_failed", "overlap_needs_you", "category_issues", "job_paused"),
    *("locked_period_change", "verify_difference", "mailbox_read"),
)
_SUBJECTS = ("archive_run", "archive_configuration", "verification", "mailbox_approval")


def upgrade() -> None:
    """Create the tables, then close what nobody has approved."""
    table = "archive_configurations"
    op.add_column(table, Column("open_until", TIME))
    op.add_column(table, flag("given_to_admin"))
    op.add_column(table, Column("details_agreed_at", TIME))
    op.add_column(table, Column("source_erased_at", TIME))
    _tables()
    allow_values("notifications", "class", _CLASSES)
    allow_values("notifications", "resource_type", _SUBJECTS)
    _close()


def _tables() -> None:
    op.create_table(
        "mailbox_approvals",
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("configuration_id", UUID, sa.ForeignKey("archive_configurations.id"), nullable=False),
        Column("person_id", UUID, nullable=False),
        Column("archive_person_id", UUID, nullable=False),
        Column("source_mailbox_id", UUID, nullable=False),
        Column("source_calendar_id", TEXT, nullable=False),
        Column("archive_mailbox_id", UUID, nullable=False),
        Column("archive_calendar_id", TEXT, nullable=False),
        Column("purpose", TEXT, nullable=False),
        Column("days", INTEGER, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("requested_by", TEXT, nullable=False),
        Column("starts_at", TIME),
        Column("decided_by", TEXT),
        Column("decided_at", TIME),
        Column("ends_at", TIME),
        Column("reason", TEXT),
        flag("given_to_admin"),
        Column("details_agreed_at", TIME),
        Column("objected_by", TEXT),
        Column("objected_at", TIME),
        *versioned(),
        sa.CheckConstraint("days BETWEEN 1 AND 365", name="days"),
        sa.CheckConstraint("(state = 'approved') <= (ends_at IS NOT NULL)", name="ends_at"),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'objected', 'refused', 'withdrawn', 'lapsed', 'ended')",
            name="state",
        ),
    )
    for column in ("configuration_id", "owner_id", "person_id"):
        op.create_index(None, "mailbox_approvals", [column])
    op.create_index(None, "mailbox_approvals", ["tenant_id", "created_at", "id"])
    for name, states in (
        ("in_force", "state IN ('approved', 'objected')"),
        ("requested", "state = 'requested'"),
    ):
        op.create_index(
            f"uq_mailbox_approvals_{name}",
            "mailbox_approvals",
            ["configuration_id"],
            unique=True,
            postgresql_where=sa.text(states),
        )
    op.create_table(
        "admin_sightings",
        Column("tenant_id", UUID, nullable=False),
        Column("object_id", UUID, nullable=False),
        Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "object_id"),
    )
    op.create_table(
        "mailbox_assistants",
        Column("tenant_id", UUID, nullable=False),
        Column("mailbox_id", UUID, nullable=False),
        Column("assistant_id", UUID, nullable=False),
        Column("named_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "mailbox_id"),
    )
    op.create_index(None, "mailbox_assistants", ["assistant_id"])
    grant_to_app_user(READ_AND_WRITE, "mailbox_approvals", "admin_sightings", "mailbox_assistants")


def _close() -> None:
    """Close what names another person's mailbox. Its private events keep only their times."""
    op.execute("UPDATE archive_configurations SET open_until = now() WHERE names_another")
    op.execute("""
        INSERT INTO mailbox_approvals (id, tenant_id, owner_id, configuration_id, person_id,
               archive_person_id, source_mailbox_id, source_calendar_id, archive_mailbox_id,
               archive_calendar_id, purpose, days, state, requested_by)
        SELECT gen_random_uuid(), c.tenant_id, c.owner_id, c.id, c.source_mailbox_id, c.archive_mailbox_id,
               c.source_mailbox_id, c.source_calendar_id, c.archive_mailbox_id, c.archive_calendar_id,
               c.purpose, 90, 'requested', 'system:migration'
          FROM archive_configurations c WHERE c.names_another AND c.deleted_at IS NULL
    """)
    _tell()
    masked = """subject = 'Private', body = '', body_type = 'text', location = '', categories = '{}',
                show_as = 'busy', importance = 'normal', sensitivity = 'private', start_zone = 'UTC',
                end_zone = 'UTC'"""
    op.execute(f"""
        UPDATE appointments a
           SET {masked}, organizer = NULL, attendees = '[]', attachment_count = 0, ical_uid = '',
               is_cancelled = false, is_declined = false
          FROM archive_configurations c
         WHERE c.id = a.configuration_id AND c.names_another AND a.sensitivity <> 'normal'
    """)  # noqa: S608
    op.execute(f"""
        UPDATE local_events e SET {masked}, version = e.version + 1
          FROM local_calendars k
         WHERE k.id = e.calendar_id AND e.sensitivity <> 'normal' AND e.origin_mailbox_id <> k.mailbox_id
    """)  # noqa: S608
    op.execute("""
        UPDATE overlap_members m SET record = NULL FROM archive_configurations c
         WHERE c.id = m.configuration_id AND c.names_another
           AND COALESCE(m.record ->> 'sensitivity', 'normal') <> 'normal'
    """)
    # Planned writes that were not sent are planned again after the approval.
    op.execute("""
        UPDATE archive_operations o
           SET state = CASE WHEN o.state IN ('planned', 'draft') THEN 'cancelled' ELSE o.state END,
               payload = CASE WHEN o.state = 'sent' THEN o.payload END,
               record = CASE WHEN o.state = 'sent' THEN o.record END
          FROM archive_configurations c
         WHERE c.id = o.configuration_id AND c.names_another AND o.is_private
    """)


def _tell() -> None:
    """Notify Admins about waiting approvals, owners about stopped work, and the people who were read."""
    _notify(
        "a.owner_id",
        "admins",
        "waits",
        "Archiving another''s calendar",
        "A request to archive another person''s calendar waits until an Admin decides.",
    )
    _notify(
        "a.owner_id",
        "owner",
        "over",
        "An approval is needed",
        "Your archive of another''s calendar needs the approval of another Admin. Nothing runs until then.",
    )
    _notify(
        "(SELECT u.id FROM users u WHERE u.tenant_id = a.tenant_id AND u.object_id = a.person_id)",
        "owner",
        "asked",
        "Your calendar is to be archived",
        "Somebody archived your calendar and asks to go on. An Admin decides; you may object.",
    )


def _notify(user: str, audience: str, about: str, title: str, words: str) -> None:
    op.execute(f"""
        INSERT INTO notifications (id, tenant_id, owner_id, audience, class, transaction_id, title, text,
               state, resource_type, resource_id)
        SELECT gen_random_uuid(), a.tenant_id, {user}, '{audience}', 'mailbox_read',
               concat_ws(chr(58), 'mailbox_approval', a.id, '{about}'), '{title}', '{words}', 'attention',
               'mailbox_approval', a.id
          FROM mailbox_approvals a WHERE {user} IS NOT NULL
    """)  # noqa: S608
