"""Finds personal, secret and private values in an audited change, and replaces them.

Personal values are encrypted with their person's key. Secrets are redacted (domain.md 7.1). Other people see
only the times of a private event and the word "Private" (domain.md 6.3).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from shared.domain.identity.disclosure import PRIVATE
from shared.domain.json_object import JsonObject

#: The only key of an object that replaces an encrypted value.
ENCRYPTED: Final = "$encrypted"
REDACTED: Final = "[redacted]"
#: A personal value of an unknown person, or of a person without a key. It was not stored.
WITHHELD: Final = "[withheld]"
ERASED: Final = "[erased]"
UNREADABLE: Final = "[unreadable]"

#: Fields whose whole value is always personal.
PERSONAL_FIELDS: Final = frozenset(
    {
        *("subject", "body", "body_preview", "location", "locations", "categories", "organizer", "attendees"),
        *("ical_uid", "display_name", "given_name", "surname", "name", "address", "email", "mail", "phone"),
        *("user_principal_name", "source_reference", "archive_reference", "customer", "title", "text"),
        *("description", "note", "comment", "prompt", "source_subject"),
    }
)
_EVENT_CONTENT = frozenset({"subject", "body", "body_preview", "location", "organizer", "attendees"})
_TIMES = frozenset({"start_at", "end_at", "start", "end", "start_zone", "end_zone", "is_all_day"})
_SECRET_WORDS = frozenset(
    {
        *("secret", "secrets", "token", "tokens", "password", "passwords", "passwd", "pwd", "passphrase"),
        *("credential", "credentials", "authorization", "cookie", "cookies", "apikey", "signature"),
    }
)
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("access", "key"), ("private", "key"), ("client", "state"), ("connection", "string")}
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_VALUE = re.compile(
    r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}"  # JSON web tokens
    r"|(?i:\b(?:bearer|basic) +[\w.~+/=-]{8,})"
    r"|(?i:\b(?:accountkey|sharedaccesskey|sharedaccesssignature|password|pwd|client_secret|sig)=[^\s;&\"']+)"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password@ in a URL
    r"|\bsk-[\w-]{16,}"
)
#: Everything that ``_SECRET_VALUE`` matches contains one of these.
_SECRET_MARKS = ("eyJ", " ", "=", "://", "sk-")


@dataclass(frozen=True, slots=True)
class PersonalValue:
    """A personal value that was removed from a change, its place, and the object that replaces it."""

    path: str
    value: Any
    place: dict[str, object]

    def fill(self, ciphertext: str) -> None:
        """Put the encrypted value in its place."""
        self.place[ENCRYPTED] = ciphertext


def separate(changes: JsonObject) -> tuple[JsonObject, list[PersonalValue]]:
    """The change without secrets and personal values, and the personal values, to be filled in later.

    A value is personal if its field is personal, or if it is a text with an ``@``. An empty value stays.
    """
    found: list[PersonalValue] = []
    return _separated_object(changes, "", found), found


def _separated_object(given: Mapping[str, Any], path: str, found: list[PersonalValue]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key)
        where = f"{path}/{name}"
        if value is None or value is True or value is False or value in ("", [], {}):
            kept[name] = value
        elif is_secret_name(name):
            kept[name] = REDACTED
        elif name in PERSONAL_FIELDS:
            kept[name] = _taken_out(value, where, found)
        else:
            kept[name] = _separated(value, where, found)
    return kept


def _separated(value: Any, path: str, found: list[PersonalValue]) -> Any:
    if isinstance(value, str):
        value = without_secrets(value)
        return _taken_out(value, path, found) if "@" in value else value
    if isinstance(value, Mapping):
        if any("@" in str(key) for key in value):
            return _taken_out(value, path, found)
        return _separated_object(value, path, found)
    if isinstance(value, list | tuple | set | frozenset):
        return [_separated(item, f"{path}/{number}", found) for number, item in enumerate(value)]
    return value


def _taken_out(value: Any, path: str, found: list[PersonalValue]) -> dict[str, Any]:
    personal = PersonalValue(path, value, {ENCRYPTED: None})
    found.append(personal)
    return personal.place


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """True if a field of this name holds a secret: ``clientSecret``, ``api_key``, ``refresh-token``…"""
    words = [word.lower() for word in _WORD.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def without_secrets(text: str) -> str:
    """The text with everything redacted that looks like a token or a password."""
    # Most values are ids and names without these marks. This check is much faster than the expression.
    if not any(mark in text for mark in _SECRET_MARKS):
        return text
    return _SECRET_VALUE.sub(REDACTED, text)


def restore(changes: JsonObject, opened: Callable[[str, str | None], Any]) -> JsonObject:
    """The changes with each encrypted value replaced by ``opened(path, ciphertext)``.

    The ciphertext is None if the value was not stored.
    """
    return {key: _restored(value, f"/{key}", opened) for key, value in changes.items()}


def _restored(value: Any, path: str, opened: Callable[[str, str | None], Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ENCRYPTED}:
            return opened(path, value[ENCRYPTED])
        return {key: _restored(item, f"{path}/{key}", opened) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, f"{path}/{number}", opened) for number, item in enumerate(value)]
    return value


def has_encrypted(value: Any) -> bool:
    """True if any value of the stored changes is encrypted and needs a key to be read."""
    return any(each.get(ENCRYPTED) is not None for each in _objects(value))


def concerns_private_event(changes: Any) -> bool:
    """True if the changes are about a private event, or do not say which event they are about (6.3).

    If one of the two versions is private, the change is private, because it is the same event.
    """
    objects = list(_objects(changes))
    if any(each.get("sensitivity", "normal") != "normal" for each in objects):
        return True
    return any("sensitivity" not in each and not _EVENT_CONTENT.isdisjoint(each) for each in objects)


def masked(value: Any) -> Any:
    """The stored changes of a private event as others see them: its times, and "Private" for the rest."""
    if isinstance(value, dict):
        if ENCRYPTED in value:
            return PRIVATE
        if not _EVENT_CONTENT.isdisjoint(value):
            shown = _TIMES | {"sensitivity"}
            return {key: item if key in shown else PRIVATE for key, item in value.items()}
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
