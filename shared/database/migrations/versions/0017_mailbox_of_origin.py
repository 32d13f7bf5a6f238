"""The mailbox of origin, on every row that says something about an event (domain.md 6.3)."""

from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import TIME, UUID, flag

revision = "0017"
down_revision = "0016"
branch_labels = depends_on = None

#: Tables whose rows belong to a configuration, which determines the origin of their events.
_OF_CONFIGURATION = (
    "appointments",
    "archived_events",
    "archive_operations",
    "overlap_members",
    "verification_findings",
)


def upgrade() -> None:
    """Add the columns, fill them, and let triggers fill them for new rows.

    The running version of the app does not know the columns, so the triggers fill them for it too.
    """
    for role in ("source", "archive"):
        op.add_column("archive_configurations", Column(f"{role}_person_id", UUID))
    op.add_column("archive_configurations", Column("persons_known_at", TIME))
    op.add_column("archive_configurations", flag("names_another"))
    op.execute("""
        UPDATE archive_configurations c SET names_another = true FROM users u
         WHERE u.id = c.owner_id AND NOT (u.object_id = c.source_mailbox_id
                                          AND u.object_id = c.archive_mailbox_id)
    """)
    for table in (*_OF_CONFIGURATION, "local_events"):
        op.add_column(table, Column("origin_mailbox_id", UUID))
    op.add_column("archive_operations", flag("is_private"))
    op.execute("""
        UPDATE archive_operations SET is_private = true
         WHERE COALESCE(record ->> 'sensitivity', 'normal') <> 'normal'
    """)
    _functions()
    for table in _OF_CONFIGURATION:
        _trigger(table, "record_origin_of_archived")
        op.execute(f"""
            UPDATE {table} t SET origin_mailbox_id = c.source_mailbox_id
              FROM archive_configurations c WHERE c.id = t.configuration_id
        """)  # noqa: S608
    _trigger("local_events", "record_origin_of_local")
    op.execute("""
        UPDATE local_events e SET origin_mailbox_id = COALESCE(
                   (SELECT c.source_mailbox_id FROM archive_configurations c
                     WHERE c.id::text = substring(e.archive_source FROM '"configuration":"([0-9a-f-]{36})"')),
                   k.mailbox_id)
          FROM local_calendars k WHERE k.id = e.calendar_id
    """)
    for table in ("appointments", "archived_events", "local_events"):
        op.create_index(None, table, ["origin_mailbox_id"])


def _functions() -> None:
    op.execute("""
        CREATE FUNCTION record_origin_of_archived() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.origin_mailbox_id IS NULL THEN
                SELECT COALESCE(c.source_person_id, c.source_mailbox_id) INTO NEW.origin_mailbox_id
                  FROM archive_configurations c WHERE c.id = NEW.configuration_id;
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE FUNCTION record_operation_privacy() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.is_private := NEW.is_private OR COALESCE(NEW.record ->> 'sensitivity', 'normal') <> 'normal';
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_privacy BEFORE INSERT OR UPDATE OF record ON archive_operations
            FOR EACH ROW EXECUTE FUNCTION record_operation_privacy()
    """)
    # ArchiveSource of a copy names the configuration that made it. Anything else was entered here.
    op.execute("""
        CREATE FUNCTION record_origin_of_local() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.origin_mailbox_id IS NULL AND NEW.archive_source IS NOT NULL THEN
                SELECT COALESCE(c.source_person_id, c.source_mailbox_id) INTO NEW.origin_mailbox_id
                  FROM archive_configurations c
                 WHERE c.id::text = substring(NEW.archive_source
                                              FROM '"configuration":"([0-9a-f-]{36})"');
            END IF;
            IF NEW.origin_mailbox_id IS NULL THEN
                SELECT k.mailbox_id INTO NEW.origin_mailbox_id
                  FROM local_calendars k WHERE k.id = NEW.calendar_id;
            END IF;
            RETURN NEW;
        END $$
    """)


def _trigger(table: str, function: str) -> None:
    op.execute(f"""
        CREATE TRIGGER record_origin BEFORE INSERT ON {table}
            FOR EACH ROW EXECUTE FUNCTION {function}()
    """)
