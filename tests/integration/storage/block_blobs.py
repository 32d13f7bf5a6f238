"""The operations of Azure Blob Storage that files need, as its REST reference describes them."""

from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.test_utils import TestServer

_DATE = "Mon, 02 Mar 2026 09:00:00 GMT"


class BlockBlobServer:
    """One container; blocks that were never committed belong to no blob (Put Block List)."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.staged: dict[str, dict[str, bytes]] = {}
        self.failing = 0
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/account/files", self._container)
        app.router.add_route("*", "/account/files/{name:.+}", self._blob)
        self._server = TestServer(app, host="127.0.0.1")

    async def start(self) -> str:
        """Start on a free port; returns the URL of the container."""
        await self._server.start_server()
        return str(self._server.make_url("/account/files"))

    async def stop(self) -> None:
        """Stop."""
        await self._server.close()

    async def _blob(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.failing:
            self.failing -= 1
            return _error(403, "AuthorizationFailure")
        if request.method == "PUT":
            return await self._put(name, request)
        if name not in self.blobs:
            return _error(404, "BlobNotFound")
        if request.method == "DELETE":
            assert request.headers["x-ms-delete-snapshots"] == "include"
            del self.blobs[name]
            return web.Response(status=202)
        return self._part(self.blobs[name], request.headers["x-ms-range"])

    async def _put(self, name: str, request: web.Request) -> web.Response:
        content = await request.read()
        match request.query.get("comp"):
            case "block":
                self.staged.setdefault(name, {})[request.query["blockid"]] = content
            case "blocklist":
                staged = self.staged.pop(name, {})
                ids = [str(each.text) for each in ElementTree.fromstring(content)]  # noqa: S314 - our own
                self.blobs[name] = b"".join(staged[block_id] for block_id in ids)
            case _:
                return _error(400, "UnsupportedQueryParameter")
        return web.Response(status=201, headers={"ETag": '"1"', "Last-Modified": _DATE})

    def _part(self, content: bytes, wanted: str) -> web.Response:
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1]
        if not part:
            return _error(416, "InvalidRange")
        headers = {
            "ETag": '"1"',
            "Last-Modified": _DATE,
            "Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}",
            "x-ms-blob-type": "BlockBlob",
        }
        return web.Response(status=206, body=part, headers=headers)

    async def _container(self, request: web.Request) -> web.Response:
        assert request.query["comp"] == "list"
        prefix = request.query.get("prefix", "")
        listed = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{_DATE}</Last-Modified>"
            f"<Content-Length>{len(content)}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, content in self.blobs.items()
            if name.startswith(prefix)
        )
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="files">'
            f"<Blobs>{listed}</Blobs><NextMarker /></EnumerationResults>"
        )
        return web.Response(text=body, content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    )
    return web.Response(
        status=status, text=body, content_type="application/xml", headers={"x-ms-error-code": code}
    )
