"""Reads `host.json` and `local.settings.json` of an app folder, as `func start` does.

Sources: Functions docs "host.json reference for Azure Functions 2.x and later" and "Code and test Azure
Functions locally", section "Local settings file".
"""

import json
import os
import re
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.functions_host.errors import StartupError

DEFAULT_PORT = 7071
_OVERRIDE_PREFIX = "azurefunctionsjobhost__"
_COMMENT = re.compile(r'"(?:\\.|[^"\\])*+"?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'"(?:\\.|[^"\\])*+"?|,(?=\s*[}\]])')
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?")
_NOT_DONE = (
    "healthMonitor",
    "singleton",
    "watchDirectories",
    "watchFiles",
    "retry",
    "concurrency",
    "sendCanceledInvocationsToWorker",
)
_EXTENSIONS = frozenset({"http", "durableTask"})
_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`local.settings.json`: `values` become environment variables, the rest concerns the local host."""

    values: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    cors: str = ""
    cors_credentials: bool = False


@dataclass(frozen=True, slots=True)
class HostConfig:
    """`host.json` with its defaults; `raw` is the whole document."""

    raw: Mapping[str, Any]
    app: Path

    @property
    def route_prefix(self) -> str:
        """What every route starts with: `api` unless set, without slashes around it."""
        return str(self._extension("http").get("routePrefix", "api")).strip("/")

    @property
    def custom_headers(self) -> Mapping[str, str]:
        """Headers that every HTTP function's response carries."""
        return {str(k): str(v) for k, v in (self._extension("http").get("customHeaders") or {}).items()}

    @property
    def max_concurrent_requests(self) -> int:
        """How many HTTP functions run at a time; 0 is any number, the default outside of Consumption."""
        return max(0, int(self._extension("http").get("maxConcurrentRequests") or 0))

    @property
    def max_outstanding_requests(self) -> int:
        """How many HTTP requests run or wait before the next one is told 429; 0 is any number."""
        return max(0, int(self._extension("http").get("maxOutstandingRequests") or 0))

    @property
    def function_timeout(self) -> float | None:
        """Seconds that an invocation may take; None for `-1`, no limit. 30 minutes unless set.

        Raises StartupError if it is no time span.
        """
        text = str(self.raw.get("functionTimeout") or "00:30:00")
        if text == "-1":
            return None
        found = _TIME_SPAN.fullmatch(text)
        if found is None:
            raise StartupError(f"host.json: functionTimeout {text!r} is no time span like 00:10:00")
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    @property
    def passed_over(self) -> Sequence[str]:
        """Names of what `host.json` asks for and this host does not do."""
        asked = [name for name in _NOT_DONE if name in self.raw]
        extensions = self.raw.get("extensions") or {}
        return asked + [f"extensions.{name}" for name in extensions if name not in _EXTENSIONS]

    @property
    def log_levels(self) -> Mapping[str, str]:
        """Level names by log category (`logging.logLevel`)."""
        levels = (self.raw.get("logging") or {}).get("logLevel") or {}
        return {str(category): str(level) for category, level in levels.items()}

    @property
    def durable_options(self) -> Mapping[str, Any]:
        """The section `extensions.durableTask`."""
        return self._extension("durableTask")

    @property
    def hub_name(self) -> str:
        """Task hub: `extensions.durableTask.hubName` with settings resolved, else `TestHubName`.

        Raises StartupError if it names a setting that is not set.
        """
        declared = str(self.durable_options.get("hubName") or "TestHubName")
        try:
            return resolve_settings(declared)
        except KeyError as missing:
            raise StartupError(f"host.json: hubName names the setting {missing}, which is not set") from None

    def _extension(self, name: str) -> Mapping[str, Any]:
        extensions = self.raw.get("extensions") or {}
        return extensions.get(name) or {}


def load_host_config(app: Path, environment: Mapping[str, str] | None = None) -> HostConfig:
    """Reads `host.json` in `app` and applies `AzureFunctionsJobHost__a__b` variables over it.

    Raises StartupError if the file is missing or not valid.
    """
    path = app / "host.json"
    if not path.is_file():
        raise StartupError(f"{app} is not a Functions app: it has no host.json")
    document = _read_json(path)
    if str(document.get("version", "2.0")) != "2.0":
        raise StartupError(f'{path}: "version" must be "2.0", not {document["version"]!r}')
    for key, value in (os.environ if environment is None else environment).items():
        if key.lower().startswith(_OVERRIDE_PREFIX):
            _override(document, key[len(_OVERRIDE_PREFIX) :].split("__"), value)
    return HostConfig(document, app)


def load_local_settings(app: Path) -> LocalSettings:
    """Reads `local.settings.json` in `app`; a missing file has no settings.

    Raises StartupError if it is not valid or encrypted.
    """
    path = app / "local.settings.json"
    if not path.is_file():
        return LocalSettings()
    document = _read_json(path)
    if document.get("IsEncrypted"):
        raise StartupError(
            f"{path} is encrypted (IsEncrypted is true): run 'func settings decrypt' or write it plainly"
        )
    host = document.get("Host") or {}
    port = host.get("LocalHttpPort")
    if port is not None and not str(port).isdigit():
        raise StartupError(f"{path}: Host.LocalHttpPort must be a number, not {port!r}")
    values = document.get("Values") or {}
    return LocalSettings(
        values={str(name): _setting_text(path, name, value) for name, value in values.items()},
        port=None if port is None else int(port),
        cors=str(host.get("CORS") or ""),
        cors_credentials=bool(host.get("CORSCredentials")),
    )


def apply_settings(settings: LocalSettings, environment: MutableMapping[str, str]) -> None:
    """Puts the values into `environment`; what is set there already wins."""
    for name, value in settings.values.items():
        environment.setdefault(name, value)


def resolve_settings(text: str) -> str:
    """Replaces each `%NAME%` by that environment variable. Raises KeyError with the text that is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise KeyError(match[0])
        return found

    return _SETTING.sub(value, text)


def parse_json(text: str) -> Any:
    """JSON in which comments and trailing commas are allowed, as in host.json. Raises ValueError."""

    def keep_strings(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith('"') else " "

    return json.loads(_TRAILING_COMMA.sub(keep_strings, _COMMENT.sub(keep_strings, text)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = parse_json(path.read_text("utf-8-sig"))
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StartupError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise StartupError(f"{path} must hold a JSON object")
    return document


def _setting_text(path: Path, name: object, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise StartupError(f"{path}: the value of {name} must be a string; settings do not nest")


def _override(document: dict[str, Any], keys: list[str], text: str) -> None:
    """Sets one nested key; names compare without case, as configuration keys do in the real host."""
    target = document
    for depth, key in enumerate(keys):
        name = next((known for known in target if known.lower() == key.lower()), key)
        if depth == len(keys) - 1:
            target[name] = _scalar(text)
        elif not isinstance(target.get(name), dict):
            target[name] = {}
        target = target[name] if depth < len(keys) - 1 else target


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value
