"""A set of source keys that stays small, however many keys a calendar has."""

import hashlib
from collections.abc import Container
from functools import lru_cache


# A plan asks a few times in a row about each key of a page. Kept digests are one object then, not several.
@lru_cache(maxsize=4096)
def key_digest(text: str) -> bytes:
    """16 bytes in place of a key or id."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class KeySet(Container[str]):
    """The keys whose digests one of the collections has. It shows what they have at the time."""

    def __init__(self, *digests: Container[bytes]) -> None:
        self._digests = digests

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        digest = key_digest(key)
        return any(digest in each for each in self._digests)
