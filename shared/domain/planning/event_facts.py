"""What planning keeps about an event: times, flags, hashes and key, never its body (design.md, Plan)."""

from copy import replace
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.domain.categories.category import CategoryState, CategoryStatus, classify
from shared.domain.events.revision import duplicate_hash, revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import NORMAL
from shared.domain.planning.modifications import ModificationKind, ModifiedTimes, modification_kind
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.privacy import archived_sensitivity, archived_show_as
from shared.domain.planning.read_event import ReadEvent
from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS, is_travel
from shared.domain.runs.window import local_day_start


@dataclass(frozen=True, slots=True)
class EventFacts:
    """The facts of one event."""

    key: str
    #: A UTC instant. For an all-day event, the start of its local day in the configuration's zone.
    start: datetime
    end: datetime
    is_all_day: bool
    takes_place: bool
    show_as: str
    importance: str
    sensitivity: str
    revision: str
    duplicate: bytes
    #: Set for a modification (domain.md 4).
    modifies: ModificationKind | None
    categories: CategoryStatus
    travel: bool

    @property
    def may_meet(self) -> bool:
        """Whether it has times of day that a modification can change, or may itself be a modification."""
        return self.takes_place and not self.is_all_day

    @property
    def private(self) -> bool:
        """Whether others see only its times (domain.md 6.3)."""
        return self.sensitivity != NORMAL

    @property
    def category_identities(self) -> frozenset[str]:
        """The identities of its valid categories, for comparison."""
        return frozenset(category.identity for category in self.categories.valid)


def event_facts(read: ReadEvent, zone: ZoneInfo, travel_words: tuple[str, ...]) -> EventFacts:
    """The facts of an event."""
    event = read.event
    takes_place = not (event.is_cancelled or event.is_declined)
    start, end = event.start, event.end
    if event.is_all_day:
        start, end = local_day_start(start.date(), zone), local_day_start(end.date(), zone)
    return EventFacts(
        key=read.key,
        start=start,
        end=end,
        is_all_day=event.is_all_day,
        takes_place=takes_place,
        show_as=event.show_as,
        importance=event.importance,
        sensitivity=event.sensitivity,
        revision=read.archived_revision or revision(event),
        duplicate=duplicate_hash(as_entered(read)),
        # A whole day, or a meeting that did not take place, cannot change the length of another meeting.
        modifies=modification_kind(event.subject) if takes_place and not event.is_all_day else None,
        categories=classify(event.categories),
        travel=_is_travel(event, travel_words),
    )


def as_entered(read: ReadEvent) -> SourceEvent:
    """The event with the categories of its calendar. Duplicates are found by these (domain.md 2.9)."""
    if read.own_categories is None:
        return read.event
    return replace(read.event, categories=read.own_categories)


def as_shown(event: SourceEvent, times: ModifiedTimes | None, policies: PlanPolicies) -> SourceEvent:
    """The event as copy and record show it: modified times, automation applied (domain.md 4, 6.1, 6.4).

    Its slot is still the source's own start. The copy is matched by it if the source is gone (2.3).
    """
    if times is not None:
        slot = event.original_start or event.start
        event = replace(event, original_start=slot, start=times.start, end=times.end)
    if not policies.privacy_automation and not policies.out_of_office:
        return event
    takes_place = not (event.is_cancelled or event.is_declined)
    sensitivity = archived_sensitivity(
        event.sensitivity,
        personal=classify(event.categories).state is CategoryState.PERSONAL,
        travel=_is_travel(event, policies.travel_words),
        automation=policies.privacy_automation,
    )
    show_as = archived_show_as(event.show_as, takes_place=takes_place, out_of_office=policies.out_of_office)
    return replace(event, sensitivity=sensitivity, show_as=show_as)


def _is_travel(event: SourceEvent, words: tuple[str, ...]) -> bool:
    """Whether the event is travel (domain.md 2.7).

    Other people make the setting. So a private event is judged only by the default words. Otherwise the
    setting could be used to guess its content (6.3). The text of a masked event is ours and matches nothing.
    """
    if event.masked:
        return False
    private = event.sensitivity != NORMAL
    return is_travel(event.subject, event.categories, DEFAULT_TRAVEL_WORDS if private else words)
