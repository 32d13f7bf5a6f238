"""A system that runs on this machine, found by its state folder or its port, and tokens of its Entra."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from infra.local import identities
from infra.local.errors import LocalError
from infra.local.kept_state import write_private

#: Below the state folder, as long as the system runs.
_ADDRESS = "address.json"
_SHOWN = 12


def announce(state: Path, *, simulator_port: int) -> None:
    """Write down where the system of a state folder can be found."""
    write_private(state / _ADDRESS, json.dumps({"simulator_port": simulator_port}))


def withdraw(state: Path) -> None:
    """Take that back."""
    (state / _ADDRESS).unlink(missing_ok=True)


def simulator_port(state: Path) -> int:
    """Port of the simulator of the system on a state folder. Raises :class:`LocalError` where none runs."""
    try:
        return int(json.loads((state / _ADDRESS).read_text())["simulator_port"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LocalError(f"no system runs on {state}; start it with ./dev run") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(f"{state / _ADDRESS} is damaged; start the system again") from error


def token(port: int, address: str, roles: Sequence[str]) -> str:
    """An access token for our API of a person of the system whose simulator listens on a port.

    Raises :class:`LocalError` when nobody there has that address, or nothing answers.
    """
    url = f"http://127.0.0.1:{port}/_simulator"
    try:
        with httpx.Client(trust_env=False, timeout=10) as client:
            people = client.get(f"{url}/mailboxes").raise_for_status().json()["value"]
            wish = token_request(address, roles)
            wish["oid"] = _object_id(people, address)
            return str(client.post(f"{url}/tokens", json=wish).raise_for_status().json()["token"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise LocalError(
            f"no simulator answers on port {port} ({error}); start the system with ./dev run"
        ) from error


def token_request(
    address: str, roles: Sequence[str], scope: str = "access_as_user", app_only: bool = False
) -> dict[str, Any]:
    """Body of the simulator's token route for a person of the local tenant (or for an app of that name)."""
    who: dict[str, Any] = {"oid": identities.object_id(address), "roles": list(roles)}
    if not app_only:
        who |= {"upn": address, "name": address.partition("@")[0], "scp": scope}
    return {"tenant": identities.TENANT_ID, "audience": identities.API_AUDIENCE, "app_only": app_only, **who}


def _object_id(people: Sequence[dict[str, Any]], address: str) -> str:
    by_address = {person["address"].casefold(): person["oid"] for person in people}
    # The Admin of the local tenant signs in without a mailbox.
    known = {identities.ADMIN_ADDRESS: identities.object_id(identities.ADMIN_ADDRESS)} | by_address
    if address.casefold() not in known:
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise LocalError(
            f"the running system knows nobody with the address {address};"
            f" it knows {', '.join(list(known)[:_SHOWN])}{more}"
        )
    return str(known[address.casefold()])
