"""A person signs in with a browser, as on the page that shows the API."""

import hashlib
import re
from base64 import urlsafe_b64encode
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from tests.integration.graph_simulator.conftest import ADDRESS

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "33333333-3333-4333-8333-333333333333"
BACK = "http://127.0.0.1:7071/api/docs/oauth2-redirect.html"
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
AUTHORIZE, TOKEN = f"/{TENANT}/oauth2/v2.0/authorize", f"/{TENANT}/oauth2/v2.0/token"
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": BACK,
    "scope": f"openid api://{CLIENT}/access_as_user",
    "state": "s-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


async def code_for(admin: httpx.AsyncClient, role: str = "Admin") -> str:
    page = await admin.get(AUTHORIZE, params=ASKED)
    assert page.headers["content-type"].startswith("text/html")
    assert ADDRESS in page.text
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', page.text)]
    (chosen,) = [link for link in links if f"role={role}" in link]
    back = await admin.get(chosen)
    assert back.status_code == 302
    location = urlsplit(back.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == BACK
    answer = parse_qs(location.query)
    assert answer["state"] == ["s-1"]
    return answer["code"][0]


def form(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }


async def test_the_chosen_person_gets_a_token_of_the_api(admin: httpx.AsyncClient) -> None:
    headers = {"Origin": "http://127.0.0.1:7071"}
    answer = await admin.post(TOKEN, data=form(await code_for(admin)), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == headers["Origin"]
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["aud"], claims["ver"], claims["scp"]) == (CLIENT, "2.0", "access_as_user")
    assert (claims["roles"], claims["preferred_username"]) == (["Admin"], ADDRESS)


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "another"},
        {"code_verifier": "w" * 64},
        {"code_verifier": ""},
        {"client_id": TENANT},
        {"redirect_uri": "http://127.0.0.1:1/"},
    ],
)
async def test_a_code_is_good_for_who_asked_for_it_alone(
    admin: httpx.AsyncClient, changes: dict[str, str]
) -> None:
    answer = await admin.post(TOKEN, data=form(await code_for(admin)) | changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_good_once(admin: httpx.AsyncClient) -> None:
    code = await code_for(admin)
    assert (await admin.post(TOKEN, data=form(code))).status_code == 200
    assert (await admin.post(TOKEN, data=form(code))).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"role": "Root"},
        {"scope": "openid"},
    ],
)
async def test_what_entra_would_not_serve_is_refused(
    admin: httpx.AsyncClient, changes: dict[str, str]
) -> None:
    answer = await admin.get(AUTHORIZE, params=ASKED | changes | {"login_hint": ADDRESS})
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_page_may_ask_before_it_sends(admin: httpx.AsyncClient) -> None:
    headers = {"Origin": "http://127.0.0.1:7071", "Access-Control-Request-Method": "POST"}
    answer = await admin.options(TOKEN, headers=headers)
    assert answer.status_code == 204
    assert "x-requested-with" in answer.headers["access-control-allow-headers"]
