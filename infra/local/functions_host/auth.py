"""Keys of the host: created once per state folder, required only when the host enforces them.

Source: Functions docs, "Work with access keys in Azure Functions".
- A function accepts its host's function keys and the master key.
- The admin level and the admin API accept only the master key.
- An extension's webhooks accept its system key and the master key.
- The key comes as header `x-functions-key` or query parameter `code`.
"""

import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.functions_host.errors import StartupError

DURABLE_SYSTEM_KEY = "durabletask_extension"


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The keys of one host; with `enforced` False every request is let through, as `func start` does."""

    master: str
    function_keys: Sequence[str]
    system: Mapping[str, str]
    enforced: bool

    def allows_function(self, auth_level: str, presented: str) -> bool:
        """True if a function of this level (anonymous, function, admin) may be called with this key."""
        if not self.enforced or auth_level == "anonymous":
            return True
        return self._is_one_of(presented, () if auth_level == "admin" else self.function_keys)

    def allows_admin(self, presented: str) -> bool:
        """True if the admin API may be called with this key."""
        return not self.enforced or self._is_one_of(presented, ())

    def allows_webhook(self, presented: str) -> bool:
        """True if the Durable management API may be called with this key."""
        return not self.enforced or self._is_one_of(presented, [self.system[DURABLE_SYSTEM_KEY]])

    def _is_one_of(self, presented: str, keys: Sequence[str]) -> bool:
        given = presented.encode()
        # Every key is compared, so that the time taken does not tell which one came close.
        matches = [hmac.compare_digest(given, key.encode()) for key in (self.master, *keys)]
        return any(matches)


def load_keys(state: Path, *, enforced: bool) -> HostKeys:
    """Reads `secrets/host.json` of the state folder; makes it, readable by its owner only, if it is missing.

    Raises StartupError if it holds no keys.
    """
    path = state / "secrets" / "host.json"
    try:
        if not path.exists():
            _write(path)
        path.chmod(0o600)
        document = json.loads(path.read_text())
        return HostKeys(
            master=document["masterKey"]["value"],
            function_keys=[key["value"] for key in document["functionKeys"]],
            system={key["name"]: key["value"] for key in document["systemKeys"]},
            enforced=enforced,
        )
    except OSError as error:
        raise StartupError(f"the host's keys cannot be kept: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise StartupError(
            f"{path} does not hold the host's keys ({error!r}); delete it to make new ones"
        ) from None


def _write(path: Path) -> None:
    def key(name: str) -> dict[str, Any]:
        return {"name": name, "value": secrets.token_urlsafe(40), "encrypted": False}

    document = {
        "masterKey": key("master"),
        "functionKeys": [key("default")],
        "systemKeys": [key(DURABLE_SYSTEM_KEY)],
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, indent=2)
    temporary.replace(path)
