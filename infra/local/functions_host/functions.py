"""The functions of an app as the host sees them: a trigger, other bindings, a retry policy."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.local.functions_host.protos import RpcFunctionMetadata, RpcRetryOptions

HTTP_TRIGGER = "httptrigger"
TIMER_TRIGGER = "timertrigger"
WARMUP_TRIGGER = "warmuptrigger"
ORCHESTRATION_TRIGGER = "orchestrationtrigger"
ACTIVITY_TRIGGER = "activitytrigger"
ENTITY_TRIGGER = "entitytrigger"
DURABLE_TRIGGERS: Mapping[str, str] = {
    ORCHESTRATION_TRIGGER: "orchestration",
    ACTIVITY_TRIGGER: "activity",
    ENTITY_TRIGGER: "entityName",
}
CLIENT_BINDINGS = frozenset({"durableclient", "orchestrationclient"})
_DISABLED = re.compile(r"azurewebjobs(?:\.(.+)\.|__(.+)__)disabled", re.IGNORECASE)
_TRUE = frozenset({"true", "1"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,127}")


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding; `kind` is its type in lower case, `properties` everything that was declared."""

    name: str
    kind: str
    direction: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the worker has indexed."""

    name: str
    function_id: str
    trigger: Binding
    bindings: Sequence[Binding]
    retry: RpcRetryOptions | None = None
    disabled: bool = False
    error: str = ""
    """Why the function cannot be served; empty when it can."""
    client_parameters: Sequence[str] = field(default=())
    """Names of the parameters that receive a durable client."""

    @property
    def is_http(self) -> bool:
        """True if HTTP requests trigger it."""
        return self.trigger.kind == HTTP_TRIGGER

    @property
    def durable_name(self) -> str:
        """The name that orchestrations call it by; its own name unless the trigger gives another."""
        return str(self.trigger.properties.get(DURABLE_TRIGGERS[self.trigger.kind]) or self.name)

    @property
    def methods(self) -> Collection[str]:
        """HTTP methods in upper case; empty means every method."""
        return [str(method).upper() for method in self.trigger.properties.get("methods") or ()]

    @property
    def auth_level(self) -> str:
        """anonymous, function or admin (the default of the binding is function)."""
        return str(self.trigger.properties.get("authLevel") or "function").lower()


def from_metadata(metadata: RpcFunctionMetadata, disabled: Collection[str]) -> Function | None:
    """The function that the worker indexed as `metadata`; None if it has no trigger at all.

    `disabled` are the names in lower case of what the settings switch off.
    """
    bindings = [_binding(json.loads(raw)) for raw in metadata.raw_bindings]
    trigger = next((binding for binding in bindings if binding.kind.endswith("trigger")), None)
    if trigger is None:
        return None
    return Function(
        name=metadata.name,
        function_id=metadata.function_id,
        trigger=trigger,
        bindings=bindings,
        retry=metadata.retry_options,
        disabled=metadata.name.lower() in disabled,
        error=_fault(metadata.name, trigger, bindings),
        client_parameters=tuple(b.name for b in bindings if b.kind in CLIENT_BINDINGS),
    )


def undelivered_outputs(function: Function) -> Sequence[Binding]:
    """Output bindings whose service this host does not reach (queues, blobs, tables and the like)."""
    return [b for b in function.bindings if b.direction == "OUT" and b.kind != "http"]


def _binding(declared: Mapping[str, Any]) -> Binding:
    return Binding(
        name=str(declared["name"]),
        kind=str(declared["type"]).lower(),
        direction=str(declared.get("direction", "IN")).upper(),
        properties=declared,
    )


def _fault(name: str, trigger: Binding, bindings: Sequence[Binding]) -> str:
    if not _NAME.fullmatch(name):
        return f"'{name}' is not a valid function name."
    for binding in bindings:
        known = binding is trigger or binding.direction == "OUT" or binding.kind in CLIENT_BINDINGS
        if not known:
            return f"The input binding '{binding.properties['type']}' is not available in this host."
    return ""


def disabled_names(settings: Mapping[str, str]) -> frozenset[str]:
    """By app setting `AzureWebJobs.NAME.Disabled`, or with `__` (Functions docs, "Disable functions")."""
    # Settings are compared without case, as configuration is in the real host.
    found = (_DISABLED.fullmatch(key) for key, value in settings.items() if value.strip().lower() in _TRUE)
    return frozenset((match[1] or match[2]).lower() for match in found if match)
