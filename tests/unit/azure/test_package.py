"""What a package is made of; building one takes a minute and is an acceptance point."""

import ast
import json
from itertools import pairwise
from pathlib import Path

import pytest

from infra.local.azure import package, pruning
from infra.local.azure.revisions import Migration, chain, served_since
from infra.local.errors import LocalError
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
    found = [each.revision for each in chain(ROOT / "shared" / "database" / "migrations" / "versions")]
    assert found[0] == "0001"
    assert found[-1] == newest_revision()
    assert len(found) == len(set(found))


def migrations(folder: Path, **served: str) -> list[Migration]:
    """As many as are named, after the baseline, each with its ``served_since``."""
    names = ["0029", *(name.removeprefix("r") for name in served)]
    for before, name in pairwise([None, *names]):
        told = f'served_since = "{since}"\n' if (since := served.get(f"r{name}")) else ""
        down = "None" if before is None else f'"{before}"'
        text = f'revision = "{name}"\ndown_revision = {down}\n{told}'
        (folder / f"{name}_x.py").write_text(text)
    return chain(folder)


def test_a_migration_that_adds_leaves_older_code_served(tmp_path: Path) -> None:
    found = migrations(tmp_path, r0030="", r0031="")
    assert [each.revision for each in found] == ["0029", "0030", "0031"]
    assert served_since(found) == "0029"


def test_one_that_takes_away_says_which_code_is_served_still(tmp_path: Path) -> None:
    found = migrations(tmp_path, r0030="", r0031="", r0032="0030", r0033="", r0034="0029")
    assert served_since(found) == "0030"


@pytest.mark.parametrize("named", ["0031", "0040"])
def test_a_revision_that_is_not_earlier_is_refused(tmp_path: Path, named: str) -> None:
    with pytest.raises(LocalError, match="migration 0031: served_since names"):
        served_since(migrations(tmp_path, r0030="", r0031=named, r0032=""))


def test_the_package_tells_what_it_needs_and_serves() -> None:
    manifest = package._manifest(ROOT)
    assert manifest.schema_revision == newest_revision()
    assert manifest.minimum_schema_revision <= "0029" or any(
        each.served_since for each in chain(ROOT / "shared" / "database" / "migrations" / "versions")
    )
    host = json.loads((ROOT / "host.json").read_text())
    assert manifest.orchestration_versions == (host["extensions"]["durableTask"]["defaultVersion"],)


def test_orchestrations_must_be_matched_by_version(tmp_path: Path) -> None:
    host = tmp_path / "host.json"
    host.write_text(json.dumps({"extensions": {"durableTask": {"versionMatchStrategy": "CurrentOrOlder"}}}))
    with pytest.raises(LocalError, match="needs defaultVersion"):
        package.orchestration_version(host)


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
