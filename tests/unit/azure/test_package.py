"""What a package is made of; building one takes a minute and is an acceptance point."""

import ast
from pathlib import Path

from infra.local.azure import package, pruning
from infra.local.stack import ROOT
from shared.database.migrate import newest_revision


def test_the_lock_has_what_the_app_asks_for() -> None:
    locked = package.locked()
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert locked[name.partition("[")[0].lower().replace("_", "-")] == version, line
    assert "--hash=sha256:" in package.LOCK.read_text()


def test_migrations_are_followed_along_their_chain() -> None:
    chain = package.revisions(ROOT / "shared" / "database" / "migrations" / "versions")
    assert chain[0] == "0001"
    assert chain[-1] == newest_revision()
    assert len(chain) == len(set(chain))


def test_docstrings_go_and_nothing_else() -> None:
    tree = ast.parse(
        '"""Module."""\n"second"\nclass A:\n    """Text."""\ndef f():\n    """Text."""\n    assert g\n'
    )
    package._without_docstrings(tree)
    assert ast.unparse(tree) == "class A:\n    pass\n\ndef f():\n    assert g"


def test_what_the_app_never_loads_is_pruned(tmp_path: Path) -> None:
    keep = [
        "msgraph/generated/users/item/events/events_request_builder.py",
        "msgraph/generated/models/o_data_errors/o_data_error.py",
        "sqlalchemy/dialects/postgresql/asyncpg.py",
        "aiohttp/web.py",
        "aiohttp-1.dist-info/METADATA",
    ]
    drop = [
        "msgraph/generated/users/item/drive/x.py",
        "msgraph/generated/models/user.py",
        "msgraph/generated/teams/x.py",
        "msgraph/generated/kiota-dom-export.txt",
        "sqlalchemy/dialects/oracle/base.py",
        "aiohttp/tests/test_web.py",
        "aiohttp/_http.pyx",
        "aiohttp-1.dist-info/RECORD",
        "bin/alembic",
    ]
    for name in [*keep, *drop]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pruning.prune(tmp_path)
    assert sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    ) == sorted(keep)
