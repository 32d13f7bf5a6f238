"""What is known of a meeting when it is compared with others (domain.md 2.16)."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.domain.events.source_event import EventType, SourceEvent, occurrence_date
from shared.domain.normal_form import normal_form
from shared.domain.planning.modifications import modification_kind


@dataclass(frozen=True, slots=True)
class MeetingFacts:
    """The facts of a meeting that are compared."""

    key: str
    #: The id of the event in its calendar.
    source_id: str
    ical_uid: str
    #: The original start of an occurrence, or the start of a single event, UTC.
    slot: datetime
    series: str | None
    #: The date of an occurrence.
    original_date: date | None
    title: str
    organizer: str
    #: The source's own start, UTC, as is ``end``.
    start: datetime
    end: datetime
    #: The local date of the start in the configuration's zone.
    day: date
    #: It may be the same meeting at another time. False for all-day, ``free``, modification, cancelled and
    #: masked events.
    timed: bool
    #: It was entered after a plan had passed its end, so it is no ordinary meeting of its day.
    late: bool = False
    #: Its series changed and shows this day as a new one: the question about the series covers it (2.17).
    added: bool = False


@dataclass(frozen=True, slots=True)
class GoneRow:
    """A row of the map whose source is gone."""

    facts: MeetingFacts
    #: It has a copy that counts as time.
    counts: bool
    #: Start of the copy, UTC, after modifications, as is ``copy_end``.
    copy_start: datetime
    copy_end: datetime
    #: False for a row without a record: only invitation and slot are known.
    known: bool = True
    #: It has no copy because its overlap is undecided.
    waits: bool = False
    #: Only a to c may give its copy away: its event went to another calendar. Or a former duplicate lies in
    #: the time of the copy, and takes it over if they give it to nobody (2.9).
    only_certain: bool = False

    def shares_time(self, facts: MeetingFacts) -> bool:
        """Whether the meeting shares some time with the copy."""
        return self.copy_start < facts.end and facts.start < self.copy_end


def meeting_facts(event: SourceEvent, key: str, zone: ZoneInfo) -> MeetingFacts:
    """The facts of a source event. Raises ValueError for an occurrence without series or original start."""
    single = event.type is EventType.SINGLE_INSTANCE
    modifies = modification_kind(event.subject) is not None
    takes_place = not (event.is_cancelled or event.is_declined)
    free = event.show_as == "free"
    return MeetingFacts(
        key=key,
        source_id=event.id,
        ical_uid=event.ical_uid,
        slot=event.start if single else event.original_start or event.start,
        series=None if single else event.series_master_id,
        original_date=None if single else occurrence_date(event),
        title=title_key(event.subject),
        # A modification is the person's own note, so its organizer does not matter.
        organizer=event.organizer.address.casefold() if event.organizer and not modifies else "",
        start=event.start,
        end=event.end,
        day=_shared(event.start.date() if event.is_all_day else event.start.astimezone(zone).date()),
        timed=takes_place and not (event.is_all_day or free or event.masked or modifies),
    )


@lru_cache(maxsize=1024)
def _shared(day: date) -> date:
    """One object per day: a plan keeps the facts of all its new events in memory."""
    return day


def title_key(subject: str) -> str:
    """Subjects for comparison: trimmed, case-folded, Unicode NFC (domain.md 2.16 b)."""
    return normal_form("NFC", normal_form("NFD", subject.strip()).casefold())
