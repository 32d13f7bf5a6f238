"""Which routes the functions of an app get, in the order and with the refusals of the real host.

Source: Azure/azure-functions-host. `FunctionMetadataManager.LoadFunctionMetadata` sorts functions by name
with `StringComparer.OrdinalIgnoreCase`. `ScriptHost.ValidateFunction` and `ValidateHttpFunction` refuse
functions one by one in that order. `WebScriptHostHttpRoutesManager` adds the routes of the others in that
order, those of disabled functions too. Issues 3153, 6062 and 9876 confirm what follows from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.functions import Function
from infra.local.functions_host.routing import Router, Template

_RESERVED = ("admin", "runtime")


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of an app."""

    router: Router[Function] = field(default_factory=Router)
    paths: dict[str, str] = field(default_factory=dict)
    """Path templates by function name, with the prefix and without a leading slash."""
    errors: dict[str, str] = field(default_factory=dict)
    """Why functions get no route, by function name."""


def name_order(name: str) -> str:
    """The key that sorts function names as the host does: by code point, in upper case.

    The case matters: an underscore comes after the upper-case letters and before the lower-case ones.
    """
    return name.upper()


def map_routes(functions: Sequence[Function], prefix: str) -> Routes:
    """Gives each HTTP function its route below `prefix`, or the error with which the real host refuses it.

    Functions with an error of their own, and those of other triggers, are passed over. Raises StartupError
    for a route that is no template: the real host does not start with one.
    """
    routes = Routes()
    accepted: dict[str, list[Function]] = {}
    for function in sorted(functions, key=lambda each: name_order(each.name)):
        if function.error or not function.is_http:
            continue
        route = _compared(function)
        if reason := _refusal(function, route, accepted.get(route, ())):
            routes.errors[function.name] = reason
            continue
        template = _template(function, prefix)
        accepted.setdefault(route, []).append(function)
        routes.paths[function.name] = template.text
        routes.router.add(template, function.methods, function)
    return routes


def _refusal(function: Function, route: str, others: Sequence[Function]) -> str:
    """The host's reason if it refuses this function alone, else nothing; ``others`` have the same route."""
    # The host compares the start of the text, whatever the prefix: "administration" is refused, too.
    if route.startswith(_RESERVED):
        return "The specified route conflicts with one or more built in routes."
    for other in others:
        if _share_a_method(function, other):
            return f"The route specified conflicts with the route defined by function '{other.name}'."
    return ""


def _template(function: Function, prefix: str) -> Template:
    """The full template of a function.

    A route that begins with a slash is joined to the prefix with another slash, which makes the template
    invalid. That is the error of static-web-apps issue 1654 (May 2025). It stops the start of the host.
    """
    route = _declared(function)
    text = f"{prefix}/{route}" if prefix else route.removeprefix("/")
    try:
        if prefix and route.startswith("/"):
            raise ValueError("The route template separator character '/' cannot appear consecutively.")
        return Template.parse(text)
    except ValueError as error:
        raise StartupError(
            f"An error occurred while creating the route with name '{function.name}'"
            f" and template '{text}'. {error}"
        ) from None


def _declared(function: Function) -> str:
    """The route below the prefix; without one it is the function's name."""
    route = str(function.trigger.properties.get("route") or "")
    return route if route.strip() else function.name


def _compared(function: Function) -> str:
    """The route as the host compares it: as text, without case."""
    return _declared(function).strip("/").lower()


def _share_a_method(function: Function, other: Function) -> bool:
    return not function.methods or not other.methods or not set(function.methods).isdisjoint(other.methods)
