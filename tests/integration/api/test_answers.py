"""What every answer carries, and what is answered where an operation cannot work."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import azure.functions as func
import pytest

from shared.clock import SystemClock
from shared.database.engine import Database
from shared.domain.identity.caller import Caller as DomainCaller
from shared.errors import RateLimited
from shared.services.operation import rate_limit
from shared.services.operation.rate_limit import RateLimit
from shared.settings import Settings
from shared.triggers.http.registry import OPERATIONS, authorisation_table
from tests.integration.api.caller import Caller, declared_functions, problem

SECURITY = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
ID = "6f1e5c0e-1111-4111-8111-111111111111"


class SteppedClock(SystemClock):
    """A clock that advances when the test says so."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def step(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


async def post(api: Caller, body: Any, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api("POST", "v1/users", body, token=api.token("Admin"), headers=sent)


class TestCorrelation:
    async def test_the_callers_correlation_and_trace_come_back(self, stranger: Caller) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        headers = {"x-correlation-id": "order-7:retry.2", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        response = await stranger("GET", "health/live", headers=headers)
        assert response.headers["x-correlation-id"] == "order-7:retry.2"
        version, trace_id, span_id, flags = response.headers["traceparent"].split("-")
        assert (version, trace_id, flags) == ("00", trace, "01")
        assert span_id != "b7ad6b7169203331"

    @pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "a\r\nb", "<script>", "é", ";drop"])
    async def test_an_unacceptable_correlation_id_is_replaced(self, stranger: Caller, sent: str) -> None:
        response = await stranger("GET", "health/live", headers={"x-correlation-id": sent})
        assert len(response.headers["x-correlation-id"]) == 36

    @pytest.mark.parametrize(
        "sent",
        [
            "nonsense",
            "00-" + "0" * 32 + "-b7ad6b7169203331-01",
            "00-" + "a" * 32 + "-" + "0" * 16 + "-01",
            "ff-" + "a" * 32 + "-" + "b" * 16 + "-01",
            "00-" + "a" * 32 + "-" + "b" * 16 + "-01-more",
        ],
    )
    async def test_an_invalid_trace_starts_a_new_one(self, stranger: Caller, sent: str) -> None:
        response = await stranger("GET", "health/live", headers={"traceparent": sent})
        assert "a" * 32 not in response.headers["traceparent"]
        assert len(response.headers["traceparent"]) == 55


class TestHeaders:
    async def test_every_answer_carries_the_security_headers(self, stranger: Caller) -> None:
        for response in (
            await stranger("GET", "health/live"),
            await stranger("GET", "v1/users"),
            await stranger("OPTIONS", "v1/users"),
            await post(stranger, b"{"),
        ):
            assert {name: response.headers[name] for name in SECURITY} == SECURITY

    async def test_pages_of_configured_origins_may_read_answers(self, stranger: Caller) -> None:
        response = await stranger("GET", "v1/users", headers={"origin": "https://pages.example"})
        assert response.headers["access-control-allow-origin"] == "https://pages.example"
        exposed = response.headers["access-control-expose-headers"].split(", ")
        assert {"etag", "location", "retry-after"} <= set(exposed)
        told = {name.lower() for each in OPERATIONS.values() for name in each.response_headers}
        assert {"link", "x-next-cursor"} <= told <= set(exposed)
        assert "access-control-allow-credentials" not in response.headers
        assert response.headers["vary"] == "Origin"

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://pages.example.evil.example"])
    async def test_other_origins_may_not(self, stranger: Caller, origin: str) -> None:
        response = await stranger("GET", "health/live", headers={"origin": origin})
        assert "access-control-allow-origin" not in response.headers

    async def test_options_tells_the_methods_of_a_path(self, stranger: Caller) -> None:
        response = await stranger("OPTIONS", "v1/users", headers={"origin": "https://pages.example"})
        assert response.status == 204
        assert response.body == b""
        assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"
        assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"
        assert "authorization" in response.headers["access-control-allow-headers"]
        response = await stranger("OPTIONS", f"v1/users/{ID}")
        assert response.headers["allow"].startswith("GET, HEAD, ")

    async def test_options_of_nothing_is_404(self, stranger: Caller) -> None:
        problem(await stranger("OPTIONS", "v1/nothing"), 404, "not_found")


class TestFailures:
    async def test_a_defect_is_a_500_that_tells_nothing(
        self, stranger: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr(stranger.app.operation.health, "ready", broken)
        with caplog.at_level(logging.ERROR):
            response = await stranger("GET", "health/ready")
        document = problem(response, 500, "internal_error")
        assert "hunter2" not in str(document)
        assert "hunter2" in caplog.text

    async def test_an_unreachable_database_is_a_503_with_retry_after(self, stranger: Caller) -> None:
        settings = stranger.app.foundations.settings.model_copy(
            update={
                "database_url": type(stranger.app.foundations.settings.database_url)(
                    "postgresql+asyncpg://app@127.0.0.1:1/none"
                )
            }
        )
        stranger.app.foundations.settings = settings
        response = await stranger("GET", "v1/users", token=stranger.token("Admin"))
        problem(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1

    async def test_a_url_with_an_unreadable_host_is_answered(self, stranger: Caller) -> None:
        response = await stranger("GET", "v1/users", host="http://[::1")
        problem(response, 401)

    async def test_tokens_do_not_reach_the_log(
        self, stranger: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        token = stranger.token("Admin")
        with caplog.at_level(logging.DEBUG, "shared"):
            await stranger("POST", "v1/users", b"{", token=token)
        assert token not in caplog.text
        assert "create_user 400" in caplog.text


def test_every_operation_is_in_the_permission_table() -> None:
    rows = {row["operation"]: row for row in authorisation_table()}
    assert set(rows) == set(OPERATIONS)
    assert rows["create_user"]["roles"] == ["Admin"]
    assert rows["health_live"]["roles"] == ["(no token)"]
    assert {row["path"].split("/")[1] for row in rows.values()} == {"api"}


def test_every_operation_is_a_function_of_its_own() -> None:
    functions = {each.get_function_name(): each for each in declared_functions()}
    for name, operation in OPERATIONS.items():
        trigger = functions[name].get_trigger()
        assert trigger.route == operation.template
        assert trigger.auth_level is func.AuthLevel.ANONYMOUS
        assert [method.value for method in trigger.methods] == list(operation.methods)


async def test_a_known_path_with_another_method_is_405(stranger: Caller) -> None:
    for method, path, allowed in (
        ("DELETE", "v1/users", "GET, HEAD, POST, OPTIONS"),
        ("PUT", f"v1/users/{ID}", "GET, HEAD, PATCH, OPTIONS"),
        ("GET", f"v1/archive-runs/{ID}/cancel", "POST, OPTIONS"),
    ):
        response = await stranger(method, path)
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == allowed
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        problem(await stranger(method, "v1/nothing/at/all"), 404, "not_found")


async def test_head_is_answered_as_get(stranger: Caller) -> None:
    response = await stranger("HEAD", "health/live")
    assert response.status == 200
    problem(await stranger("HEAD", "v1/users"), 401)


@pytest.mark.parametrize("query", ["limit=", "limit=5&limit=6", "address=", "limit=5&limit=5", "x=&y="])
async def test_empty_and_repeated_parameters_are_not_overlooked(stranger: Caller, query: str) -> None:
    # The host drops the first and joins the second; the URL still tells them.
    request = func.HttpRequest(
        method="GET",
        url=f"https://assistant.example/api/v1/users?{query}",
        headers={"authorization": f"Bearer {stranger.token('Admin')}"},
        params={},
        body=b"",
    )
    assert (await OPERATIONS["list_users"].function(request)).status_code == 422


async def test_without_a_free_connection_the_answer_is_a_503_that_says_when(
    api: Caller, settings: Settings
) -> None:
    small = settings.model_copy(
        update={"database_pool_size": 1, "database_max_overflow": 0, "database_pool_timeout": 0.05}
    )
    database = Database(small)
    api.app.foundations.database = database
    token = api.token("Admin")
    async with database.session() as session:
        await session.connection()
        for method, path, body in (
            ("GET", "v1/users", None),
            ("POST", "v1/invitations", {"address": "a@b.example"}),
        ):
            response = await api(method, path, body, token=token)
            problem(response, 503, "unavailable")
            assert int(response.headers["retry-after"]) > 0
    assert (await api("GET", "v1/users", token=token)).status == 200
    await database.close()


class TestRateLimit:
    async def test_a_caller_who_sends_too_much_is_told_when_to_come_back(self, stranger: Caller) -> None:
        clock = SteppedClock()
        stranger.app.people.rate_limit = RateLimit(2, 3, clock)
        ada, bob = (stranger.token("User", oid=ID.replace("6f", each)) for each in ("aa", "bb"))
        for _ in range(3):
            problem(await stranger("GET", "v1/users", token=ada, limit="x"), 422)
        refused = await stranger("GET", "v1/users", token=ada, limit="x")
        told = problem(refused, 429, "rate_limited")
        assert told["limit"] == {"name": "requests_per_second", "value": 2}
        assert refused.headers["retry-after"] in ("1", "2")
        problem(await stranger("GET", "v1/users", token=bob, limit="x"), 422)
        clock.step(0.5)
        problem(await stranger("GET", "v1/users", token=ada, limit="x"), 422)
        problem(await stranger("GET", "v1/users", token=ada, limit="x"), 429)

    async def test_callers_who_are_refused_together_are_not_told_to_return_together(
        self, stranger: Caller
    ) -> None:
        stranger.app.people.rate_limit = RateLimit(0.01, 1, SteppedClock())
        told = set()
        for number in range(30):
            token = stranger.token("User", oid=f"{number:08d}{ID[8:]}")
            await stranger("GET", "v1/users", token=token, limit="x")
            refused = await stranger("GET", "v1/users", token=token, limit="x")
            told.add(int(refused.headers["retry-after"]))
        assert min(told) >= 100
        assert max(told) <= 150
        assert len(told) > 10

    async def test_zero_is_no_limit(self, stranger: Caller) -> None:
        stranger.app.people.rate_limit = RateLimit(0, 1, SteppedClock())
        for _ in range(5):
            problem(await stranger("GET", "v1/users", token=stranger.token(), limit="x"), 422)

    def test_only_a_limited_number_of_callers_is_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rate_limit, "_MOST_CALLERS", 2)
        limit = RateLimit(1, 1, SteppedClock())
        callers = [DomainCaller.user(UUID(int=1), UUID(int=n)) for n in range(3)]
        for caller in callers:
            limit.admit(caller)
        limit.admit(callers[0])
        with pytest.raises(RateLimited):
            limit.admit(callers[2])
