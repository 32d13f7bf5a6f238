"""Tokens for Graph on behalf of a signed-in person (graph.md, Auth; Entra's on-behalf-of flow).

A token is cached under tenant, person and scope and never given to anyone else. The person's own token (the
assertion) is held only during a request. It appears in no log and no exception.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from shared.credential import (
    FEDERATION_SCOPE,
    LAST_USE_SECONDS,
    RENEW_BEFORE_SECONDS,
    TOKEN_TIMEOUT_SECONDS,
    Credential,
    TokenCache,
    authority_options,
    client_certificate,
    has_managed_identity,
    managed_identity,
    registration_id,
)
from shared.domain.identity.caller import SignedIn
from shared.errors import ConsentRequired, InteractionRequired, StoreUnavailable, Unavailable
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import ClientAuthenticationError

_log = logging.getLogger(__name__)
#: Persons with a cached token. The one who was silent for the longest time is removed first.
MOST_PERSONS: Final = 1000
#: Entra's codes for: the person, or their administrator, has not agreed to the permission yet.
_CONSENT_CODES: Final = frozenset({65001, 65004, 90094})


type _Key = tuple[UUID, UUID, str]


class OnBehalfTokens:
    """The persons' tokens in one process, on one event loop."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._scope = settings.graph_scope
        self._kept: OrderedDict[_Key, AccessToken] = OrderedDict()
        self._under_way: dict[tuple[_Key, bytes], asyncio.Task[AccessToken]] = {}
        self._identity: TokenCache | None = None

    def of(self, person: SignedIn) -> "PersonTokens":
        """The tokens for a connection to Graph that acts as this person."""
        return PersonTokens(self, person)

    async def token(self, person: SignedIn, claims: str | None = None) -> "AccessToken":
        """The person's token for Graph. ``claims`` answer Graph's challenge and require a new token.

        Raises InteractionRequired (401) and ConsentRequired (403) if the person must act. Raises
        StoreUnavailable (503) while the token service does not answer, and Unavailable (503) if our
        registration is wrong.
        """
        key = (person.tenant_id, person.object_id, self._scope)
        kept = self._kept.get(key)
        if claims:
            self._kept.pop(key, None)
            return self._keep(key, await self._exchange(person, claims))
        if kept is not None and kept.expires_on - self._clock() > RENEW_BEFORE_SECONDS:
            self._kept.move_to_end(key)
            return kept
        # Not shared between assertions, because a new one may succeed after an old one was refused.
        turn = (key, person.fingerprint)
        if turn not in self._under_way:
            task = self._under_way[turn] = asyncio.create_task(self._exchange(person, None))
            task.add_done_callback(lambda done: self._done(turn, done))
        try:
            # Shielded, because other requests of the person still need it when this one is cancelled.
            return self._keep(key, await asyncio.shield(self._under_way[turn]))
        except StoreUnavailable:
            if kept is not None and kept.expires_on - self._clock() > LAST_USE_SECONDS:
                return kept
            raise

    def forget(self, person: SignedIn, value: str | None = None) -> None:
        """Drop the person's token, or only this one, because Graph refused it."""
        key = (person.tenant_id, person.object_id, self._scope)
        kept = self._kept.get(key)
        if kept is not None and value in (None, kept.token):
            del self._kept[key]

    async def close(self) -> None:
        """Stop exchanges in flight, drop every token, close the connections."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()
        if self._identity is not None:
            await self._identity.close()

    def _done(self, turn: tuple[_Key, bytes], task: "asyncio.Task[AccessToken]") -> None:
        self._under_way.pop(turn, None)
        if not task.cancelled():
            # Retrieved, so that asyncio does not complain when every waiting caller was cancelled.
            task.exception()

    def _keep(self, key: _Key, token: "AccessToken") -> "AccessToken":
        self._kept[key] = token
        self._kept.move_to_end(key)
        now = self._clock()
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= MOST_PERSONS and self._kept[oldest].expires_on > now:
                break
            del self._kept[oldest]
        return token

    async def _exchange(self, person: SignedIn, claims: str | None) -> "AccessToken":
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        options = {"claims": claims, "enable_cae": True} if claims else {}
        credential: Credential | None = None
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_SECONDS):
                credential = await self._credential(person)
                return await credential.get_token(self._scope, **options)
        except ClientAuthenticationError as error:
            # Not chained, because its request contains the assertion.
            raise _refusal(error) from None
        except (AzureError, TimeoutError, OSError) as error:
            _log.warning("no token on behalf of a person: %s", type(error).__name__)
            raise StoreUnavailable("the token service does not answer", retry_after=5) from None
        except ValueError as error:
            _log.error("on-behalf-of is not set up: %s", error)
            raise _not_set_up() from None
        finally:
            if credential is not None:
                await credential.close()

    async def _credential(self, person: SignedIn) -> Credential:
        from azure.identity.aio import OnBehalfOfCredential

        settings = self._settings
        proof: dict[str, Any]
        if has_managed_identity(settings):
            if self._identity is None:
                self._identity = TokenCache(lambda: managed_identity(settings), FEDERATION_SCOPE)
            # azure-identity asks for the assertion synchronously, so it is fetched before.
            federated = await self._identity.value()
            proof = {"client_assertion_func": lambda: federated}
        elif settings.client_secret is not None:
            proof = {"client_secret": settings.client_secret.get_secret_value()}
        else:
            proof = {"client_certificate": client_certificate()}
            if proof["client_certificate"] is None:
                raise ValueError("it needs a managed identity, a client secret or a certificate")
        return OnBehalfOfCredential(
            str(person.tenant_id),
            registration_id(settings),
            user_assertion=person.assertion,
            **proof,
            **authority_options(settings),
            # A person waits for the answer.
            retry_total=1,
        )


class PersonTokens:
    """One person's tokens, in the form that a connection to Graph needs."""

    def __init__(self, tokens: OnBehalfTokens, person: SignedIn) -> None:
        self._tokens = tokens
        self._person = person

    async def get_token(self, *scopes: str, claims: str | None = None, **options: Any) -> "AccessToken":
        """The person's token, see OnBehalfTokens."""
        return await self._tokens.token(self._person, claims)

    async def value(self) -> str:
        """The token itself."""
        return (await self._tokens.token(self._person)).token

    async def invalidate(self, value: str | None = None) -> None:
        """Drop the person's token, because Graph refused it."""
        self._tokens.forget(self._person, value)

    async def close(self) -> None:
        """Nothing to close."""


def _refusal(error: "ClientAuthenticationError") -> Exception:
    """What the token service's refusal requires from the person, or from us."""
    answer = _answer(error)
    code, detail = str(answer.get("error", "")), str(answer.get("suberror", ""))
    numbers = {number for number in answer.get("error_codes", ()) if isinstance(number, int)}
    _log.info("no token on behalf of a person: %s %s %s", code, detail, sorted(numbers))
    claims = answer.get("claims")
    if isinstance(claims, str) and claims:
        return InteractionRequired(
            "sign in again and answer the token service's challenge",
            claims=claims,
            code="interaction_required",
        )
    if code == "consent_required" or detail == "consent_required" or numbers & _CONSENT_CODES:
        return ConsentRequired("the permission to act at Microsoft Graph in your name was not given yet")
    if code in ("interaction_required", "invalid_grant"):
        return InteractionRequired("sign in again: the token service does not accept this sign-in any more")
    if (getattr(error, "status_code", None) or 0) >= 500:
        return StoreUnavailable("the token service does not answer", retry_after=5)
    _log.error("the token service refuses our registration: %s %s", code, sorted(numbers))
    return _not_set_up()


def _answer(error: "ClientAuthenticationError") -> Mapping[str, Any]:
    try:
        found = orjson.loads(error.response.text())  # type: ignore[union-attr]
    except (AttributeError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _not_set_up() -> Unavailable:
    return Unavailable("acting on behalf of a person is not set up", code="on_behalf_of_not_set_up")
