"""Item ids: immutable ones, ones that change on a move, those of occurrences, derived from their master."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random

# Our own generator, because tests seed the global one, and ids must not repeat.
random_bytes = Random().randbytes
_IMMUTABLE = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
_MUTABLE = "AAMkADBG"
_CALENDAR = "AAMkADCB"
_KEY_LENGTH = 24
_TAIL_ITEM = "AAA="
_TAIL_OCCURRENCE = "EA=="
#: Occurrences of a series that gave its occurrences new ids (setting ``occurrence_ids``).
_TAIL_RENEWED = "EB=="


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii")


def new_key() -> str:
    """24 characters that name an item or a calendar inside its mailbox."""
    return _text(random_bytes(18))


def new_change_key() -> str:
    """A change key, different on every change."""
    return _text(random_bytes(15)) + "AAAA"


def mailbox_part(oid: str) -> str:
    """The part of every id that names the mailbox."""
    return _text(oid.replace("-", "").encode("ascii")[:24])


def calendar_id(mailbox: str, key: str) -> str:
    """Id of a calendar, the same with and without immutable ids."""
    return f"{_CALENDAR}{mailbox}{key}{_TAIL_ITEM}"


def item_id(mailbox: str, key: str, move: str | None, day: int | None = None, generation: int = 0) -> str:
    """Id of an event. ``move`` changes on a move (``None``: immutable).

    An occurrence's id consists of its master and its original date, ``day``, as in Exchange. Ids in public
    reports hold the date's midnight, as .NET ticks, before the master's entry id (docs/graph-series.md, Ids).
    ``generation`` counts how often a series gave its occurrences new ids.
    """
    head = f"{_IMMUTABLE}{mailbox}" if move is None else f"{_MUTABLE}{mailbox}{move}"
    if day is None:
        return f"{head}{key}{_TAIL_ITEM}"
    date = _text(day.to_bytes(3, "big"))
    if generation:
        return f"{head}{key}{date}{_text(generation.to_bytes(3, 'big'))}{_TAIL_RENEWED}"
    return f"{head}{key}{date}{_TAIL_OCCURRENCE}"


def split_item_id(value: str) -> tuple[str, int | None, str] | None:
    """Key, occurrence date (ordinal) and head of an event id; ``None`` if it is no event id at all."""
    if not value.startswith((_IMMUTABLE, _MUTABLE)):
        return None
    if value.endswith(_TAIL_ITEM):
        rest, day = value[: -len(_TAIL_ITEM)], None
    elif value.endswith((_TAIL_OCCURRENCE, _TAIL_RENEWED)):
        rest = value[: -len(_TAIL_OCCURRENCE) - (8 if value.endswith(_TAIL_RENEWED) else 4)]
        try:
            day = int.from_bytes(urlsafe_b64decode(value[len(rest) : len(rest) + 4]), "big")
        except ValueError:
            return None
    else:
        return None
    if len(rest) < _KEY_LENGTH + len(_MUTABLE):
        return None
    return rest[-_KEY_LENGTH:], day, rest[:-_KEY_LENGTH]


def is_calendar_id(value: str) -> bool:
    """Whether the text has the form of a calendar id."""
    return value.startswith(_CALENDAR) and value.endswith(_TAIL_ITEM)
