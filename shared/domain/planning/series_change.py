"""A changed series does not rewrite the past (domain.md 2.17)."""

from copy import replace
from dataclasses import dataclass
from operator import attrgetter

from shared.domain.categories.category import classify
from shared.domain.events.event_content import SEEN_FIELDS
from shared.domain.events.source_event import EventType, SourceEvent

_STRICTNESS = {"normal": 0, "personal": 1, "private": 2, "confidential": 3}


@dataclass(frozen=True, slots=True)
class Kept:
    """An occurrence, reduced to the changes that are written to its copy."""

    event: SourceEvent
    #: The copy already has all of this.
    unchanged: bool
    #: A visible change of the series is not taken.
    withheld: bool


def keep_archived(event: SourceEvent, recorded: SourceEvent) -> Kept:
    """The content that the copy of a plain occurrence takes, if it had ended when it was archived.

    ``recorded`` is its source as archived, including ``type``. Times and ``showAs`` stay. If it was an
    exception then, only two things follow: a valid category where it had none, and a stricter sensitivity.
    """
    # Something that others may no longer read does not stay because it was recorded (6.5).
    if recorded.type is EventType.EXCEPTION and event.masked == recorded.masked:
        return _keep_exception(event, recorded)
    kept = replace(
        event,
        start=recorded.start,
        end=recorded.end,
        start_zone=recorded.start_zone,
        end_zone=recorded.end_zone,
        is_all_day=recorded.is_all_day,
        show_as=recorded.show_as,
    )
    return Kept(kept, unchanged=False, withheld=looks_different(event, kept))


def _keep_exception(event: SourceEvent, recorded: SourceEvent) -> Kept:
    adds = not classify(recorded.categories).valid and bool(classify(event.categories).valid)
    stricter = _strictness(event) > _strictness(recorded)
    kept = replace(
        recorded,
        id=event.id,
        ical_uid=event.ical_uid,
        change_key=event.change_key,
        series_master_id=event.series_master_id,
        original_start=event.original_start,
        original_date=event.original_date,
        has_attachments=event.has_attachments,
        categories=event.categories if adds else recorded.categories,
        sensitivity=event.sensitivity if stricter else recorded.sensitivity,
    )
    return Kept(kept, unchanged=not adds and not stricter, withheld=looks_different(event, kept))


def keep_category(event: SourceEvent, former: tuple[str, ...]) -> SourceEvent:
    """The event with the categories of its earlier copy, while it has no valid category itself."""
    if not former or event.masked or classify(event.categories).valid:
        return event
    return replace(event, categories=former)


def looks_different(event: SourceEvent, other: SourceEvent) -> bool:
    """Whether a person who compares both in a calendar sees a difference."""
    return _seen(event) != _seen(other)


_seen = attrgetter(*SEEN_FIELDS, "is_cancelled", "is_declined")


def _strictness(event: SourceEvent) -> int:
    return _STRICTNESS.get(event.sensitivity, 0)
