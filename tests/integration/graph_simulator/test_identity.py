"""Tokens: azure-identity and PyJWT against the simulator's endpoints."""

import time
from typing import Any

import httpx
import jwt
import pytest
from azure.identity.aio import ManagedIdentityCredential
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import FixedCredential, open_graph
from tests.integration.graph_simulator.test_events import refusal

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "33333333-3333-4333-8333-333333333333"
OBO = {
    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "requested_token_use": "on_behalf_of",
    "scope": "https://graph.microsoft.com/Calendars.ReadWrite",
}


async def mint(admin: httpx.AsyncClient, **wish: Any) -> str:
    """A token of our API."""
    answer = await admin.post("/_simulator/tokens", json={"tenant": TENANT, "audience": CLIENT, **wish})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def ask(admin: httpx.AsyncClient, **form: str) -> httpx.Response:
    """A request to the token endpoint."""
    return await admin.post(f"/{TENANT}/oauth2/v2.0/token", data=form)


async def validated(admin: httpx.AsyncClient, token: str) -> dict[str, Any]:
    """The claims, checked as an API does it: metadata, then keys, then the signature."""
    metadata = (await admin.get(f"/{TENANT}/v2.0/.well-known/openid-configuration")).json()
    keys = jwt.PyJWKSet.from_dict((await admin.get(metadata["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=CLIENT, issuer=metadata["issuer"]
    )
    return claims


async def test_a_token_carries_the_object_id_that_the_person_has_here(admin: httpx.AsyncClient) -> None:
    given = "7d3c9a52-1111-4222-8333-444455556666"
    await admin.post("/_simulator/mailboxes", json=[{"address": "New@example.com", "oid": given}])
    by_address = await validated(admin, await mint(admin, upn="new@example.com"))
    by_object_id = await validated(admin, await mint(admin, oid=given.replace("7d3c", "0000")))
    assert by_address["oid"] == given
    assert by_object_id["oid"] == given.replace("7d3c", "0000")


async def test_managed_identity_credential_opens_graph(
    simulator: GraphSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.base_url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "local")
    async with open_graph(simulator, ManagedIdentityCredential()) as graph:
        assert (await graph.request("GET", f"/users/{ADDRESS}/calendar"))["name"] == "Calendar"
    assert simulator.counters.tokens == {"managed_identity": 1}


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        ("api-version=2019-08-01&resource=https://graph.microsoft.com", "wrong", 401),
        ("api-version=2017-09-01&resource=https://graph.microsoft.com", "local", 400),
        ("api-version=2019-08-01", "local", 400),
    ],
)
async def test_managed_identity_endpoint_refuses(
    admin: httpx.AsyncClient, query: str, header: str, status: int
) -> None:
    answer = await admin.get(f"/msi/token?{query}", headers={"X-IDENTITY-HEADER": header})
    assert answer.status_code == status


async def test_user_token_of_our_api_validates_through_metadata_and_keys(admin: httpx.AsyncClient) -> None:
    token = await mint(admin, oid="o-1", upn=ADDRESS, name="Ada", roles=["Admin"])
    claims = await validated(admin, token)
    assert (claims["oid"], claims["tid"], claims["scp"], claims["roles"]) == (
        "o-1",
        TENANT,
        "access_as_user",
        ["Admin"],
    )
    assert (claims["preferred_username"], claims["ver"]) == (ADDRESS, "2.0")


async def test_app_token_and_version_1_token_have_their_own_claims(
    admin: httpx.AsyncClient, simulator: GraphSimulator
) -> None:
    app = await validated(admin, await mint(admin, app_only=True, client_id=CLIENT, roles=["Admin"]))
    assert app["oid"] == app["sub"]
    assert app["idtyp"] == "app"
    assert app["azp"] == CLIENT
    assert not {"scp", "name", "preferred_username"} & app.keys()
    token = await mint(admin, version="1.0", client_id=CLIENT)
    old = jwt.decode(token, options={"verify_signature": False})
    assert (old["iss"], old["appid"]) == (f"{simulator.base_url}/{TENANT}/", CLIENT)


async def test_minted_tokens_can_be_wrong_on_purpose(admin: httpx.AsyncClient) -> None:
    unsigned = await mint(admin, alg="none", overrides={"tid": None, "exp": 1})
    assert unsigned.endswith(".")
    claims = jwt.decode(unsigned, options={"verify_signature": False})
    assert "tid" not in claims
    assert claims["exp"] == 1
    for wish in ({"alg": "HS256"}, {"kid": "unknown"}, {"lifetime_seconds": -10}, {"audience": "other"}):
        token = await mint(admin, **wish)
        with pytest.raises((jwt.InvalidTokenError, jwt.PyJWKSetError, KeyError)):
            await validated(admin, token)
    assert (await admin.post("/_simulator/tokens", json={"version": "3"})).status_code == 400


async def test_old_tokens_stay_valid_after_a_rotation(admin: httpx.AsyncClient) -> None:
    before = await mint(admin)
    await admin.post("/_simulator/keys/rotate")
    after = await mint(admin)
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    await validated(admin, before)
    await validated(admin, after)


async def test_client_credentials_open_graph(admin: httpx.AsyncClient, simulator: GraphSimulator) -> None:
    form = {
        "client_id": CLIENT,
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    answer = await ask(admin, **form, client_secret="simulator-secret")
    assert answer.json()["token_type"] == "Bearer"
    async with open_graph(simulator, FixedCredential(answer.json()["access_token"])) as graph:
        assert len(await graph.all(f"/users/{ADDRESS}/calendars")) == 2


@pytest.mark.parametrize(
    ("change", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 1002012),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
async def test_token_endpoint_refuses_as_entra_does(
    admin: httpx.AsyncClient, change: dict[str, str], status: int, error: str, code: int
) -> None:
    form = {
        "client_id": CLIENT,
        "client_secret": "simulator-secret",
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    answer = await ask(admin, **{name: value for name, value in (form | change).items() if value})
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")


async def test_on_behalf_of_reaches_the_users_own_mailbox_only(
    admin: httpx.AsyncClient, simulator: GraphSimulator
) -> None:
    await admin.post("/_simulator/mailboxes", json=[{"address": "bob@contoso.example"}])
    oid = next(box.oid for box in simulator.state.all_mailboxes() if box.address == ADDRESS)
    form = {"client_id": CLIENT, "client_secret": "simulator-secret", **OBO}
    token = (await ask(admin, **form, assertion=await mint(admin, oid=oid, upn=ADDRESS))).json()[
        "access_token"
    ]
    async with open_graph(simulator, FixedCredential(token)) as graph:
        assert (await graph.request("GET", "/me/calendar"))["name"] == "Calendar"
        assert await refusal(graph, "GET", "/users/bob@contoso.example/calendar") == (
            403,
            "ErrorAccessDenied",
        )


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"lifetime_seconds": -10}, 500133),
        ({"kid": "unknown"}, 50013),
        ({"audience": "api://other"}, 500131),
        ({"app_only": True}, 50027),
        ({"oid": "nobody"}, 50034),
        ({"tenant": "44444444-4444-4444-8444-444444444444"}, 50013),
        ({"overrides": {"scp": ""}}, 50027),
    ],
)
async def test_on_behalf_of_refuses_a_wrong_assertion(
    admin: httpx.AsyncClient, wish: dict[str, Any], code: int
) -> None:
    form = {"client_id": CLIENT, "client_secret": "simulator-secret", **OBO}
    answer = await ask(admin, **form, assertion=await mint(admin, **wish))
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (
        400,
        "invalid_grant",
        [code],
    )


async def test_on_behalf_of_gives_what_was_agreed_to_only(
    admin: httpx.AsyncClient, simulator: GraphSimulator
) -> None:
    oid = next(box.oid for box in simulator.state.all_mailboxes() if box.address == ADDRESS)
    form = {"client_id": CLIENT, "client_secret": "simulator-secret", **OBO}
    form["assertion"] = await mint(admin, oid=oid, upn=ADDRESS)

    async def refused(**more: str) -> dict[str, Any]:
        answer = await ask(admin, **(form | more))
        assert answer.status_code == 400
        found: dict[str, Any] = answer.json()
        return found

    assert (await refused(scope="https://vault.azure.net/.default"))["error"] == "invalid_scope"
    assert (await refused(scope="https://graph.microsoft.com/Files.Read"))["suberror"] == "consent_required"
    simulator.settings.consent_missing = [oid]
    assert (await refused())["error_codes"] == [65001]
    simulator.settings.consent_missing = []
    simulator.settings.interaction_required = [oid]
    challenge = await refused()
    assert challenge["error"] == "interaction_required"
    assert "capolids" in challenge["claims"]
    form["assertion"] = await mint(admin, oid=oid, upn=ADDRESS, overrides={"amr": ["mfa"]})
    token = (await ask(admin, **(form | {"scope": "https://graph.microsoft.com/.default"}))).json()
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert set(claims["scp"].split()) == set(simulator.settings.delegated_scopes)


async def test_federated_credential_of_the_managed_identity_is_a_client_assertion(
    admin: httpx.AsyncClient,
) -> None:
    query = "api-version=2019-08-01&resource=api://AzureADTokenExchange"
    answer = await admin.get(f"/msi/token?{query}", headers={"X-IDENTITY-HEADER": "local"})
    form = {
        "client_id": CLIENT,
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert (await ask(admin, **form, client_assertion=answer.json()["access_token"])).status_code == 200
    refused = await ask(admin, **form, client_assertion=await mint(admin))
    assert refused.json()["error_codes"] == [700027]


@pytest.mark.parametrize("case", ["missing", "foreign", "expired", "our_api", "powerless"])
async def test_graph_refuses_other_tokens(
    simulator: GraphSimulator, admin: httpx.AsyncClient, case: str
) -> None:
    keys, claims = simulator.identity.keys, {"aud": "https://graph.microsoft.com", "exp": time.time() + 60}
    token = {
        "missing": "",
        "foreign": keys.sign(claims, kid="unknown"),
        "expired": keys.sign({**claims, "exp": 1}),
        "our_api": await mint(admin),
        "powerless": keys.sign({**claims, "roles": ["Mail.Send"]}),
    }[case]
    async with open_graph(simulator, FixedCredential(token)) as graph:
        with pytest.raises(ODataError) as caught:
            await graph.request("GET", f"/users/{ADDRESS}/calendar")
    assert caught.value.error is not None
    expected = (403, "ErrorAccessDenied") if case == "powerless" else (401, "InvalidAuthenticationToken")
    assert (caught.value.response_status_code, caught.value.error.code) == expected


async def test_request_ids_come_back(simulator: GraphSimulator, admin: httpx.AsyncClient) -> None:
    headers = {
        "Authorization": f"Bearer {simulator.identity.graph_token()}",
        "client-request-id": "mine",
    }
    good = await admin.get(f"/v1.0/users/{ADDRESS}", headers=headers)
    bad = await admin.get("/v1.0//users/nobody", headers=headers)
    assert good.headers["client-request-id"] == bad.headers["client-request-id"] == "mine"
    inner = bad.json()["error"]["innerError"]
    assert (inner["request-id"], inner["client-request-id"]) == (bad.headers["request-id"], "mine")
