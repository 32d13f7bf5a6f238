"""Our own rules for the infrastructure: what neither the compiler nor the published types know."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tree_sitter

from infra.local.azure.bicep import (
    BicepFile,
    Finding,
    body,
    every,
    first_string,
    literal,
    name_of,
    properties,
    text,
    value_at,
)
from infra.local.azure.resource_types import followed, known

#: Connections that the server keeps to itself, a migration, and a person who looks
#: (https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-limits: 15 are reserved).
RESERVED_CONNECTIONS = 20
_SECRET = re.compile(
    r"listKeys|listSecrets|listAccountSas|password|secret\b|primaryKey|sharedKey", re.IGNORECASE
)
_SETTING = re.compile(r"name: '(\w+)'")
_PRIVATE_TYPES = (
    "microsoft.storage/storageaccounts",
    "microsoft.keyvault/vaults",
    "microsoft.durabletask/schedulers",
    "microsoft.dbforpostgresql/flexibleservers",
)
_CALLED_WITHOUT_TOKEN = (
    *("/api/health/live", "/api/health/ready", "/api/v1/webhooks/graph", "/runtime/webhooks/durabletask"),
)
#: By type: path of a property, and what must be written there.
_MUST_BE: Mapping[str, Mapping[tuple[str, ...], tuple[str, ...]]] = {
    "microsoft.storage/storageaccounts": {
        ("properties", "minimumTlsVersion"): ("'TLS1_2'", "'TLS1_3'"),
        ("properties", "supportsHttpsTrafficOnly"): ("true",),
        ("properties", "allowSharedKeyAccess"): ("false",),
        ("properties", "allowBlobPublicAccess"): ("false",),
    },
    "microsoft.web/sites": {
        ("properties", "httpsOnly"): ("true",),
        ("properties", "siteConfig", "minTlsVersion"): ("'1.2'", "'1.3'"),
        ("properties", "siteConfig", "ftpsState"): ("'Disabled'",),
        ("identity", "type"): ("'UserAssigned'",),
        ("kind",): ("'functionapp,linux'",),
    },
    "microsoft.web/sites/basicpublishingcredentialspolicies": {("properties", "allow"): ("false",)},
    "microsoft.dbforpostgresql/flexibleservers": {
        ("properties", "authConfig", "passwordAuth"): ("'Disabled'",),
        ("properties", "authConfig", "activeDirectoryAuth"): ("'Enabled'",),
    },
    "microsoft.keyvault/vaults": {
        ("properties", "enableRbacAuthorization"): ("true",),
        ("properties", "enablePurgeProtection"): ("true",),
    },
    "microsoft.insights/components": {("properties", "DisableLocalAuth"): ("true",)},
    "microsoft.operationalinsights/workspaces": {
        ("properties", "features", "disableLocalAuth"): ("true",),
    },
}


def of_file(file: BicepFile) -> Iterator[Finding]:
    """Rules that one file can break: secrets, tags, TLS, keys, identities, private access."""
    for output in file.declared("output"):
        if _SECRET.search(text(output)):
            yield file.at(output, f"the output {name_of(output)} may carry a secret")
    for resource in file.declared("resource"):
        written = body(resource)
        if written is None or any(text(child) == "existing" for child in resource.children):
            continue
        name = first_string(resource).lower()
        kind = name.partition("@")[0]
        if _takes_tags(name) and value_at(written, "tags") is None:
            yield file.at(resource, f"{name_of(resource)} has no tags")
        for path, allowed in _MUST_BE.get(kind, {}).items():
            value = value_at(written, *path)
            if value is None or text(value) not in allowed:
                yield file.at(
                    resource, f"{name_of(resource)}: {'.'.join(path)} must be {' or '.join(allowed)}"
                )
        if kind == "microsoft.web/sites/config":
            yield from _left_open(file, resource, written)
        if kind in _PRIVATE_TYPES:
            yield from _private(file, resource, written)
        for forbidden in ("FUNCTIONS_WORKER_RUNTIME", "linuxFxVersion"):
            if kind == "microsoft.web/sites" and forbidden in text(file.root):
                yield file.at(resource, f"Flex Consumption takes no {forbidden}")


def _left_open(file: BicepFile, resource: tree_sitter.Node, written: tree_sitter.Node) -> Iterator[Finding]:
    """App Service authentication leaves out what Graph and Azure call without a token of ours."""
    paths = value_at(written, "properties", "globalValidation", "excludedPaths")
    left_out = {literal(each) for each in paths.named_children} if paths is not None else set()
    for path in _CALLED_WITHOUT_TOKEN:
        if path not in left_out:
            yield file.at(resource, f"{name_of(resource)}: excludedPaths lacks {path}")


def _takes_tags(name: str) -> bool:
    shape = known().get(name)
    # The type files do not know these two; both are tracked resources.
    if shape is None:
        return name.startswith("microsoft.insights/workbooks@")
    return "tags" in followed(*shape).get("properties", {})


def _private(file: BicepFile, resource: tree_sitter.Node, written: tree_sitter.Node) -> Iterator[Finding]:
    found = [value for key, _, value in _all_properties(written) if key == "publicNetworkAccess"]
    if not found or any(text(value) != "publicAccess ? 'Enabled' : 'Disabled'" for value in found):
        yield file.at(resource, f"{name_of(resource)} stays public where a private network is chosen")


def _all_properties(node: tree_sitter.Node) -> Iterator[tuple[str, tree_sitter.Node, tree_sitter.Node]]:
    for each in every(node, "object"):
        yield from properties(each)


def private_modules(main: BicepFile) -> Iterator[Finding]:
    """A module that may be public is public only where no private network is chosen."""
    for module in main.declared("module"):
        given = value_at(body(module), "params", "publicAccess")
        if given is not None and text(given) != "!profile.privateNetwork":
            yield main.at(module, f"{name_of(module)}: publicAccess must be !profile.privateNetwork")


def profiles(path: Path) -> Iterator[Finding]:
    """Connections against instances, and zone redundancy against always-ready instances, in every profile."""
    loaded: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    shapes = {frozenset(profile) for size in loaded.values() for profile in size.values()}
    if len(shapes) != 1:
        yield Finding(path, 1, "the profiles do not have the same properties")
        return
    for size, environments in loaded.items():
        for environment, profile in environments.items():
            where = f"{size}/{environment}"
            pool = profile["poolSize"] + profile["poolOverflow"]
            needed = profile["maximumInstances"] * pool + RESERVED_CONNECTIONS
            if needed > profile["maxConnections"]:
                yield Finding(
                    path,
                    1,
                    f"{where}: {needed} connections may be wanted, {profile['maxConnections']} are there",
                )
            if size == "firm" and not profile["privateNetwork"]:
                yield Finding(path, 1, f"{where}: a firm has a private network")
            for group in ("alwaysReadyHttp", "alwaysReadyDurable"):
                if profile["zoneRedundant"] and 0 < profile[group] < 2:
                    yield Finding(path, 1, f"{where}: {group} is billed as two in a zone redundant plan")
            if profile["zoneRedundant"] and "ZRS" not in profile["storageSku"]:
                yield Finding(path, 1, f"{where}: a zone redundant plan needs zone redundant storage")


def settings(app: BicepFile, sample: Path, defaulted: Path) -> Iterator[Finding]:
    """Every setting of the sample is set by the infrastructure or listed with the reason why not."""
    names = set(json.loads(sample.read_text(encoding="utf-8"))["Values"])
    left = set(json.loads(defaulted.read_text(encoding="utf-8")))
    set_here = set(_SETTING.findall(text(app.root)))
    for name in sorted(names - set_here - left):
        yield Finding(app.path, 1, f"the setting {name} is neither set nor listed in {defaulted.name}")
    for name in sorted(left & set_here):
        yield Finding(defaulted, 1, f"{name} is set, so it is not defaulted")
    for name in sorted(left - names):
        yield Finding(defaulted, 1, f"{sample.name} has no {name}")
    ours = {name for name in set_here if name.startswith("ADMIN_ASSISTANT_")}
    for name in sorted(ours - names):
        yield Finding(app.path, 1, f"{sample.name} does not know the setting {name}")


def alert_names(alerts: BicepFile) -> list[str]:
    """The names of all alerts, in their order, with that of the budget, which has a module of its own."""
    names = [
        value
        for variable in alerts.declared("variable")
        if name_of(variable).endswith("Alerts")
        for entry in every(variable, "object")
        if (node := value_at(entry, "name")) is not None and (value := literal(node)) is not None
    ]
    return [*names, "budget"]


def runbook(alerts: BicepFile, page: Path) -> Iterator[Finding]:
    """Every alert has its section with meaning, check and action; no section is of an alert that is gone."""
    found = page.read_text(encoding="utf-8") if page.is_file() else ""
    sections = dict(re.findall(r"^### ([a-z0-9-]+)\n(.*?)(?=^#|\Z)", found, re.MULTILINE | re.DOTALL))
    names = alert_names(alerts)
    for name in names:
        said = sections.get(name)
        if said is None:
            yield Finding(page, 1, f"the alert {name} has no section")
        elif not all(f"**{word}.**" in said for word in ("Meaning", "Check", "Action")):
            yield Finding(page, 1, f"the section of {name} lacks Meaning, Check or Action")
    for name in sorted(set(sections) - set(names)):
        yield Finding(page, 1, f"the section {name} is of no alert")


def parameters(main: BicepFile, path: Path) -> Iterator[Finding]:
    """A parameter file gives what the template asks for, and nothing else."""
    written = path.read_text(encoding="utf-8")
    given = re.findall(r"^param (\w+) =", written, re.MULTILINE)
    asked = {name_of(node): text(node) for node in main.declared("parameter")}
    target = re.search(r"^using '([^']+)'", written, re.MULTILINE)
    if target is None or (path.parent / target.group(1)).resolve() != main.path.resolve():
        yield Finding(path, 1, "it is not for main.bicep")
    for name in given:
        if name not in asked:
            yield Finding(path, 1, f"main.bicep has no parameter {name}")
    for name, declaration in asked.items():
        if "=" not in declaration and name not in given:
            yield Finding(path, 1, f"the parameter {name} is not given")
