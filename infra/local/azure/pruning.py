"""What the dependencies carry and the app never loads (docs/graph.md, Size)."""

import shutil
from pathlib import Path

#: Below ``msgraph/generated``: the folders that the app's paths go through.
_GENERATED = {"models", "users", "subscriptions"}
_USERS = {"item"}
_USER = {
    *("calendar", "calendars", "calendar_view", "calendar_groups", "events", "outlook"),
    *("send_mail", "mailbox_settings", "messages"),
}
#: Sources and descriptions of extension modules, and type stubs: nothing reads them at run time.
_SUFFIXES = {".pyx", ".pxd", ".pxi", ".c", ".cc", ".h", ".cpp", ".hpp", ".pyi", ".pyc"}
_FOLDERS = {"__pycache__", "tests", "test"}


def prune(packages: Path) -> None:
    """Delete it; ``packages`` is a folder that wheels were unpacked into."""
    generated = packages / "msgraph" / "generated"
    _keep(generated, _GENERATED)
    _keep(generated / "users", _USERS)
    _keep(generated / "users" / "item", _USER)
    (generated / "kiota-dom-export.txt").unlink(missing_ok=True)
    shutil.rmtree(packages / "bin", ignore_errors=True)
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
