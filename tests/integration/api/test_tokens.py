"""Who has access: every wrong token is a 401, distinguished only by its detail (design.md, Who may)."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from tests.integration.api.caller import AUDIENCE, TENANT, Caller, problem

OTHER_TENANT = "33333333-3333-4333-8333-333333333333"
WRONG: dict[str, dict[str, Any]] = {
    "expired": {"lifetime_seconds": -3600},
    "not valid yet": {"overrides": {"nbf": 9_999_999_999}},
    "never expires": {"overrides": {"exp": None}},
    "wrong audience": {"audience": "api://another"},
    "wrong issuer": {"overrides": {"iss": "https://login.example/x/v2.0"}},
    "wrong tenant": {"tenant": OTHER_TENANT},
    "tenant of the claim differs": {"overrides": {"tid": OTHER_TENANT}},
    "alg none": {"alg": "none"},
    "HS256 with the public key": {"alg": "HS256"},
    "RS384": {"alg": "RS384"},
    "PS256": {"alg": "PS256"},
    "unknown key": {"kid": "nobody-published-this"},
    "another scope": {"scp": "read_mail"},
    "ID token with roles": {
        "roles": ["Admin"],
        "overrides": {"scp": None, "azp": None, "nonce": "n", "preferred_username": "ada@example.com"},
    },
    "neither a person's nor an app's": {"overrides": {"scp": None}},
    "app token without role": {"app_only": True, "roles": []},
    "app token of another kind": {"app_only": True, "roles": ["Admin"], "overrides": {"idtyp": "user"}},
    "app token with a person's name": {"app_only": True, "roles": ["Admin"], "overrides": {"name": "Ada"}},
    "app token without client": {"app_only": True, "roles": ["Admin"], "overrides": {"azp": None}},
    "version 1 claims with version 2 issuer": {"overrides": {"ver": "1.0"}},
    "object id malformed": {"overrides": {"oid": "ada"}},
    "roles malformed": {"overrides": {"roles": "Admin"}},
}


async def test_without_a_token_the_answer_asks_for_one(stranger: Caller) -> None:
    response = await stranger("GET", "v1/users")
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == 'Bearer realm="admin-assistant"'


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_token_is_refused(stranger: Caller, name: str) -> None:
    token = stranger.simulator.identity.mint({"audience": AUDIENCE, "roles": ["Admin"], **WRONG[name]})
    response = await stranger("GET", "v1/users", token=token)
    problem(response, 401, "invalid_token")
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer ", "Basic abc", "Bearer a.b", "Bearer x.y.z", "Bearer " + "a" * 20_000),
        # JSON that is no object, and such as no reader may be brought down by.
        "Bearer bnVsbA.bnVsbA.x",
        "Bearer " + urlsafe_b64encode(b"[" * 6000).decode() + ".e30.x",
    ],
)
async def test_a_malformed_authorization_header_is_refused(stranger: Caller, header: str) -> None:
    response = await stranger("GET", "v1/users", headers={"authorization": header})
    problem(response, 401)


async def test_a_tampered_token_is_refused(stranger: Caller) -> None:
    head, claims, signature = stranger.token("Admin").split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    problem(await stranger("GET", "v1/users", token=f"{head}.{claims}.{flipped}"), 401, "invalid_token")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_tokens_of_both_versions_tell_who_calls(stranger: Caller, version: str) -> None:
    oid = "6f1e5c0e-2222-4222-8222-222222222222"
    token = stranger.token("Admin", "Reader", oid=oid, version=version)
    caller = await stranger.app.people.tokens.validate(token)
    assert (caller.actor, caller.tenant_id, caller.app_only) == (f"user:{oid}", TENANT, False)
    assert {role.value for role in caller.roles} == {"Admin"}


async def test_a_person_without_a_role_is_a_user(stranger: Caller) -> None:
    caller = await stranger.app.people.tokens.validate(stranger.token())
    assert {role.value for role in caller.roles} == {"User"}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_an_application_with_a_role_has_access(stranger: Caller, version: str) -> None:
    token = stranger.token("Auditor", app_only=True, version=version)
    caller = await stranger.app.people.tokens.validate(token)
    assert caller.app_only
    assert caller.actor.startswith("app:")
    assert {role.value for role in caller.roles} == {"Auditor"}


async def test_the_client_id_and_its_uri_are_the_same_audience(stranger: Caller) -> None:
    token = stranger.token(audience=AUDIENCE.removeprefix("api://"), version="2.0")
    assert (await stranger.app.people.tokens.validate(token)).tenant_id == TENANT


async def test_the_role_decides_which_operations_may_be_called(stranger: Caller) -> None:
    response = await stranger("POST", "v1/users", {"address": "a@b.example"}, token=stranger.token("User"))
    problem(response, 403, "role_missing")
    response = await stranger(
        "POST", "v1/archive-configurations", {"any": 1}, token=stranger.token("Auditor")
    )
    problem(response, 403, "role_missing")


class TestSignInCookie:
    """App Service authentication in front of the app hands the token over in a header."""

    async def send(self, api: Caller, **headers: str) -> Any:
        sent = {"x-ms-token-aad-access-token": api.token("Admin")}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await api("POST", "v1/users", b"no json", headers=sent)

    async def test_reads_need_no_more_than_the_cookie(self, stranger: Caller) -> None:
        headers = {"x-ms-token-aad-access-token": stranger.token("Admin")}
        problem(await stranger("GET", "v1/users", headers=headers, limit="0"), 422)

    async def test_a_change_from_a_page_of_ours_is_let_through(self, stranger: Caller) -> None:
        sent = {"x_requested_by": "page"}
        for same in (
            {"sec_fetch_site": "same-origin"},
            {"origin": "https://assistant.example"},
            {"sec_fetch_site": "same-origin", "origin": "https://assistant.example"},
        ):
            problem(await self.send(stranger, **sent, **same), 400, "json_invalid")

    async def test_a_change_from_anywhere_else_is_refused(self, stranger: Caller) -> None:
        asked: dict[str, str]
        for asked in (
            {},
            {"x_requested_by": "page"},
            {"sec_fetch_site": "same-origin"},
            {"x_requested_by": "page", "sec_fetch_site": "cross-site"},
            {"x_requested_by": "page", "sec_fetch_site": "same-site"},
            {"x_requested_by": "page", "origin": "https://evil.example"},
            {"x_requested_by": "page", "origin": "null"},
            {"x_requested_by": "page", "sec_fetch_site": "same-origin", "origin": "https://evil.example"},
        ):
            problem(await self.send(stranger, **asked), 403, "cross_site_request")

    async def test_an_id_token_and_the_principal_header_are_not_trusted(self, stranger: Caller) -> None:
        id_token = stranger.token("Admin", overrides={"scp": None, "azp": None, "nonce": "n"})
        headers = {
            "x-ms-token-aad-access-token": id_token,
            "x-ms-client-principal": "eyJyb2xlcyI6WyJBZG1pbiJdfQ==",
        }
        problem(await stranger("GET", "v1/users", headers=headers), 401, "invalid_token")
        del headers["x-ms-token-aad-access-token"]
        problem(await stranger("GET", "v1/users", headers=headers), 401, "unauthenticated")
