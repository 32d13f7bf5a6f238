"""Graph on behalf of the caller: with their own permission, and only for their own mailbox."""

import asyncio
import base64
import json
import logging
from typing import Any
from uuid import UUID

import pytest

from shared.domain.identity.caller import SignedIn
from shared.errors import ConsentRequired, InteractionRequired, StoreUnavailable, Unavailable
from shared.graph import on_behalf
from shared.graph.on_behalf import OnBehalfTokens
from shared.settings import Settings
from shared.triggers.http.messages import Request
from shared.triggers.http.registry import OPERATIONS, GraphAccess
from tests.integration.api.caller import TENANT, Caller, problem
from tests.integration.api.conftest import People, on_simulator


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def person(api: Caller, oid: UUID, **wish: Any) -> SignedIn:
    return SignedIn(TENANT, oid, api.token(oid=str(oid), **wish))


@pytest.fixture
def ada(stranger: Caller) -> UUID:
    return stranger.mailbox("ada@example.com")


@pytest.fixture
def bob(stranger: Caller) -> UUID:
    return stranger.mailbox("bob@example.com")


async def test_everyone_gets_a_token_of_their_own_and_it_is_asked_for_once(
    stranger: Caller, ada: UUID, bob: UUID
) -> None:
    tokens = stranger.app.foundations.on_behalf
    people = [person(stranger, oid) for oid in (ada, bob)]
    found = await asyncio.gather(*(tokens.of(people[n % 2]).value() for n in range(20)))
    assert [claims_of(token)["oid"] for token in found] == [str(ada), str(bob)] * 10
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 2
    # A new sign-in of the same person needs no new token of Graph.
    assert await tokens.of(person(stranger, ada)).value() == found[0]
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 2


async def test_the_cache_is_bounded_and_forgets_who_was_quiet(
    stranger: Caller, ada: UUID, bob: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_behalf, "MOST_PERSONS", 1)
    tokens = stranger.app.foundations.on_behalf
    for oid in (ada, bob, ada):
        await tokens.of(person(stranger, oid)).value()
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 3


async def test_a_token_near_its_end_is_renewed_and_a_refused_one_is_dropped(
    stranger: Caller, ada: UUID
) -> None:
    now = [0.0]
    tokens = OnBehalfTokens(stranger.app.foundations.settings, clock=lambda: now[0])
    ada_in = tokens.of(person(stranger, ada))
    first = await ada_in.value()
    now[0] = claims_of(first)["exp"] - 200
    second = await ada_in.value()
    now[0] = 0
    await ada_in.invalidate(first)
    assert await ada_in.value() == second
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 2
    await ada_in.invalidate(second)
    await ada_in.value()
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 3
    await tokens.close()


async def test_who_leaves_does_not_stop_the_exchange_for_the_others(stranger: Caller, ada: UUID) -> None:
    ada_in = stranger.app.foundations.on_behalf.of(person(stranger, ada))
    leaving, staying = asyncio.create_task(ada_in.value()), asyncio.create_task(ada_in.value())
    await asyncio.sleep(0)
    leaving.cancel()
    assert claims_of(await staying)["oid"] == str(ada)
    assert stranger.simulator.counters.tokens["on_behalf_of"] == 1


async def test_what_the_person_must_do_is_told_and_their_token_is_nowhere(
    stranger: Caller, ada: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    signed_in = person(stranger, ada)
    tokens = stranger.app.foundations.on_behalf.of(signed_in)
    settings = stranger.simulator.settings
    with caplog.at_level(logging.DEBUG):
        settings.consent_missing = [str(ada)]
        with pytest.raises(ConsentRequired) as consent:
            await tokens.value()
        settings.consent_missing, settings.interaction_required = [], [str(ada)]
        with pytest.raises(InteractionRequired) as interaction:
            await tokens.value()
    assert "capolids" in interaction.value.claims
    assert signed_in.assertion not in repr(signed_in)
    for error in (consent.value, interaction.value):
        assert signed_in.assertion not in repr(error) + str(error)
        # The library's error holds the request, and the request holds the assertion.
        assert error.__cause__ is None
        assert error.__suppress_context__
    assert signed_in.assertion not in caplog.text
    # A sign-in that meets the challenge goes through at once.
    again = stranger.app.foundations.on_behalf.of(person(stranger, ada, overrides={"amr": ["mfa"]}))
    assert claims_of(await again.value())["oid"] == str(ada)


async def test_an_assertion_that_ran_out_is_answered_by_another_sign_in(stranger: Caller, ada: UUID) -> None:
    late = stranger.app.foundations.on_behalf.of(person(stranger, ada, lifetime_seconds=-10))
    with pytest.raises(InteractionRequired):
        await late.value()


async def test_without_the_token_service_or_a_registration_it_is_a_503(
    stranger: Caller, ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = person(stranger, ada)
    # The identity's own token is there; what fails is the exchange.
    await stranger.app.foundations.on_behalf.of(signed_in).value()
    stranger.app.foundations.on_behalf.forget(signed_in)
    await stranger.simulator.stop()
    with pytest.raises(StoreUnavailable):
        await stranger.app.foundations.on_behalf.of(signed_in).value()
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.delenv("AZURE_CLIENT_CERTIFICATE_PATH", raising=False)
    tokens = OnBehalfTokens(stranger.app.foundations.settings)
    with pytest.raises(Unavailable) as missing:
        await tokens.of(signed_in).value()
    assert missing.value.code == "on_behalf_of_not_set_up"


@pytest.mark.parametrize("proof", ["secret", "wrong secret"])
async def test_elsewhere_the_registration_proves_itself_by_its_secret(
    stranger: Caller, ada: UUID, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    secret = stranger.simulator.settings.client_secret if proof == "secret" else "guessed"
    settings: Settings = on_simulator(stranger.simulator, client_secret=secret)
    tokens = OnBehalfTokens(settings)
    if proof == "secret":
        assert claims_of(await tokens.of(person(stranger, ada)).value())["oid"] == str(ada)
    else:
        with pytest.raises(Unavailable) as refused:
            await tokens.of(person(stranger, ada)).value()
        assert refused.value.code == "on_behalf_of_not_set_up"
    await tokens.close()


def request_of(api: Caller, oid: UUID, graph: GraphAccess, *roles: str) -> Any:
    from shared.domain.expected_version import ANY_VERSION
    from shared.domain.identity.caller import Caller as Identity
    from shared.domain.identity.roles import Role
    from shared.schemas.base import NoBody, NoQuery
    from shared.triggers.http.list_cursors import ListIdentity

    identity = Identity.user(TENANT, oid, [Role(role) for role in roles] or (Role.USER,))
    signed_in = person(api, oid) if graph is GraphAccess.ON_BEHALF_OF else None
    return Request(
        app=api.app,
        body=NoBody(),
        query=NoQuery(),
        listed=ListIdentity("", NoQuery(), NoBody(), identity),
        path={},
        relative_path="",
        identity=identity,
        expected=ANY_VERSION,
        client=None,
        graph=graph,
        signed_in=signed_in,
    )


class TestWhosePermission:
    """One and the same operation, seen at Graph."""

    async def test_the_owner_acts_with_their_own_and_an_admin_with_the_applications(
        self, api: Caller, people: People
    ) -> None:
        used: list[bool] = []
        check = api.simulator.identity.caller

        def caller(authorization: str | None) -> Any:
            found = check(authorization)
            used.append(found.user is not None)
            return found

        api.simulator.identity.caller = caller  # type: ignore[method-assign]
        ada, bob = people.ada.oid, people.bob.oid
        own = request_of(api, ada, GraphAccess.ON_BEHALF_OF)
        await own.calendars_of(ada).list_calendars(str(ada))
        admin = request_of(api, bob, GraphAccess.ON_BEHALF_OF, "Admin")
        await admin.calendars_of(ada).list_calendars(str(ada))
        unattended = request_of(api, ada, GraphAccess.APPLICATION)
        await unattended.calendars_of(ada).list_calendars(str(ada))
        assert used == [True, False, False]
        with pytest.raises(RuntimeError):
            request_of(api, ada, GraphAccess.NONE).calendars_of(ada)

    async def test_a_persons_permission_reaches_no_other_mailbox(self, api: Caller, people: People) -> None:
        from shared.errors import StoreRefused

        adas = request_of(api, people.ada.oid, GraphAccess.ON_BEHALF_OF).calendars_of(people.ada.oid)
        with pytest.raises(StoreRefused):
            await adas.list_calendars(str(people.bob.oid))


async def test_the_challenge_reaches_the_persons_application(api: Caller) -> None:
    oid = api.mailbox("grace@example.com")
    admin = api.token("Admin", oid="aaaaaaaa-0000-4000-8000-000000000001")
    changed = await api(
        "PATCH", "v1/system/settings", {"first_sign_in": "automatic"}, token=admin, headers={"if-match": "*"}
    )
    assert changed.status == 200, changed.json
    api.simulator.settings.interaction_required = [str(oid)]
    response = await api("GET", "v1/me", token=api.person(oid))
    problem(response, 401, "interaction_required")
    challenge = response.headers["www-authenticate"]
    assert 'error="insufficient_claims"' in challenge
    encoded = challenge.partition('claims="')[2].partition('"')[0]
    assert "capolids" in json.loads(base64.b64decode(encoded))["access_token"]
    api.simulator.settings.interaction_required = []
    api.simulator.settings.consent_missing = [str(oid)]
    problem(await api("GET", "v1/me", token=api.person(oid)), 403, "consent_required")
    api.simulator.settings.consent_missing = []
    assert (await api("GET", "v1/me", token=api.person(oid))).json["user"]["address"] == "grace@example.com"


def test_every_operation_states_its_permission_in_table_and_description() -> None:
    from shared.triggers.http.openapi import Description
    from shared.triggers.http.registry import authorisation_table
    from tests.support.settings import make_settings

    stated = {row["operation"]: row["graph"] for row in authorisation_table()}
    assert stated["get_me"] == "on behalf of the caller"
    assert stated["create_user"] == stated["create_archive_configuration"] == "application"
    document = Description(OPERATIONS.values(), make_settings(tenant_id=TENANT)).document()
    for path in document["paths"].values():
        for described in path.values():
            assert described["x-graph-access"] == stated[described["operationId"]]
