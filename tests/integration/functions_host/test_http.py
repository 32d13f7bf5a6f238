"""HTTP functions over real HTTP: routing, bodies, headers, cookies, failures, crowds."""

import gzip
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.functions_host.http_app import APP
from tests.integration.functions_host.running_host import RunningHost, eventually, write_app


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    levels = '{"version": "2.0", "logging": {"logLevel": {"Function.talk.User": "Warning"}}}'
    app = write_app(tmp_path_factory.mktemp("http") / "app", APP, host=levels)
    with RunningHost(app) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "function", "params"),
    [
        ("things/new", "literal", {}),
        ("THINGS/New", "literal", {}),
        ("things/12", "number", {"id": "12"}),
        ("things/12/", "number", {"id": "12"}),
        ("things/2147483648", "other", {"id": "2147483648"}),
        ("things/a%20b%C3%BC", "other", {"id": "a bü"}),
        ("things/a%2Fb", "other", {"id": "a%2Fb"}),
        ("long/2147483648", "long_", {"v": "2147483648"}),
        (
            "guid/CD2C1638-1638-72D5-1638-DEADBEEF1638",
            "guid_",
            {"v": "CD2C1638-1638-72D5-1638-DEADBEEF1638"},
        ),
        ("bool/TRUE", "bool_", {"v": "TRUE"}),
        ("alpha/Rick", "alpha_", {"v": "Rick"}),
        ("length/abc", "length_", {"v": "abc"}),
        ("lengths/ab", "length_range", {"v": "ab"}),
        ("min/10", "min_", {"v": "10"}),
        ("max/-4", "max_", {"v": "-4"}),
        ("range/7", "range_", {"v": "7"}),
        ("regex/123-4567", "regex_", {"v": "123-4567"}),
        ("both/3", "both", {"v": "3"}),
        ("optional", "optional", {}),
        ("optional/x", "optional", {"v": "x"}),
        ("optional-number", "optional_number", {}),
        ("default", "default", {"v": "seven"}),
        ("default/8", "default", {"v": "8"}),
        ("files/a/b/c.txt", "rest", {"path": "a/b/c.txt"}),
        ("mixed/archive.tar.gz", "mixed", {"name": "archive.tar", "ext": "gz"}),
        ("lake/of/geneva", "two", {"area": "lake", "place": "geneva"}),
    ],
)
def test_a_path_reaches_the_first_function_that_takes_it(
    host: RunningHost, path: str, function: str, params: dict[str, str]
) -> None:
    answer = host.client.get(f"/api/{path}")

    assert (answer.status_code, answer.json()) == (200, {"by": function, "params": params})


@pytest.mark.parametrize(
    "path",
    [
        "long/9223372036854775808",
        "guid/12",
        "bool/yes",
        "alpha/r2d2",
        "length/ab",
        "lengths/abcde",
        "min/9",
        "max/11",
        "range/8",
        "regex/123-45678",
        "both/2",
        "optional-number/x",
        "optional/a/b",
        "things",
        "no/such/route",
    ],
)
def test_a_value_outside_its_constraint_is_not_found(host: RunningHost, path: str) -> None:
    answer = host.client.get(f"/api/{path}")

    assert (answer.status_code, answer.content) == (404, b"")


def test_a_function_without_a_route_is_found_by_its_name(host: RunningHost) -> None:
    answer = host.client.get("/api/unrouted")

    assert (answer.text, answer.headers["content-type"]) == ("plain grüße", "text/plain; charset=utf-8")


def test_methods_choose_the_function_and_others_are_not_found(host: RunningHost) -> None:
    assert host.client.put("/api/methods").text == "PUT"
    assert host.client.delete("/api/methods").text == "deleted"
    assert host.client.patch("/api/methods").status_code == 404
    assert host.client.head("/api/methods").status_code == 404


def test_head_answers_headers_without_a_body(host: RunningHost) -> None:
    answer = host.client.head("/api/things/new")

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"",
        "application/json",
    )


def test_bodies_pass_unchanged_in_both_directions(host: RunningHost) -> None:
    packed = gzip.compress(bytes(range(256)) * 4096)

    answer = host.client.post(
        "/api/echo", content=packed, headers={"Content-Encoding": "gzip", "Content-Type": "image/png"}
    )

    assert answer.content == packed
    assert answer.headers["content-type"] == "application/x-thing"
    assert (answer.headers["x-seen-type"], answer.headers["x-encoding"]) == ("image/png", "gzip")
    assert host.client.post("/api/echo").content == b""
    streamed = host.client.post("/api/echo", content=iter([b"in ", b"pieces"]))
    assert streamed.content == b"in pieces"


def test_url_query_and_headers_arrive_as_in_the_real_host(host: RunningHost) -> None:
    long = "x" * 20_000

    answer = host.client.get(
        "/api/look?a=1&a=2&empty=&b=%C3%BC+%2B",
        headers=[("X-Two", "1"), ("x-two", "2"), ("X-Long", long), ("Host", "calendar.example:8080")],
    ).json()

    assert answer["url"] == "http://calendar.example:8080/api/look?a=1&a=2&empty=&b=%C3%BC+%2B"
    assert answer["query"] == {"a": "1,2", "b": "ü +"}
    assert answer["headers"]["x-two"] in {"1,2", "1, 2"}
    assert answer["headers"]["x-long"] == long


def test_a_caller_s_trace_continues_in_the_function(host: RunningHost) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    continued = host.client.get(
        "/api/look", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    ).json()
    fresh = host.client.get("/api/look", headers={"traceparent": "00-nonsense"}).json()

    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", continued["trace"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fresh["trace"])
    assert continued["name"] == "look"


def test_cookies_keep_their_attributes(host: RunningHost) -> None:
    answer = host.client.get("/api/cookies")

    first, second = answer.headers.get_list("set-cookie")
    assert answer.status_code == 201
    assert set(first.lower().split("; ")) == {
        "a=1",
        "domain=",
        "path=/",
        "httponly",
        "secure",
        "samesite=lax",
        "max-age=60",
    }
    assert second == "b=2; expires=Wed, 21 Oct 2026 07:28:00 GMT; domain=example.org; path="


@pytest.mark.parametrize("code", [204, 302, 304, 404, 503])
def test_status_and_headers_are_those_of_the_function(host: RunningHost, code: int) -> None:
    answer = host.client.get(f"/api/status/{code}", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (code, "/elsewhere")


def test_a_response_may_come_through_an_output_binding(host: RunningHost) -> None:
    answer = host.client.get("/api/output")

    assert (answer.status_code, answer.text) == (202, "through the output")


def test_a_failing_function_answers_500_and_the_log_says_why(host: RunningHost) -> None:
    answer = host.client.get("/api/fail")

    assert (answer.status_code, answer.content) == (500, b"")
    host.wait_for(
        r"Executed 'Functions\.fail' \(Failed, Id=[0-9a-f-]{36}, Duration=\d+ms\)\n"
        r"Traceback [\s\S]*?LookupError: the drawer is empty"
    )


@pytest.mark.parametrize("path", ["nothing", "leave", "break-header"])
def test_what_is_no_response_is_a_500_and_the_host_continues(host: RunningHost, path: str) -> None:
    assert host.client.get(f"/api/{path}").status_code == 500
    assert host.client.get("/api/unrouted").status_code == 200


def test_each_invocation_is_one_line_with_its_id_and_duration(host: RunningHost) -> None:
    invocation = host.client.get("/api/look").json()["id"]

    host.wait_for(rf"\[\S+Z\] Executed 'Functions\.look' \(Succeeded, Id={invocation}, Duration=\d+ms\)\n")


def test_the_start_lists_functions_with_methods_and_routes(host: RunningHost) -> None:
    port = host.client.base_url.port

    assert f"\tonly_get_and_put: [GET,PUT] http://localhost:{port}/api/methods\n" in host.output
    assert r"/api/regex/{v:regex(^\d{{3}}-\d{{4}}$)}" in host.output


def test_a_crowd_is_served_at_once(host: RunningHost) -> None:
    limits = httpx.Limits(max_connections=300)
    with (
        httpx.Client(base_url=host.client.base_url, timeout=20, limits=limits) as client,
        ThreadPoolExecutor(60) as pool,
    ):
        answers = list(pool.map(lambda _: client.get("/api/meet/60").text, range(60)))

    assert answers == ["met"] * 60


def test_a_caller_that_hangs_up_does_not_stop_the_function(host: RunningHost) -> None:
    with httpx.Client(base_url=host.client.base_url) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.get("/api/slow", timeout=0.2)
    eventually(lambda: host.client.get("/api/slow/began").text == "yes", "the slow function")

    host.client.get("/api/slow/release")

    eventually(lambda: host.client.get("/api/slow/left").text == "finished", "the end of the slow function")


def test_a_function_that_blocks_the_app_does_not_block_the_host(host: RunningHost, tmp_path: Path) -> None:
    release = tmp_path / "release"
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(host.client.get, "/api/hold", params={"until": str(release)})
        host.wait_for("holding the loop")
        try:
            status = host.client.get("/admin/host/status").json()
        finally:
            release.touch()
        assert blocked.result().text == "held"

    assert status["runningInvocations"] == 1


def test_nothing_of_one_invocation_leaks_into_the_next(host: RunningHost) -> None:
    assert [host.client.get("/api/context").text for _ in range(2)] == ["nothing", "nothing"]


def test_log_levels_of_host_json_apply_to_a_function_s_own_records(host: RunningHost) -> None:
    host.client.get("/api/talk")

    host.wait_for(r"\[\S+Z\] warning of talk\n")
    assert "information of talk" not in host.output
