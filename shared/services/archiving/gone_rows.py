"""A map row as matching sees it, in case its source is gone (domain.md 2.16)."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.source_event import is_detached
from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts, meeting_facts
from shared.domain.runs.archived_event import ArchivedEventState


def as_gone(row: MapRow, record: AppointmentRecord | None, zone: ZoneInfo, *, archived: bool) -> GoneRow:
    """What is known of the row's meeting: from ``record``, or if there is none, its place alone.

    ``zone`` is that of the archive. With ``archived``, the row has a copy, its copy was lost, or its write is
    planned or sent.
    """
    if record is None:
        facts = MeetingFacts(
            key=row.source_key,
            source_id=row.source_id,
            ical_uid=row.ical_uid,
            slot=row.original_start,
            series=row.series_id,
            original_date=None,
            title="",
            organizer="",
            start=row.start_at,
            end=row.start_at,
            day=row.start_at.astimezone(zone).date(),
            timed=False,
        )
        return GoneRow(facts, counts=False, copy_start=row.start_at, copy_end=row.start_at, known=False)
    source = record.source(row.source_id, row.original_start, row.series_id)
    # The row has the current iCalUId. The record may have the former one, because some runs change the map
    # alone. A detached row has none, since its event still exists at another time.
    invitation = "" if is_detached(row.source_key) else row.ical_uid
    facts = replace(meeting_facts(source, row.source_key, zone), ical_uid=invitation)
    return GoneRow(
        facts,
        counts=not (record.is_cancelled or record.is_declined)
        and archived
        and record.show_as != "free"
        and not record.is_all_day
        and record.excluded is None
        and row.state is not ArchivedEventState.REMOVED_BY_OWNER,
        copy_start=record.start,
        copy_end=record.end,
        waits=not archived,
    )
