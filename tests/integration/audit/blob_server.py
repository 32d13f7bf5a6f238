"""The few operations of Azure Blob Storage that keys need, as its REST reference describes them."""

from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.test_utils import TestServer


class BlobServer:
    """One container; with ``versioning`` an overwritten blob stays as a version."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.versions: list[str] = []
        self.versioning = False
        self.failing = 0
        self.requests: list[tuple[str, str]] = []
        app = web.Application()
        app.router.add_route("*", "/account/keys", self._container)
        app.router.add_route("*", "/account/keys/{name}", self._blob)
        self._server = TestServer(app, host="127.0.0.1")

    async def start(self) -> str:
        """Start on a free port; returns the URL of the container."""
        await self._server.start_server()
        return str(self._server.make_url("/account/keys"))

    async def stop(self) -> None:
        """Stop."""
        await self._server.close()

    async def _blob(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requests.append((request.method, name))
        if self.failing:
            self.failing -= 1
            return _error(503, "ServerBusy")
        if request.method == "PUT":
            if request.headers.get("If-None-Match") == "*" and name in self.blobs:
                return _error(409, "BlobAlreadyExists")
            if name in self.blobs and self.versioning:
                self.versions.append(name)
            self.blobs[name] = await request.read()
            return web.Response(status=201, headers={"ETag": '"1"', "Last-Modified": _DATE})
        if name not in self.blobs:
            return _error(404, "BlobNotFound")
        content = self.blobs[name]
        headers = {
            "ETag": '"1"',
            "Last-Modified": _DATE,
            "Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}",
            "x-ms-blob-type": "BlockBlob",
        }
        return web.Response(status=206, body=content, headers=headers)

    async def _container(self, request: web.Request) -> web.Response:
        assert request.query["comp"] == "list"
        assert set(request.query["include"].split(",")) == {"snapshots", "versions", "deleted"}
        prefix = request.query["prefix"]
        current = "".join(_listed(name, current=True) for name in self.blobs if name.startswith(prefix))
        former = "".join(_listed(name, current=False) for name in self.versions if name.startswith(prefix))
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="keys">'
            f"<Blobs>{former}{current}</Blobs><NextMarker /></EnumerationResults>"
        )
        return web.Response(text=body, content_type="application/xml")


_DATE = "Mon, 02 Mar 2026 09:00:00 GMT"


def _listed(name: str, *, current: bool) -> str:
    flag = "<IsCurrentVersion>true</IsCurrentVersion>" if current else ""
    return (
        f"<Blob><Name>{escape(name)}</Name><VersionId>2026-03-02T09:00:0{int(current)}.0000000Z</VersionId>{flag}"
        "<Properties><BlobType>BlockBlob</BlobType></Properties></Blob>"
    )


def _error(status: int, code: str) -> web.Response:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    )
    return web.Response(
        status=status, text=body, content_type="application/xml", headers={"x-ms-error-code": code}
    )
