"""Our record of an archived event, as one value (domain.md 1, Appointment; 2.6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from shared.domain.events.event_content import EventContent, content_fields
from shared.domain.events.source_event import EventType, Participant, SourceEvent
from shared.domain.json_object import JsonObject
from shared.domain.planning.modifications import Modification


class AppointmentRecord(EventContent, frozen=True, gc=False):
    """What an appointment says, or will say once a write is done. Operations keep it until then.

    Its content is what the copy shows, after automation and modifications. It keeps what the copy omits, and
    what the source itself said (domain.md 4.6, 6.2). Records of earlier versions lack the fields with
    defaults.
    """

    is_cancelled: bool
    is_declined: bool
    organizer: Participant | None
    attendees: tuple[Participant, ...]
    attachment_count: int
    ical_uid: str
    source_sensitivity: str | None = None
    source_show_as: str | None = None
    source_start: datetime | None = msgspec.field(default=None, name="source_start_at")
    source_end: datetime | None = msgspec.field(default=None, name="source_end_at")
    #: The source's type when it was archived. Its subject, only if the owner edited the copy (2.16).
    source_type: str | None = None
    source_subject: str | None = None
    modifications: tuple[Modification, ...] = ()
    revision: str = ""
    #: The instant that decides its window (domain.md 2.2). This and what follows are no columns that a record
    #: fills. They tell the map what a write means.
    owning_start: datetime | None = None
    #: The source is gone, so the copy is made or changed as recorded.
    source_gone: bool = False
    #: The copy shows that another one replaced it (2.16).
    superseded: bool = False
    #: The source key of the meeting that consumed this modification (4.6).
    consumed_by: str | None = None
    #: Why the appointment counts no time. Only read: writes decide it by the fields above.
    excluded: str | None = None

    def to_json(self) -> JsonObject:
        """As ``EventContent.to_json``, without empty values of fields that are not always there."""
        found = super().to_json()
        return {name: value for name, value in found.items() if value or name not in _NOT_ALWAYS}

    def columns(self) -> JsonObject:
        """The columns of the appointment (``RECORD_COLUMNS``), JSON-able."""
        found = super().to_json()
        return {column: found[column] for column in RECORD_COLUMNS}

    def event(self, source_id: str, original_start: datetime) -> SourceEvent:
        """The event as its copy shows it, if the source is gone (domain.md 5.8). The map row has the rest."""
        return SourceEvent(
            id=source_id,
            type=EventType.SINGLE_INSTANCE,
            ical_uid=self.ical_uid,
            change_key="",
            original_start=original_start,
            is_cancelled=self.is_cancelled,
            is_declined=self.is_declined,
            **content_fields(self),
        )

    def source(self, source_id: str, slot: datetime, series: str | None) -> SourceEvent:
        """The source of the event as it was when archived.

        ``slot`` is its original start, UTC. ``series`` is the id of its series. Records of earlier versions
        lack the source's own times and type. Then the times of the copy are used, and an occurrence outside
        its slot counts as an exception. Without a series, the event is single whatever the record says,
        because an occurrence may have become single.
        """
        start, end = self.source_start or self.start, self.source_end or self.end
        kind = EventType.SINGLE_INSTANCE if series is None else EventType.OCCURRENCE
        if self.source_type and series is not None:
            kind = EventType(self.source_type)
        elif series is not None and not self.is_all_day and start != slot:
            kind = EventType.EXCEPTION
        as_given = {
            "subject": self.subject if self.source_subject is None else self.source_subject,
            "start": start,
            "end": end,
            "show_as": self.source_show_as or self.show_as,
            "sensitivity": self.source_sensitivity or self.sensitivity,
        }
        return SourceEvent(
            id=source_id,
            type=kind,
            ical_uid=self.ical_uid,
            change_key="",
            series_master_id=series,
            original_start=None if series is None else slot,
            is_cancelled=self.is_cancelled,
            is_declined=self.is_declined,
            has_attachments=self.attachment_count > 0,
            organizer=self.organizer,
            attendees=self.attendees,
            **{**content_fields(self), **as_given},
        )


_NO_COLUMNS: Final = ("owning_start", "source_gone", "superseded", "consumed_by", "excluded")
_NOT_ALWAYS: Final = ("revision", "source_subject", *_NO_COLUMNS)
#: The columns of an appointment that its record fills.
RECORD_COLUMNS: Final = tuple(
    column for column in AppointmentRecord.__struct_encode_fields__ if column not in _NO_COLUMNS
)


def appointment_record(
    event: SourceEvent,
    attachment_count: int = 0,
    *,
    source: SourceEvent | None = None,
    modifications: Sequence[Modification] = (),
) -> AppointmentRecord:
    """Our record of an event. ``source`` is the event before automation and modifications changed it."""
    before = source or event
    return AppointmentRecord(
        is_cancelled=event.is_cancelled,
        is_declined=event.is_declined,
        organizer=event.organizer,
        attendees=event.attendees,
        attachment_count=attachment_count,
        ical_uid=event.ical_uid,
        modifications=tuple(modifications),
        source_sensitivity=before.sensitivity,
        source_show_as=before.show_as,
        source_start=before.start,
        source_end=before.end,
        source_type=str(before.type),
        **content_fields(event),
    )
