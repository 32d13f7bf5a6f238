"""Which function takes a request that several match, and which are refused, as in the real host."""

import json
from pathlib import Path

import pytest

from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.functions import Binding, Function
from infra.local.functions_host.routes import Routes, map_routes, name_order
from tests.integration.functions_host.running_host import RunningHost, write_app

_APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def serve(name, route, methods):
    @app.function_name(name)
    @app.route(route=route, methods=methods)
    def f(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(name)


for name, route, methods in %r:
    serve(name, route, methods)
"""


def app_of(*functions: tuple[str, str | None, list[str] | None]) -> str:
    return _APP % (functions,)


def http_function(name: str, route: str | None, *methods: str, disabled: bool = False) -> Function:
    given = {"type": "httpTrigger", "methods": list(methods)} | ({} if route is None else {"route": route})
    trigger = Binding("req", "httptrigger", "IN", given)
    return Function(name, name, trigger, [trigger], disabled=disabled)


def reached(routes: Routes, method: str, path: str) -> str | None:
    found = routes.router.find(method, path)
    return found[0].name if found else None


def test_the_first_by_name_takes_a_request_and_a_refused_function_harms_no_other(tmp_path: Path) -> None:
    app = app_of(
        ("list_things", "things/new", ["GET"]),
        ("Get_thing", "things/{id}", ["GET"]),
        ("post_thing", "things/{id}", ["POST"]),
        ("zz_all", "{*path}", None),
        ("update_thing", "things/{id}", ["PATCH"]),
        ("a_first", "same", ["GET", "PUT"]),
        ("b_second", "/SAME/", ["PUT", "DELETE"]),
        ("managed", "administration/things", ["GET"]),
        ("run", "Runtime", ["GET"]),
    )
    with RunningHost(write_app(tmp_path / "app", app)) as host:
        got = {path: host.client.get(f"/api/{path}").text for path in ("things/new", "same", "no/such")}
        assert got == {"things/new": "Get_thing", "same": "a_first", "no/such": "zz_all"}
        assert host.client.patch("/api/things/7").text == "update_thing"
        assert host.client.put("/api/same").text == "a_first"
        assert host.client.delete("/api/same").text == "zz_all"
        errors = host.client.get("/admin/host/status").json()["functionErrors"]
        told = host.output

    built_in = "The specified route conflicts with one or more built in routes."
    assert errors == {
        "b_second": "The route specified conflicts with the route defined by function 'a_first'.",
        "managed": built_in,
        "run": built_in,
    }
    for name, reason in errors.items():
        assert f"The '{name}' function is in error: {reason}" in told


def test_the_home_page_is_shown_only_where_no_function_takes_the_root(tmp_path: Path) -> None:
    host_json = json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": ""}}})
    with RunningHost(write_app(tmp_path / "a", app_of(("one", "one", ["GET"])), host=host_json)) as host:
        assert "up and running" in host.client.get("/").text
        assert host.client.get("/two").status_code == 404
    with RunningHost(write_app(tmp_path / "b", app_of(("all", "{*path}", None)), host=host_json)) as host:
        assert host.client.get("/").text == "all"


def test_names_are_ordered_without_case_and_underscores_come_after_letters() -> None:
    names = ["get_b", "GetA", "z_last", "zz", "get-b", "Za", "get1"]

    assert sorted(names, key=name_order) == ["get-b", "get1", "GetA", "get_b", "Za", "zz", "z_last"]


@pytest.mark.parametrize("names", [("a_literal", "b_id", "c_all"), ("c_literal", "b_id", "a_all")])
def test_only_the_names_decide(names: tuple[str, str, str]) -> None:
    templates = ("things/new", "things/{id}", "{*path}")
    functions = [http_function(name, route) for name, route in zip(names, templates, strict=True)]
    first = min(names)

    assert reached(map_routes(functions, "api"), "GET", "/api/things/new") == first
    assert reached(map_routes(functions[::-1], "api"), "GET", "/api/things/new") == first


def test_a_constraint_excludes_whatever_the_names_are() -> None:
    functions = [http_function("a", "things/{id:guid}"), http_function("b", "things/new")]

    assert reached(map_routes(functions, "api"), "GET", "/api/things/new") == "b"


def test_methods_that_do_not_overlap_share_a_route() -> None:
    functions = [http_function("a", "x", "GET"), http_function("b", "x", "POST"), http_function("c", "x")]

    routes = map_routes(functions, "api")

    assert set(routes.paths) == {"a", "b"}
    assert routes.errors == {
        "c": "The route specified conflicts with the route defined by function 'a'.",
    }


def test_a_disabled_function_keeps_its_route_from_others() -> None:
    routes = map_routes(
        [http_function("a", "x", disabled=True), http_function("b", "x"), http_function("c", "{path}")], "api"
    )

    assert set(routes.errors) == {"b"}
    assert reached(routes, "GET", "/api/x") == "a"


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("/slashed", "'api//slashed'. The route template separator character '/' cannot appear"),
        ("odd/{v:prime}", "'api/odd/{v:prime}'. The constraint reference 'prime'"),
        ("{*rest}/more", "A catch-all parameter can only appear as the last segment"),
        ("{twice}/{TWICE}", "A route parameter name appears more than one time"),
    ],
)
def test_a_route_that_is_no_template_ends_the_start(route: str, reason: str) -> None:
    """`static-web-apps` issue 1654 and the constructor of ASP.NET Core's `Route`."""
    with pytest.raises(StartupError) as refused:
        map_routes([http_function("good", "good"), http_function("bad", route)], "api")
    assert "creating the route with name 'bad' and template" in str(refused.value)
    assert reason in str(refused.value)


def test_a_blank_route_is_the_name_of_the_function() -> None:
    routes = map_routes([http_function("one", ""), http_function("two", None)], "api")

    assert routes.paths == {"one": "api/one", "two": "api/two"}
