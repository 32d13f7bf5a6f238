"""What a package is made of; building one takes a minute and is an acceptance point."""

import ast
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.azure import bytecode, package, probe, pruning, reachability
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
    bytecode.without_docstrings(tree)
    assert ast.unparse(tree) == "class A:\n    pass\n\ndef f():\n    assert g"


def test_a_docstring_that_must_be_there_is_shortened() -> None:
    tree = ast.parse('def f():\n    """Text of many words."""\ndef g(): return 1\n')
    bytecode.without_docstrings(tree, instead=".")
    made: dict[str, Any] = {}
    exec(compile(tree, "x", "exec"), made)  # noqa: S102 - compiled above
    assert (made["f"].__doc__, made["g"].__doc__) == (".", None)


def test_bytecode_takes_the_place_of_sources_except_those_that_are_looked_for(tmp_path: Path) -> None:
    stay = ["function_app.py", "shared/database/migrations/env.py"]
    go = ["shared/a.py", ".python_packages/lib/site-packages/b.py"]
    for name in (*stay, *go):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    bytecode.compile_folder(tmp_path)
    assert [name for name in (*stay, *go) if (tmp_path / name).is_file()] == stay
    assert all((tmp_path / name).with_suffix(".pyc").is_file() for name in go)
    # Not compared with the source (PEP 552): a file's time in a zip says nothing.
    compiled = [(tmp_path / "shared/a.pyc"), *(tmp_path / "__pycache__").iterdir()]
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}


def test_ours_must_compile(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("def (:\n")
    with pytest.raises(LocalError, match=r"function_app\.py does not compile"):
        bytecode.compile_folder(tmp_path)


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
        "msgraph/generated/users/item/messages/messages_request_builder.py",
        "sqlalchemy/dialects/oracle/base.py",
        "aiohttp/_websocket/reader_c.cpython-313-x86_64-linux-gnu.so",
        "flask_swagger_ui/dist/swagger-ui.js",
        "grpc/_cython/_credentials/roots.pem",
        "aiohttp/tests/test_web.py",
        "aiohttp/_http.pyx",
        "aiohttp-1.dist-info/RECORD",
        "bin/alembic",
    ]
    for name in [*keep, *drop]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "aiohttp-1.dist-info" / "METADATA").write_text("Name: aiohttp\n\nA long text\n\nmore\n")
    pruning.prune(tmp_path)
    assert (tmp_path / "aiohttp-1.dist-info" / "METADATA").read_text() == "Name: aiohttp\n"
    assert sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    ) == sorted(keep)


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_what_nothing_imports_is_found(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("def f():\n    from a.b import c\n")
    packages = tmp_path / "packages"
    kept = {
        "a/__init__.py": "",
        "a/b/__init__.py": "from . import near\nfrom .. import up\nNAMES = ['by_name']\n",
        "a/b/c.py": "import_module('e.f'); import_module('.relative', __package__)",
        "a/b/near.py": "import g",
        "a/b/by_name.py": "",
        "a/b/relative.py": "",
        "a/up.py": "",
        "e/__init__.py": "",
        "e/f.py": "",
        "g.py": "",
        "fast/__init__.py": "",
        "fast/only_the_extension_imports_it.py": "",
        "data/__init__.py": "",
    }
    gone = {"a/x.py": "import h", "a/b/y.py": "", "h.py": "", "i/__init__.py": "", "i/j.py": ""}
    written(packages, {**kept, **gone, "fast/it.so": "", "data/zones.txt": ""})
    found = reachability.unreached(packages, [app])
    assert {str(path.relative_to(packages)) for path in found} == set(gone)


def test_what_an_entry_point_of_telemetry_names_is_kept(tmp_path: Path) -> None:
    points = "[opentelemetry_context]\ncontextvars = o.context:Context\n[console_scripts]\nx = o.cli:main\n"
    written(tmp_path, {"o/context.py": "", "o/cli.py": "", "o-1.dist-info/entry_points.txt": points})
    found = reachability.unreached(tmp_path, [])
    assert [path.name for path in found] == ["cli.py"]


def test_a_package_that_lacks_a_module_is_refused(tmp_path: Path) -> None:
    files = {"function_app.py": "", "shared/__init__.py": "", "shared/a.py": "def f():\n    import p.q\n"}
    written(tmp_path, files)
    packages = tmp_path / bytecode.DEPENDENCIES
    written(packages, {"p/__init__.py": ""})
    names = probe.imported(tmp_path / name for name in files)
    assert names == {"p.q"}
    with pytest.raises(LocalError, match=r"lacks what the app imports: p\.q: ModuleNotFoundError"):
        probe.check(tmp_path, names)
    written(packages, {"p/q.py": ""})
    assert probe.check(tmp_path, names)
