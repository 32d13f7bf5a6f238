"""Verified tokens, until they expire. A signature check costs more than the rest of a small request."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from shared.domain.identity.caller import Caller

#: Tokens remembered. The one unused for the longest time is removed first.
_MOST_TOKENS: Final = 5_000


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """The result of a verified token. It is valid only with the same ``key``: a withdrawn key ends it."""

    kid: str
    tenant_id: UUID
    key: "RSAPublicKey"
    caller: "Caller"
    expires_at: float


class VerifiedTokens:
    """Verified tokens by their hash. The tokens themselves are not kept."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    def find(self, token: str) -> VerifiedToken | None:
        """The result for a token that has not expired."""
        digest = _digest(token)
        known = self._tokens.get(digest)
        if known is None:
            return None
        if time.time() >= known.expires_at:
            del self._tokens[digest]
            return None
        self._tokens.move_to_end(digest)
        return known

    def keep(self, token: str, verified: VerifiedToken) -> None:
        """Remember a token that was just verified."""
        self._tokens[_digest(token)] = verified
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
