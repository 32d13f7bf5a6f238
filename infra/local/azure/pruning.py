"""What the dependencies carry and the app never loads (docs/graph.md, Size)."""

import shutil
import subprocess
from pathlib import Path

from infra.local.errors import LocalError

#: Below ``msgraph/generated``: the folders that the app's paths go through.
_GENERATED = {"models", "users", "subscriptions"}
_USERS = {"item"}
_USER = {
    *("calendar", "calendars", "calendar_view", "calendar_groups", "events", "outlook"),
    *("send_mail", "mailbox_settings", "messages"),
}
#: Errors, and what other modules that stay derive from.
_MODELS = {
    *("o_data_errors", "__init__.py"),
    *("base_collection_pagination_count_response.py", "base_delta_function_response.py"),
}
#: Sources and descriptions of extension modules, and type stubs: nothing reads them at run time.
_SUFFIXES = {".pyx", ".pxd", ".pxi", ".c", ".cc", ".h", ".cpp", ".hpp", ".pyi", ".pyc"}
_FOLDERS = {"__pycache__", "tests", "test"}
#: Parts of packages that the app never loads: test kits, drivers for other databases, version 1 of pydantic.
#: Flask is a dependency of flask-swagger-ui, of which the app needs the static files alone.
_UNUSED = (
    *("sqlalchemy/testing", "sqlalchemy/dialects/mssql", "sqlalchemy/dialects/mysql"),
    *("sqlalchemy/dialects/oracle", "sqlalchemy/dialects/sqlite", "sqlalchemy/ext/mypy"),
    *("pydantic/v1", "flask", "click", "itsdangerous", "blinker"),
    *("alembic/templates", "opentelemetry/semconv/_incubating", "pip", "pycparser"),
)


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
    for name in ("bin", *_UNUSED):
        shutil.rmtree(packages / name, ignore_errors=True)
    for path in sorted(packages.rglob("*"), reverse=True):
        if path.is_dir() and path.name in _FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.suffix in _SUFFIXES:
            path.unlink()
    for info in packages.glob("*.dist-info"):
        # They name the files that are gone, and the machine that installed them.
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"):
            (info / name).unlink(missing_ok=True)


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
