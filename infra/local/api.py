"""Our HTTP API as the local system calls it: as a customer would."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urljoin

import httpx

from infra.local.errors import LocalError

_ATTEMPTS = 4


class Api:
    """Calls the API with one token; every refusal becomes a :class:`LocalError` that quotes it."""

    def __init__(self, client: httpx.AsyncClient, base: str, token: str) -> None:
        self._client = client
        self._base = base.rstrip("/") + "/"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: tuple[int, ...] = (),
        if_match: str | None = None,
        **params: Any,
    ) -> httpx.Response:
        """The answer to one call; ``path`` is relative to the API or a whole URL.

        Answers of 400 and above raise unless their status is in ``accept``. 429 and 503 are asked again,
        three times at most, after Retry-After or a jittered pause.
        """
        url = urljoin(self._base, path)
        headers = self._headers | ({"If-Match": if_match} if if_match else {})
        for attempt in range(_ATTEMPTS):
            response = await self._client.request(
                method, url, json=body, params=params or None, headers=headers
            )
            busy = response.status_code in (429, 503) and response.status_code not in accept
            if not busy or attempt == _ATTEMPTS - 1:
                break
            await asyncio.sleep(_pause(response, attempt))
        if response.is_error and response.status_code not in accept:
            raise LocalError(
                f"{method} {httpx.URL(url).path} answered {response.status_code}: {_problem(response)}"
            )
        return response

    async def items(self, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor: dict[str, Any] = {}
        while True:
            page = (await self.request("GET", path, **params, **cursor, limit=200)).json()
            for item in page["items"]:
                yield item
            if not page["next"]:
                return
            cursor = {"cursor": page["next"]}


def _pause(response: httpx.Response, attempt: int) -> float:
    told = response.headers.get("Retry-After", "")
    base = min(float(told), 30.0) if told.isdigit() else 0.2 * 2**attempt
    return base * random.uniform(1.0, 1.5)


def _problem(response: httpx.Response) -> str:
    try:
        told = response.json()
        fields = [f"{error.get('field')}: {error.get('message')}" for error in told.get("errors") or []]
        return "; ".join(filter(None, [str(told.get("title", "")), str(told.get("detail") or ""), *fields]))
    except (ValueError, AttributeError):
        return response.text[:200]
