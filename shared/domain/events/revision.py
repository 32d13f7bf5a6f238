"""Hashes of a source event: did it change since it was archived, and is it a duplicate?"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import orjson

from shared.domain.events.event_content import content_fields
from shared.domain.events.source_event import Participant, SourceEvent

type AppliedModification = tuple[str, datetime, datetime]
"""The source key, start and end of a modification that was applied to a meeting (domain.md 4)."""

_CANONICAL = orjson.OPT_SORT_KEYS
#: Part of the revision of a copy that its owner edited, and of no other.
EDITED = "."


def revision(event: SourceEvent, modifications: Sequence[AppliedModification] = ()) -> str:
    """Lower-case hex SHA-256 over the content that copy and record carry (domain.md 2.4, 2.6).

    Change keys, results of automation and policies are not part of it. Attendees count in any order, and line
    endings of the body in any form. Keys and times of applied modifications count too.
    """
    own = hashlib.sha256(orjson.dumps(_source_fields(event), option=_CANONICAL)).hexdigest()
    return modified_revision(own, modifications)


def modified_revision(own: str, modifications: Sequence[AppliedModification]) -> str:
    """The revision of an event with modifications. ``own`` is its revision without them (domain.md 2.4)."""
    if not modifications:
        return own
    # Over the digest, not the fields, because the planner no longer has the body at this point.
    applied = {"event": own, "modifications": sorted(modifications)}
    return hashlib.sha256(orjson.dumps(applied, option=_CANONICAL)).hexdigest()


def edited_revision(previous: str, edit_id: str) -> str:
    """The revision of a copy that its owner edited (domain.md 2.5): the source's revision and the edit."""
    return f"{source_revision(previous)}{EDITED}{hashlib.sha256(edit_id.encode()).hexdigest()[:16]}"


def superseded_revision(previous: str) -> str:
    """The revision of a copy that was superseded on its owner's word, which is an edit too (2.16)."""
    return edited_revision(previous, "superseded")


def is_superseded(archived: str) -> bool:
    """Whether this is the revision of a superseded copy."""
    return archived == superseded_revision(archived)


def source_revision(archived: str) -> str:
    """The source's revision inside a copy's revision, without the owner's edits."""
    return archived.partition(EDITED)[0]


def is_edited(archived: str) -> bool:
    """Whether the revision includes an explicit edit."""
    return EDITED in archived


def duplicate_hash(event: SourceEvent) -> bytes:
    """Equal for duplicates, by source times (domain.md 2.9). 16 bytes.

    Subject, start, end, body, organizer and categories are equal. With another organizer or category the
    events are an overlap. What is cancelled, declined or shown free is no duplicate of an event that takes
    time. Merging would lose hours (domain.md 2.1, 2.18).
    """
    facts = (
        event.subject,
        event.start,
        event.end,
        event.is_all_day,
        event.is_cancelled,
        event.is_declined,
        event.show_as == "free",
        event.organizer.address.casefold() if event.organizer else None,
        sorted(category.casefold() for category in event.categories),
        event.body_type,
        _plain_line_endings(event.body),
        # Masked events look alike but may differ.
        event.id if event.masked else None,
    )
    return hashlib.blake2b(orjson.dumps(facts), digest_size=16).digest()


def _source_fields(event: SourceEvent) -> dict[str, object]:
    return {
        **content_fields(event),
        "body": _plain_line_endings(event.body),
        "is_cancelled": event.is_cancelled,
        "is_declined": event.is_declined,
        "has_attachments": event.has_attachments,
        "organizer": _person(event.organizer) if event.organizer else None,
        "attendees": sorted(map(_person, event.attendees)),
    }


def _person(person: Participant) -> tuple[str, str, str, str]:
    return person.address, person.name, person.kind, person.response


def _plain_line_endings(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
