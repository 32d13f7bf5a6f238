"""Whether an event is travel: a travel word in its subject or in a category (domain.md 2.7)."""

import re
from collections.abc import Iterable
from functools import lru_cache

from shared.domain.normal_form import normal_form

DEFAULT_TRAVEL_WORDS = (
    "travel",
    "travelling",
    "drive",
    "driving",
    "flight",
    "flying",
    "commute",
    "commuting",
    "transit",
    "journey",
    "trip",
    "airport",
)


def is_travel(subject: str, categories: Iterable[str], words: tuple[str, ...] = DEFAULT_TRAVEL_WORDS) -> bool:
    """Whether one of the words is a whole word in the subject or a category. Case is ignored.

    "Contract strip review" does not contain "trip" (domain.md 14). A term of several words matches any white
    space between them. Without words, nothing is travel.
    """
    pattern = _pattern(words)
    if pattern is None:
        return False
    return any(pattern.search(_folded(text)) is not None for text in (subject, *categories))


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str] | None:
    parts = [r"\s+".join(map(re.escape, _folded(word).split())) for word in words if word.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)") if parts else None


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else normal_form("NFC", text.casefold())
