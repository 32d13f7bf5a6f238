"""``./dev token``: an access token of the running system's Entra."""

import argparse
from collections.abc import Sequence

import httpx

from infra.local import identities
from infra.local.errors import LocalError
from infra.local.stack import token_request


def run(arguments: Sequence[str]) -> int:
    """Print a token for our API; raises :class:`LocalError` when no system runs on that port."""
    parser = argparse.ArgumentParser(prog="./dev token", allow_abbrev=False)
    parser.add_argument(
        "--user", default=identities.ADMIN_ADDRESS, help=f"address ({identities.ADMIN_ADDRESS})"
    )
    parser.add_argument(
        "--role", action="append", choices=["User", "Admin", "Auditor"], help="may be repeated"
    )
    parser.add_argument("--port", type=int, default=7071, help="port of the Functions host (7071)")
    given = parser.parse_args(arguments)
    url = f"http://127.0.0.1:{given.port + 1}/_simulator/tokens"
    try:
        answer = httpx.post(url, json=token_request(given.user, given.role or ["User"]), trust_env=False)
        print(answer.raise_for_status().json()["token"])
    except httpx.HTTPError as error:
        raise LocalError(
            f"no system answers on port {given.port} ({error}); start it with ./dev run"
        ) from error
    return 0
