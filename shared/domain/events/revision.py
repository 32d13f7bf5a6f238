"""Fingerprints of a source event: has it changed since it was archived, and is it a duplicate."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import orjson

from shared.domain.events.event_content import event_content
from shared.domain.events.source_event import Person, SourceEvent

type AppliedModification = tuple[str, datetime, datetime]
"""Source key, start and end of a modification that was applied to a meeting (domain.md 4)."""

_CANONICAL = orjson.OPT_SORT_KEYS
#: Stands in the revision of a copy that its owner edited, and in no other.
EDITED = "."


def revision(event: SourceEvent, modifications: Sequence[AppliedModification] = ()) -> str:
    """Lower-case hex SHA-256 over what the copy and our record carry of an event (domain.md 2.4, 2.6).

    Change keys, automation results and policies are not part of it; attendees count in any order, line
    endings of the body in any convention. With modifications, their keys and times count as well.
    """
    own = hashlib.sha256(orjson.dumps(_source_fields(event), option=_CANONICAL)).hexdigest()
    return modified_revision(own, modifications)


def modified_revision(own: str, modifications: Sequence[AppliedModification]) -> str:
    """The revision of an event whose revision without modifications is ``own`` (domain.md 2.4)."""
    if not modifications:
        return own
    # Over the digest, not the fields: the planner applies modifications when the body is long forgotten.
    applied = {"event": own, "modifications": sorted(modifications)}
    return hashlib.sha256(orjson.dumps(applied, option=_CANONICAL)).hexdigest()


def edited_revision(previous: str, edit_id: str) -> str:
    """The revision of a copy that its owner edited (domain.md 2.5): the source's, and which edit."""
    return f"{source_revision(previous)}{EDITED}{hashlib.sha256(edit_id.encode()).hexdigest()[:16]}"


def superseded_revision(previous: str) -> str:
    """The revision of a copy that another one superseded on its owner's word: an edit of theirs (2.16)."""
    return edited_revision(previous, "superseded")


def is_superseded(archived: str) -> bool:
    """Whether the revision is that of a copy that another one superseded."""
    return archived == superseded_revision(archived)


def source_revision(archived: str) -> str:
    """What a copy's revision says of its source, whatever its owner edited since."""
    return archived.partition(EDITED)[0]


def is_edited(archived: str) -> bool:
    """Whether the revision is that of an explicit edit."""
    return EDITED in archived


def duplicate_hash(event: SourceEvent) -> bytes:
    """Equal for events that are duplicates of each other, by source times (domain.md 2.9); 16 bytes.

    Subject, start, end and body are the same, and so are organizer and categories, without which two
    events are an overlap. A cancelled or declined event is no duplicate of one that takes place: merged
    into it, time that counts would be lost (domain.md 2.1).
    """
    facts = (
        event.subject,
        event.start,
        event.end,
        event.is_all_day,
        event.is_cancelled,
        event.is_declined,
        event.organizer.address.casefold() if event.organizer else None,
        sorted(category.casefold() for category in event.categories),
        event.body_type,
        _plain_line_endings(event.body),
        # Masked events look alike without being so.
        event.id if event.masked else None,
    )
    return hashlib.blake2b(orjson.dumps(facts), digest_size=16).digest()


def _source_fields(event: SourceEvent) -> dict[str, object]:
    return {
        **event_content(event),
        "body": _plain_line_endings(event.body),
        "is_cancelled": event.is_cancelled,
        "is_declined": event.is_declined,
        "has_attachments": event.has_attachments,
        "organizer": _person(event.organizer) if event.organizer else None,
        "attendees": sorted(map(_person, event.attendees)),
    }


def _person(person: Person) -> tuple[str, str, str, str]:
    return person.address, person.name, person.kind, person.response


def _plain_line_endings(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
