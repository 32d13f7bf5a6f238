"""What is remembered of verified tokens."""

import time
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.services.identity import verified_tokens
from shared.services.identity.tokens import InvalidToken, TokenValidator
from shared.services.identity.verified_tokens import VerifiedToken, VerifiedTokens
from tests.support.settings import make_settings

TENANT = UUID(int=1)
PRIVATE = rsa.generate_private_key(65537, 2048)
KEY = PRIVATE.public_key()


def verified(seconds: float = 60, person: int = 2) -> VerifiedToken:
    caller = Caller.user(TENANT, UUID(int=person), (Role.USER,))
    return VerifiedToken("kid", TENANT, KEY, caller, time.time() + seconds)


def test_a_token_is_known_until_it_expires() -> None:
    tokens = VerifiedTokens()
    tokens.keep("good", found := verified())
    tokens.keep("over", verified(seconds=-1))
    assert tokens.find("good") is found
    assert tokens.find("over") is None
    assert tokens.find("other") is None


def test_the_token_itself_is_not_kept() -> None:
    tokens = VerifiedTokens()
    tokens.keep("header.payload.signature", verified())
    assert "signature" not in repr(vars(tokens))


def test_the_one_not_presented_for_the_longest_time_is_forgotten() -> None:
    tokens = VerifiedTokens()
    for number in range(verified_tokens._MOST_TOKENS):
        tokens.keep(str(number), verified(person=number + 1))
    assert tokens.find("0") is not None
    tokens.keep("one more", verified())
    assert tokens.find("0") is not None
    assert tokens.find("1") is None


class Keys:
    """The one key that the token service publishes; None: withdrawn."""

    def __init__(self) -> None:
        self.published: rsa.RSAPublicKey | None = KEY

    async def find(self, tenant_id: UUID, kid: str) -> rsa.RSAPublicKey | None:
        return self.published


async def test_a_verified_token_is_verified_again_once_its_key_is_withdrawn_or_replaced() -> None:
    settings = make_settings(tenant_id=TENANT, api_audience="api", authority="https://login.example.com")
    keys = Keys()
    validator = TokenValidator(settings, keys)  # type: ignore[arg-type]
    now = int(time.time())
    claims = {
        "iss": f"https://login.example.com/{TENANT}/v2.0",
        "aud": "api",
        "ver": "2.0",
        "sub": "s",
        "tid": str(TENANT),
        "oid": str(UUID(int=7)),
        "exp": now + 600,
        "nbf": now,
        "scp": "access_as_user",
    }
    token = jwt.encode(claims, PRIVATE, algorithm="RS256", headers={"kid": "kid"})
    assert (await validator.validate(token)) == (await validator.validate(token))
    for published in (None, rsa.generate_private_key(65537, 2048).public_key()):
        keys.published = published
        with pytest.raises(InvalidToken):
            await validator.validate(token)
    keys.published = KEY
    assert (await validator.validate(token)).object_id == UUID(int=7)
