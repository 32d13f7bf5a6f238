"""What needs the owner in a month: why, hours at stake, and what to do (domain.md 2.20, 3.3)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.domain.appointments.counting import WITHOUT_HOURS, WhyNot
from shared.domain.categories.category import CategoryState
from shared.domain.categories.issue_texts import IssueWords, issue_words
from shared.domain.categories.statistics import Tally, tally
from shared.domain.categories.suggestions import Relation, trait_key
from shared.domain.months.month import MonthEvent, counted
from shared.domain.months.overlaps import MonthOverlap
from shared.domain.planning.modifications import Meeting, Modification, ModificationKind, modification_kind
from shared.domain.planning.orphan_modifications import NamedMeeting, why_orphan

NO_SUBJECT: Final = "(no subject)"


class AttentionKind(StrEnum):
    """What is wrong.

    - ``question``: a meeting changed after it was archived.
    - ``overlap``: events count twice, or wait.
    - ``ambiguous_category``, ``invalid_category``, ``no_category``: see ``CategoryState``.
    - ``without_hours``: an event with a valid category counts no time.
    - ``unapplied_modification``: no meeting fits it.
    - ``finding``: a verification found that source, record and archive calendar differ.
    """

    QUESTION = "question"
    OVERLAP = "overlap"
    AMBIGUOUS_CATEGORY = "ambiguous_category"
    INVALID_CATEGORY = "invalid_category"
    NO_CATEGORY = "no_category"
    WITHOUT_HOURS = "without_hours"
    UNAPPLIED_MODIFICATION = "unapplied_modification"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class LikelyCategory:
    """The best suggestion for an event, and its evidence in words (domain.md 3.6)."""

    category: str
    because: str


@dataclass(frozen=True, slots=True)
class Attention:
    """One decision to make, about one or more events with the same problem."""

    kind: AttentionKind
    #: What it is about.
    name: str
    #: What is wrong.
    reason: str
    #: What to do, as a sentence.
    action: str
    #: The time at stake.
    time: timedelta
    count: int
    #: The earliest start, UTC.
    first: datetime
    #: The latest start, UTC.
    last: datetime
    suggestion: str | None = None
    appointments: tuple[UUID, ...] = ()
    #: The id of an overlap, a question or a finding.
    about: UUID | None = None
    #: The id of the verification that found it.
    found_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Unapplied:
    """A modification that belongs to no meeting (4.6), and why."""

    event: MonthEvent
    kind: ModificationKind
    reason: str


def attention_of(
    events: Sequence[MonthEvent],
    overlaps: Iterable[MonthOverlap],
    unapplied: Iterable[Unapplied],
    likely: Mapping[UUID, LikelyCategory],
    asked: Iterable[Attention] = (),
) -> list[Attention]:
    """What needs the owner, most hours at stake first. Hidden events need nothing from the viewer.

    ``asked`` are the open questions and findings.
    """
    shown = [event for event in events if not event.hidden]
    found = [
        *asked,
        *_of_categories(shown, likely),
        *(_of_overlap(each) for each in overlaps if each.twice or each.waiting),
        *_without_hours(shown),
        *(_of_unapplied(each) for each in unapplied),
    ]
    return sorted(found, key=lambda each: (-each.time, each.first, each.kind, each.name))


def unapplied_modifications(events: Iterable[MonthEvent]) -> list[Unapplied]:
    """The modifications that no meeting consumed, by start, each with its reason."""
    shown = [
        event
        for event in events
        if not event.hidden and (event.counts or event.why_not in WITHOUT_HOURS) and event.id is not None
    ]
    meetings = [
        NamedMeeting(event.subject or NO_SUBJECT, _meeting(event)) for event in shown if not _kind_of(event)
    ]
    orphans = sorted(
        (event for event in shown if _kind_of(event)), key=lambda event: (event.start, event.key)
    )
    return [
        Unapplied(event, kind, why_orphan(_modification(event, kind), meetings))
        for event in orphans
        if (kind := _kind_of(event)) is not None
    ]


def _kind_of(event: MonthEvent) -> ModificationKind | None:
    return None if event.is_all_day else modification_kind(event.subject)


def _identities(event: MonthEvent) -> frozenset[str]:
    return frozenset(category.identity for category in event.status.valid)


def _meeting(event: MonthEvent) -> Meeting:
    source_start = event.source_start or event.start
    return Meeting(event.key, event.start, event.end, source_start, _identities(event))


def _modification(event: MonthEvent, kind: ModificationKind) -> Modification:
    return Modification(event.key, kind, event.start, event.end, _identities(event))


def _of_categories(
    events: Iterable[MonthEvent], likely: Mapping[UUID, LikelyCategory]
) -> Iterator[Attention]:
    alike: dict[tuple[AttentionKind, object], list[MonthEvent]] = {}
    for event in events:
        state = event.status.state
        stands = event.counts or event.why_not in WITHOUT_HOURS
        if _kind_of(event) or not stands:
            continue
        if state is CategoryState.PERSONAL and event.counts:
            key: object = trait_key(Relation.SUBJECT, event.subject)
            alike.setdefault((AttentionKind.NO_CATEGORY, key), []).append(event)
        elif state is CategoryState.INVALID:
            alike.setdefault((AttentionKind.INVALID_CATEGORY, event.categories), []).append(event)
        elif state is CategoryState.AMBIGUOUS:
            alike.setdefault((AttentionKind.AMBIGUOUS_CATEGORY, event.categories), []).append(event)
    for (kind, _), same in alike.items():
        yield _of_alike(kind, same, likely)


def _of_alike(
    kind: AttentionKind, events: Sequence[MonthEvent], likely: Mapping[UUID, LikelyCategory]
) -> Attention:
    best = _most_likely(events, likely)
    suggestion = best.category if best else None
    match kind:
        case AttentionKind.AMBIGUOUS_CATEGORY:
            name = "; ".join(category.text for category in events[0].status.valid)
            reason = issue_words(events[0].status.issues[0]).reason
            action = f"Leave one of them on {_these(events)}."
        case AttentionKind.INVALID_CATEGORY:
            name = "; ".join(issue.text for issue in events[0].status.issues)
            words = [issue_words(issue) for issue in events[0].status.issues]
            reason = "; ".join(dict.fromkeys(each.reason for each in words))
            action, suggestion = _mending(words, best)
        case _:
            name = events[0].subject or NO_SUBJECT
            reason = "no category"
            action = _giving(best, events)
    return _attention(kind, name, reason, action, events, suggestion)


def _mending(words: Sequence[IssueWords], best: LikelyCategory | None) -> tuple[str, str | None]:
    mended = next((each.mended for each in words if each.mended), None)
    if mended is not None:
        return f"Change it to “{mended}”.", mended
    if best is not None:
        return f"Perhaps “{best.category}”: {best.because}.", best.category
    return "Name a customer and billable or non-billable, like “Acme - billable”.", None


def _giving(best: LikelyCategory | None, events: Sequence[MonthEvent]) -> str:
    if best is not None:
        return f"Perhaps “{best.category}”: {best.because}."
    return (
        f"Give {_these(events)} a category, or leave {'it' if len(events) == 1 else 'them'} as private time."
    )


def _these(events: Sequence[MonthEvent]) -> str:
    return "it" if len(events) == 1 else f"these {len(events)} events"


def _most_likely(
    events: Iterable[MonthEvent], likely: Mapping[UUID, LikelyCategory]
) -> LikelyCategory | None:
    found = [likely[event.id] for event in events if event.id is not None and event.id in likely]
    if not found:
        return None
    category, _ = min(Counter(each.category for each in found).items(), key=lambda item: (-item[1], item[0]))
    return next(each for each in found if each.category == category)


def _of_overlap(overlap: MonthOverlap) -> Attention:
    names = [f"“{member.subject or NO_SUBJECT}”" for member in overlap.members]
    several = (
        f"{', '.join(names[:-1])} and {names[-1]}"
        if len(names) <= 3
        else f"{names[0]}, {names[1]} and {len(names) - 2} more"
    )
    proposal = overlap.proposal()
    if proposal is not None:
        kept = [f"“{each.subject or NO_SUBJECT}”" for each in overlap.members if each.key in proposal.keep]
        action = f"The rule would keep {' and '.join(kept[:3])}: {proposal.reason}."
    else:
        action = "No rule decides: keep one, shorten one, or keep both."
    time = overlap.waiting if overlap.waits else overlap.twice
    reason = (
        "they overlap, and nothing of it counts until you decide"
        if overlap.waits
        else "they overlap, so time counts twice"
    )
    return Attention(
        AttentionKind.OVERLAP,
        several,
        reason,
        action,
        time,
        len(overlap.members),
        overlap.start,
        overlap.members[-1].start,
        appointments=tuple(each.appointment_id for each in overlap.members if each.appointment_id),
        about=overlap.id,
    )


def _without_hours(events: Iterable[MonthEvent]) -> Iterator[Attention]:
    alike: dict[tuple[tuple[str, ...], str, WhyNot], list[MonthEvent]] = {}
    for event in events:
        if event.why_not in WITHOUT_HOURS and event.status.state is CategoryState.VALID:
            key = event.categories, trait_key(Relation.SUBJECT, event.subject), event.why_not
            alike.setdefault(key, []).append(event)
    for (_, _, why_not), same in alike.items():
        free = why_not is WhyNot.FREE
        yield _attention(
            AttentionKind.WITHOUT_HOURS,
            same[0].subject or NO_SUBJECT,
            f"it has a category but is {'shown as free' if free else 'all-day'}, so it counts no hours",
            "Show it as busy if you worked." if free else "Give it a start and an end if you worked.",
            same,
            None,
            # An all-day event does not say how long anybody worked.
            sum((event.end - event.start for event in same), timedelta()) if free else timedelta(),
        )


def _of_unapplied(each: Unapplied) -> Attention:
    return _attention(
        AttentionKind.UNAPPLIED_MODIFICATION,
        each.event.subject,
        f"it changes no meeting: {each.reason}",
        "Move it to its meeting, or delete it.",
        [each.event],
        None,
        each.event.end - each.event.start,
    )


def _attention(
    kind: AttentionKind,
    name: str,
    reason: str,
    action: str,
    events: Sequence[MonthEvent],
    suggestion: str | None,
    time: timedelta | None = None,
) -> Attention:
    starts = sorted(event.start for event in events)
    summed: Tally = tally(counted(event) for event in events if event.counts)
    return Attention(
        kind,
        name,
        reason,
        action,
        summed.time if time is None else time,
        len(events),
        starts[0],
        starts[-1],
        suggestion,
        tuple(event.id for event in events if event.id),
    )
