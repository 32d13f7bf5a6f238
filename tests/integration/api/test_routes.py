"""No route of the app can be taken by another function, in whatever order the host tries them."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.functions_host.routes import name_order
from infra.local.functions_host.routing import Router, Template
from shared.triggers.http.registry import LAST, OPERATIONS, PREFIX, register
from tests.integration.api.caller import Caller, declared_functions, problem
from tests.integration.functions_host.running_host import ROOT, RunningHost, write_app

ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@dataclass(frozen=True)
class Routed:
    """An HTTP function as the host gets it."""

    name: str
    template: Template
    methods: frozenset[str]

    @property
    def path(self) -> str:
        """A path that it is meant for."""
        route = re.sub(r"\{\w+:guid\}", ID, self.template.text)
        return re.sub(r"\{file:[^}]*\}", "start.js", route).replace("{*path}", "no/such/path")


def functions() -> list[Routed]:
    found = []
    for function in declared_functions():
        trigger: Any = function.get_trigger()
        if trigger.type == "httpTrigger":
            methods = frozenset(method.value for method in trigger.methods)
            template = Template.parse(f"{PREFIX}/{trigger.route}")
            found.append(Routed(function.get_function_name(), template, methods))
    return found


FUNCTIONS = functions()


def can_both_match(one: Template, other: Template) -> bool:
    """True unless every path that one of the templates matches is refused by the other."""
    return _meet(one.segments, other.segments)


def _meet(one: Sequence[Any], other: Sequence[Any]) -> bool:
    if any(segments and segments[0].may_be_absent for segments in (one, other)):
        # Optional, defaulted or the rest of the path: what it takes is left open.
        return True
    if not one or not other:
        return not one and not other
    return _segments_meet(one[0], other[0]) and _meet(one[1:], other[1:])


def _segments_meet(one: Any, other: Any) -> bool:
    if one.literal is not None and other.literal is not None:
        return bool(one.literal == other.literal)
    if one.literal is None and other.literal is None:
        return True
    literal, segment = (one.literal, other) if one.literal is not None else (other.literal, one)
    return bool(segment.mixed) or bool(segment.parameters[0].accepts(literal))


def overlaps(routed: Sequence[Routed]) -> Iterator[tuple[str, str]]:
    for one, other in itertools.combinations(routed, 2):
        if one.methods & other.methods and can_both_match(one.template, other.template):
            yield one.name, other.name


def test_no_two_functions_match_the_same_path_and_method() -> None:
    assert not list(overlaps([each for each in FUNCTIONS if each.name != LAST]))
    assert len(FUNCTIONS) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("things/{id}", "things/new", True),
        ("things/{id:guid}", "things/new", False),
        ("things/{id:guid}", f"things/{ID}", True),
        ("things/{id:guid}", "things/{name:alpha}", True),
        ("docs", "docs/{*file}", True),
        ("docs", "docs/{file}", False),
        ("{kind}/{id:guid}/parts", "things/{id:guid}/{part}", True),
        ("things/{id?}", "things", True),
        ("{name}.{ext}", "openapi.json", True),
        ("Things", "things", True),
    ],
)
def test_what_two_templates_have_in_common_is_found(one: str, other: str, meet: bool) -> None:
    templates = Template.parse(one), Template.parse(other)

    assert can_both_match(*templates) is meet
    assert can_both_match(*reversed(templates)) is meet


@pytest.mark.parametrize("order", ["by name", "backwards", "as declared", "long routes first"])
def test_every_path_reaches_its_function_in_any_order(order: str) -> None:
    orders = {
        "by name": sorted(FUNCTIONS, key=lambda each: name_order(each.name)),
        "backwards": sorted(FUNCTIONS, key=lambda each: name_order(each.name), reverse=True),
        "as declared": FUNCTIONS,
        "long routes first": sorted(FUNCTIONS, key=lambda each: -len(each.template.text)),
    }
    router: Router[str] = Router()
    # Only the catch-all needs its place, which its name gives it.
    for each in sorted(orders[order], key=lambda each: each.name == LAST):
        router.add(each.template, each.methods, each.name)

    for each in FUNCTIONS:
        for method in each.methods:
            found = router.find(method, f"/{each.path}")
            assert found is not None
            assert found[0] == each.name, (method, each.path)


def test_the_catch_all_is_the_last_of_all_functions() -> None:
    names = [function.get_function_name() for function in declared_functions()]

    assert max(names, key=name_order) == LAST
    assert len({name_order(name) for name in names}) == len(names)
    assert len(names) > len(OPERATIONS), "Durable functions and timers are among them"


@pytest.mark.parametrize("name", ["z_zone", "Z_VISIT", "z_unserved_more", "z__"])
def test_an_operation_behind_the_catch_all_is_refused(name: str) -> None:
    operation = replace(OPERATIONS["get_me"], id=name, route="v1/zones")

    with pytest.raises(ValueError, match="sorts behind z_unserved"):
        register(operation)


def test_every_operation_is_reached_through_the_host(tmp_path: Path) -> None:
    """One request for each method of each function; the host tells which function it called."""
    host_json = json.loads((ROOT / "host.json").read_text())
    host_json["logging"] = {"logLevel": {"default": "Information", "Worker": "Warning"}}
    app = write_app(
        tmp_path / "app", (ROOT / "function_app.py").read_text(), host=json.dumps(host_json), settings=""
    )
    wanted = [(method, each.path, each.name) for each in FUNCTIONS for method in sorted(each.methods)]
    with RunningHost(app, env={"ADMIN_ASSISTANT_ENVIRONMENT": "local"}) as host:
        for method, path, _ in wanted:
            host.client.request(method, f"/{path}")
        errors = host.client.get("/admin/host/status").json()["functionErrors"]
        printed = host.output

    http = {each.name for each in FUNCTIONS}
    called = [name for name in re.findall(r"Executed 'Functions\.(\w+)'", printed) if name in http]
    assert errors == {}
    assert called == [name for _, _, name in wanted]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("PATCH", "v1/users/nonsense", 422, None),
        ("HEAD", "v1/users/nonsense", 422, None),
        ("DELETE", "v1/users/nonsense", 405, "GET, HEAD, PATCH, OPTIONS"),
        ("PATCH", "v1/categories/statistics", 405, "GET, HEAD, OPTIONS"),
        ("POST", "v1/categories/nonsense", 405, "DELETE, GET, HEAD, PATCH, OPTIONS"),
        ("GET", "v1/users/nonsense/nothing", 404, None),
        ("OPTIONS", "v1/users/nonsense", 204, "GET, HEAD, PATCH, OPTIONS"),
    ],
)
async def test_an_id_that_is_none_is_still_told_apart_from_a_wrong_path(
    stranger: Caller, method: str, path: str, status: int, allowed: str | None
) -> None:
    response = await stranger(method, path, token=stranger.token("Admin"))

    assert (response.status, response.headers.get("allow")) == (status, allowed)
    if status >= 400:
        problem(response, status)


async def test_who_may_not_call_learns_that_first(stranger: Caller) -> None:
    problem(await stranger("PATCH", "v1/users/nonsense"), 401)
    problem(await stranger("PATCH", "v1/users/nonsense", token=stranger.token("Auditor")), 403)


async def test_only_the_ids_that_are_none_are_named(stranger: Caller) -> None:
    path = f"v1/verifications/nonsense/findings/{ID}/adopt"

    response = await stranger("POST", path, token=stranger.token("Admin"))

    problem(response, 422)
    assert response.fields == ["id"]
