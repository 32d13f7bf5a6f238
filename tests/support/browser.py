"""Headless Chromium, driven over its DevTools protocol as a person uses a page: by looking and clicking."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
#: Of an element: where its middle is, once it is in sight. None if there is no such element.
_MIDDLE: Final = """(() => {
  const element = %s;
  if (!element) return null;
  element.scrollIntoView({block: "center"});
  const box = element.getBoundingClientRect();
  return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null;
})()"""


def installed() -> str | None:
    """Path of the browser; None where there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One window. Elements are named by JavaScript expressions."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def go(self, url: str) -> None:
        """Open an address."""
        await self._send("Page.navigate", url=url)

    async def see(self, expression: str) -> Any:
        """Wait until the expression is true of the page; its value."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found = await self.evaluate(expression)
            while not found:
                await asyncio.sleep(_LOOK_SECONDS)
                found = await self.evaluate(expression)
        return found

    async def click(self, element: str) -> None:
        """Wait for an element, then press the mouse on it."""
        before = None
        while (now := await self.see(_MIDDLE % element)) != before:
            # It moves while the page unfolds.
            before = now
            await asyncio.sleep(_LOOK_SECONDS)
        for kind in ("mousePressed", "mouseReleased"):
            await self._send(
                "Input.dispatchMouseEvent", type=kind, x=now[0], y=now[1], button="left", clickCount=1
            )

    async def type(self, element: str, text: str) -> None:
        """Write a text in place of what stands in an element."""
        await self.click(element)
        await self.evaluate(f"void ({element}).select()")
        await self._send("Input.insertText", text=text)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression. Raises RuntimeError where the page does."""
        told = await self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"])
        return told["result"].get("value")

    async def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                told = json.loads(await self._socket.receive_str())
                if told.get("id") == self._number:
                    if "error" in told:
                        raise RuntimeError(told["error"])
                    result: dict[str, Any] = told["result"]
                    return result


class Browser:
    """The running browser."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def windows(self) -> list[dict[str, Any]]:
        """Every window, with its address."""
        async with self._session.get(f"{self._url}/json") as answer:
            return [each for each in await answer.json() if each["type"] == "page"]

    async def window(self, part: str) -> Page:
        """Wait for the window whose address has this part."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                for each in await self.windows():
                    if part in each["url"]:
                        socket = await self._session.ws_connect(each["webSocketDebuggerUrl"], max_msg_size=0)
                        return Page(socket)
                await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Browser]:
    """A browser with a profile in ``folder``, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1100"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield Browser(session, f"http://127.0.0.1:{await _port(folder)}")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _port(folder: Path) -> int:
    """The browser writes down which port it took."""
    told = folder / "DevToolsActivePort"
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not told.exists() or not (text := told.read_text()):
            await asyncio.sleep(_LOOK_SECONDS)
    return int(text.splitlines()[0])
