"""A run's writes in the form of lists, each with its event."""

from sqlalchemy import text

from shared.domain.identity.disclosure import NORMAL, PRIVATE

#: Whether it is another person's private event. The person read asks with ``:private`` NULL.
_HIDDEN = (
    "(CAST(:private AS boolean) IS NOT NULL"
    f" AND COALESCE(a.sensitivity, o.record->>'sensitivity') IS DISTINCT FROM '{NORMAL}')"
)
#: The name of a write's event. Its record is the present or future appointment. Others than the person read
#: get no word of a private event (domain.md 6.3).
_NAMED = f"""
           CASE WHEN {_HIDDEN} THEN '{PRIVATE}' ELSE COALESCE(a.subject, o.record->>'subject') END AS subject,
           CASE WHEN NOT {_HIDDEN} THEN a.id END AS appointment_id,
           COALESCE(a.start_at, e.start_at, CAST(o.record->>'start_at' AS timestamptz)) AS start
      FROM archive_operations o
      JOIN archived_events e ON e.id = o.archived_event_id
      LEFT JOIN appointments a ON a.archived_event_id = o.archived_event_id
     WHERE o.run_id = :run AND o.owner_id = :owner
       AND (CAST(:private AS boolean) IS NULL OR o.is_private = :private)"""
OF_RUN = text(f"""
    SELECT o.id, o.position, o.source_key, o.action, o.state, o.error_code, o.error_detail, o.first_sent_at,
           o.last_sent_at, o.finished_at, {_NAMED}
       AND o.state <> 'draft'
       AND (CAST(:state AS text) IS NULL OR o.state = :state)
       AND (CAST(:position AS bigint) IS NULL OR (o.position, o.id) > (:position, CAST(:id AS uuid)))
     ORDER BY o.position, o.id LIMIT :limit
""")
PROBLEMS = text(f"""
    SELECT o.id, o.source_key, o.action, o.state, o.error_code, o.error_detail, {_NAMED}
       AND (o.state IN ('failed', 'conflict', 'locked', 'sent') OR o.error_code IS NOT NULL)
     ORDER BY o.position, o.id LIMIT :limit
""")
