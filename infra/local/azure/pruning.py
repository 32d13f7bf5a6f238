"""What the dependencies carry and the app never loads (docs/graph.md, Size)."""

import shutil
import subprocess
from pathlib import Path

from infra.local.errors import LocalError

#: Below ``msgraph/generated``: the folders that the app's paths go through.
_GENERATED = {"models", "users", "subscriptions"}
_USERS = {"item"}
_USER = {
    *("calendars", "calendar_view", "events", "outlook", "mailbox_settings"),
}
#: Errors, and what other modules that stay derive from.
_MODELS = {
    *("o_data_errors", "__init__.py"),
    *("base_collection_pagination_count_response.py", "base_delta_function_response.py"),
}
#: Sources and descriptions of extension modules, and type stubs: nothing reads them at run time.
_SUFFIXES = {".pyx", ".pxd", ".pxi", ".c", ".cc", ".h", ".cpp", ".hpp", ".pyi", ".pyc"}
_FOLDERS = {"__pycache__", "tests", "test"}
#: What the app never loads: data, and parts of packages that are not searched for it (reachability.py). The
#: package flask-swagger-ui depends on Flask, but the app uses only its static files. Of cffi, cryptography
#: loads only the extension module. The rest of cffi only builds such modules.
_UNUSED = (
    *("sqlalchemy/testing", "sqlalchemy/dialects/mssql", "sqlalchemy/dialects/mysql"),
    *("sqlalchemy/dialects/oracle", "sqlalchemy/dialects/sqlite", "sqlalchemy/ext/mypy"),
    *("sqlalchemy/ext/automap.py", "sqlalchemy/ext/declarative"),
    *("sqlalchemy/ext/horizontal_shard.py", "sqlalchemy/ext/indexable.py", "sqlalchemy/ext/serializer.py"),
    *("pydantic/v1", "flask", "click", "itsdangerous", "blinker"),
    *("alembic/templates", "alembic/testing", "opentelemetry/semconv/_incubating"),
    *("cffi", "pip", "pycparser", "grpc/beta", "grpc/framework", "asyncpg/_testbase", "asyncpg/cluster.py"),
    *("google/protobuf/compiler", "google/protobuf/testdata"),
    *("aiohttp/worker.py", "aiohttp/test_utils.py", "aiohttp/pytest_plugin.py"),
    # Certificates for channels with TLS: the app's only channel is the one to its own host.
    "grpc/_cython/_credentials",
    # Swagger UI twice more: the app serves the bundle.
    *("flask_swagger_ui/dist/swagger-ui.js", "flask_swagger_ui/dist/swagger-ui-standalone-preset.js"),
    # Time zones once more: the app has tzdata.
    "dateutil/zoneinfo/dateutil-zoneinfo.tar.gz",
)
#: Time zones as text, beside the compiled ones.
_TEXTS = ("tzdata/zoneinfo/*.tab", "tzdata/zoneinfo/tzdata.zi", "tzdata/zoneinfo/leapseconds")
#: Extension modules with a twin in Python. The app uses neither: they serve WebSockets, and guess the
#: encoding of an answer that names none.
_TWINS = ("aiohttp/_websocket/*.so", "charset_normalizer/*.so")


def prune(packages: Path) -> None:
    """Delete it; ``packages`` is a folder that wheels were unpacked into."""
    generated = packages / "msgraph" / "generated"
    _keep(generated, _GENERATED)
    _keep(generated / "users", _USERS)
    _keep(generated / "users" / "item", _USER)
    # Bodies are read and written as bytes, never as models; errors alone come as objects.
    models = generated / "models"
    for child in models.iterdir():
        if child.name not in _MODELS:
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    (generated / "kiota-dom-export.txt").unlink(missing_ok=True)
    for path in (packages / name for name in ("bin", *_UNUSED)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (path for pattern in (*_TEXTS, *_TWINS) for path in packages.glob(pattern)):
        path.unlink()
    for path in sorted(packages.rglob("*"), reverse=True):
        if path.is_dir() and path.name in _FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.suffix in _SUFFIXES:
            path.unlink()
    for info in packages.glob("*.dist-info"):
        # They name the files that are gone, and the machine that installed them.
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"):
            (info / name).unlink(missing_ok=True)
        _without_description(info / "METADATA")


def _without_description(metadata: Path) -> None:
    """Leave the headers, which name version, licence and author."""
    headers, _, _ = metadata.read_bytes().partition(b"\n\n")
    metadata.write_bytes(headers + b"\n")


def _keep(folder: Path, names: set[str]) -> None:
    for child in folder.iterdir():
        if child.is_dir() and child.name not in names:
            shutil.rmtree(child)


def strip_symbols(packages: Path) -> None:
    """Take out of extension modules what only a debugger reads; raises LocalError without ``strip``."""
    tool = shutil.which("strip")
    if tool is None:
        raise LocalError("the package needs `strip` (Debian: apt-get install binutils)")
    for path in sorted(path for path in packages.rglob("*") if path.is_file() and ".so" in path.suffixes):
        done = subprocess.run(
            [tool, "--strip-unneeded", str(path)], capture_output=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise LocalError(f"{path.name} cannot be stripped")
