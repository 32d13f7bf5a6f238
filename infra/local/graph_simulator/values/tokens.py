"""Signing and checking JSON Web Tokens with the simulator's own RSA keys."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import uuid4

import jwt
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_DIGESTS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class TokenRejectedError(Exception):
    """A token is not valid; ``reason`` says why: ``format``, ``signature``, ``expired`` or ``audience``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA 2048 key and its id."""

    kid: str
    private: rsa.RSAPrivateKey

    @staticmethod
    def generate() -> "SigningKey":
        """A new key."""
        return SigningKey(uuid4().hex, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @staticmethod
    def from_pem(kid: str, pem: str) -> "SigningKey":
        """A key saved by ``pem``."""
        key = serialization.load_pem_private_key(pem.encode("ascii"), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("not an RSA key")
        return SigningKey(kid, key)

    def pem(self) -> str:
        """The private key as unencrypted PKCS 8: it signs nothing but local tokens."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")

    def public_pem(self) -> bytes:
        """The public key as PEM."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jwk(self, issuer: str) -> dict[str, Any]:
        """The public key as Entra publishes it."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _encode(numbers.n.to_bytes(256, "big")),
            "e": _encode(numbers.e.to_bytes(3, "big")),
            "issuer": issuer,
        }


@lru_cache(maxsize=1)
def process_key() -> SigningKey:
    """The key of simulators without saved state: generating one takes a tenth of a second."""
    return SigningKey.generate()


class KeyRing:
    """The published keys; the newest signs."""

    def __init__(self) -> None:
        self._keys: list[SigningKey] = []
        self._checked: dict[str, dict[str, Any]] = {}
        self._unsaved: list[SigningKey] = []

    @property
    def keys(self) -> list[SigningKey]:
        """All published keys, oldest first; there is always one."""
        if not self._keys:
            self._keys.append(process_key())
        return self._keys

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self.keys[-1]

    def load(self, keys: list[SigningKey]) -> None:
        """Replace all keys."""
        self._keys = list(keys)
        self._checked.clear()

    def rotate(self) -> SigningKey:
        """Add a new signing key; the old ones stay published."""
        self.keys.append(SigningKey.generate())
        self._unsaved.append(self.current)
        return self.current

    def unsaved(self) -> list[SigningKey]:
        """The keys added since the last call."""
        added, self._unsaved = self._unsaved, []
        return added

    def sign(self, claims: dict[str, Any], *, kid: str | None = None, alg: str = "RS256") -> str:
        """A token of these claims.

        For tests of validation, ``kid`` may be foreign. ``alg`` may be ``none``, ``HS256`` (keyed with the
        public key's PEM, the classic confusion) or another RSA algorithm. Raises ``ValueError`` for others.
        """
        key = next((known for known in self.keys if known.kid == kid), self.current)
        header = {"typ": "JWT", "alg": alg, "kid": kid or key.kid}
        signed = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims))}"
        return f"{signed}.{_encode(_signature(signed.encode('ascii'), key, alg))}"

    def check(self, token: str, audiences: frozenset[str] | None) -> dict[str, Any]:
        """The claims of a token of ours for one of the audiences; raises ``TokenRejectedError``."""
        claims = self._checked.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._checked) > 1000:
                self._checked.clear()
            self._checked[token] = claims
        now = time.time()
        if claims.get("exp", 0) <= now:
            raise TokenRejectedError("expired", "Lifetime validation failed, the token is expired.")
        if claims.get("nbf", 0) > now + 300:
            raise TokenRejectedError("expired", "Lifetime validation failed, the token is not yet valid.")
        if audiences is not None and claims.get("aud") not in audiences:
            raise TokenRejectedError("audience", "Access token validation failure. Invalid audience.")
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise TokenRejectedError("format", "IDX14100: JWT is not well formed.") from None
        key = next((known for known in self.keys if known.kid == header.get("kid")), None)
        if key is None:
            raise TokenRejectedError("signature", "Access token validation failure. Unknown signing key.")
        options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            return jwt.decode(token, key.private.public_key(), algorithms=["RS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise TokenRejectedError("signature", f"Access token validation failure. {error}") from None


def _signature(signed: bytes, key: SigningKey, alg: str) -> bytes:
    if alg == "none":
        return b""
    family, size = alg[:2], alg[2:]
    if size in _HASHES:
        digest = _HASHES[size]
        if family == "RS":
            return key.private.sign(signed, padding.PKCS1v15(), digest)
        if family == "PS":
            return key.private.sign(
                signed, padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest
            )
        if family == "HS":
            return hmac.new(key.public_pem(), signed, _DIGESTS[size]).digest()
    raise ValueError(f"unknown alg {alg!r}")


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a token, unchecked; raises ``TokenRejectedError`` if it is none."""
    parts = token.split(".")
    try:
        claims = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        raise TokenRejectedError("format", "The assertion is malformed.") from None
    if not isinstance(claims, dict):
        raise TokenRejectedError("format", "The assertion is malformed.")
    return claims
