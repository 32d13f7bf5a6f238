"""Answers that Graph, or something between it and us, might give and should not trip over."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from shared.credential import TokenCache
from shared.errors import StoreRefused, StoreUnavailable
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from tests.integration.graph.conftest import QUICK
from tests.integration.graph.samples import create


class OneToken:
    """A credential that needs no token service."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("a-token", 2**40)

    async def close(self) -> None:
        pass


class Stub:
    """A server that gives prepared answers, repeats the last one, and remembers the requests."""

    def __init__(self) -> None:
        self.base = ""
        self.requests: list[web.BaseRequest] = []
        self._answers: list[web.Response] = []

    def answers(self, *answers: web.Response | dict[str, Any]) -> None:
        self._answers = [web.json_response(each) if isinstance(each, dict) else each for each in answers]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        await request.read()
        given = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return web.Response(body=given.body, status=given.status, headers=given.headers)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    runner = web.ServerRunner(web.Server(stub.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1.0"
    yield stub
    await runner.cleanup()


@pytest.fixture
async def adapter(stub: Stub) -> AsyncIterator[CalendarAdapter]:
    tokens = TokenCache(OneToken, "scope")
    client = GraphClient(f"{stub.base}/", tokens, scope="scope", read_timeout=5)
    yield CalendarAdapter(client, policy=QUICK)
    await client.close()


async def names(adapter: CalendarAdapter) -> list[str]:
    return [calendar.name for calendar in await adapter.list_calendars("user@example.com")]


async def test_every_request_carries_token_and_preferences(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers(
        {"value": [{"id": "1", "name": "A"}], "@odata.nextLink": f"{stub.base}/next?$skiptoken=a%2Bb"},
        {"value": [{"id": "2", "name": "B"}]},
    )
    assert await names(adapter) == ["A", "B"]
    for request in stub.requests:
        assert request.headers["Authorization"] == "Bearer a-token"
        prefer = request.headers["Prefer"]
        assert 'outlook.timezone="UTC"' in prefer
        assert 'IdType="ImmutableId"' in prefer
    assert stub.requests[0].rel_url.path == "/v1.0/users/user@example.com/calendars"
    assert stub.requests[1].raw_path == "/v1.0/next?$skiptoken=a%2Bb"


async def test_an_empty_page_with_a_link_is_no_end(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers(
        {"value": [], "@odata.nextLink": f"{stub.base}/2"},
        {"@odata.nextLink": f"{stub.base}/3"},
        {"value": [{"id": "1", "name": "A"}]},
    )
    assert await names(adapter) == ["A"]


async def test_a_link_to_another_host_is_not_followed(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers({"value": [], "@odata.nextLink": stub.base.replace("127.0.0.1", "localhost") + "/next"})
    with pytest.raises(StoreRefused) as caught:
        await names(adapter)
    assert caught.value.reason == "foreign_next_link"
    assert len(stub.requests) == 1


async def test_links_that_go_round_in_circles_end(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers({"value": [], "@odata.nextLink": f"{stub.base}/again"})
    with pytest.raises(StoreRefused) as caught:
        await names(adapter)
    assert caught.value.reason == "next_link_repeats"


@pytest.mark.parametrize(
    "odd",
    [
        web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html"),
        web.Response(status=200, text="<html>Sign in</html>", content_type="text/html"),
        web.Response(status=200, text="[]", content_type="application/json"),
        web.Response(status=503, text="{", content_type="application/json"),
        web.Response(status=302, headers={"Location": "https://elsewhere.example.com/"}),
        web.Response(status=204),
    ],
    ids=["502 page", "200 page", "no object", "broken error", "redirect", "nothing"],
)
async def test_a_gateways_answer_is_no_answer(
    adapter: CalendarAdapter, stub: Stub, odd: web.Response
) -> None:
    stub.answers(odd, {"value": [{"id": "1", "name": "A"}]})
    assert await names(adapter) == ["A"]
    stub.answers(odd)
    with pytest.raises(StoreUnavailable):
        await names(adapter)
    (answer,) = await adapter.send("user", "calendar", [create()], 5)
    assert answer.verdict == "unknown"


async def test_compressed_answers_are_read(adapter: CalendarAdapter, stub: Stub) -> None:
    body = gzip.compress(orjson.dumps({"value": [{"id": "1", "name": "Ä"}]}))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    stub.answers(web.Response(body=body, headers=headers))
    assert await names(adapter) == ["Ä"]


async def test_ids_are_quoted_in_every_path(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers({"id": "x"})
    await adapter.get_calendar("o'neil+x@example.com", "AA/MkA+D=")
    path, _, _ = stub.requests[0].raw_path.partition("?")
    assert path == "/v1.0/users/o'neil%2Bx@example.com/calendars/AA%2FMkA%2BD="


async def test_an_event_that_cannot_be_read_is_named(adapter: CalendarAdapter, stub: Stub) -> None:
    stub.answers({"value": [{"id": "broken", "subject": "Secret"}]})
    with pytest.raises(StoreRefused) as caught:
        await anext(
            adapter.read_window("u", "c", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
        )
    assert caught.value.reason == "undecodable_event"
    assert "broken" in caught.value.detail
    assert "Secret" not in caught.value.detail


async def test_a_claims_challenge_does_not_send_a_batch_twice(adapter: CalendarAdapter, stub: Stub) -> None:
    challenge = 'Bearer realm="", error="insufficient_claims", claims="eyJ4IjoxfQ=="'
    stub.answers(web.Response(status=401, headers={"WWW-Authenticate": challenge}))
    (answer,) = await adapter.send("user", "calendar", [create()], 5)
    assert answer.verdict == "unauthorized"
    assert len(stub.requests) == 1
