"""Paths that belong to the host: no function answers them, whatever its route matches.

Source: Azure/azure-functions-host, `ReservedRouteGuardMiddleware` (pull request 11888, July 2026; Flex
Consumption) and `WebScriptHostHttpRoutesManager` with `EnvironmentExtensions`, read 29 November 2026.
"""

import os
from collections.abc import Mapping

_RESERVED = frozenset({"admin", "runtime"})
#: Values of `WEBSITE_SKU` for the plans that have no `/admin/warmup`.
_CONSUMPTION = frozenset({"dynamic", "flexconsumption"})


def is_reserved(path: str) -> bool:
    """True if the first segment of the path is `admin` or `runtime`, whatever its case."""
    return path.lstrip("/").partition("/")[0].lower() in _RESERVED


def has_warmup(environment: Mapping[str, str] = os.environ) -> bool:
    """True if the plan has `/admin/warmup`: all but Consumption and Flex Consumption, and `func start`."""
    return environment.get("WEBSITE_SKU", "").lower() not in _CONSUMPTION
