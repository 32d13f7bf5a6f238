"""Deployments of real packages to a real system on this machine (docs/deployment.md)."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from infra.local.api import Api
from infra.local.azure import package
from infra.local.deployment.artefacts import Artefact
from infra.local.deployment.local_target import LocalTarget
from infra.local.deployment.steps import Deployment, Patience
from infra.local.deployment.trial_mailbox import seed
from infra.local.errors import LocalError
from tests.acceptance.conftest import AcceptancePoint

QUICKLY = Patience(functions=40, watching=60, run=240, pause=0.5)
EXPANDING = '''"""Add a column that the version before does not know."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("note_{revision}", sa.Text()))
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    return package.build(tmp_path_factory.mktemp("package"), say=lambda _: None)


def variant(
    built: package.Package, folder: Path, commit: str, files: Mapping[str, str], **told: Any
) -> Artefact:
    """The package with other or more files, as a later commit would have it."""
    target = folder / f"{commit}.zip"
    says = json.loads((built.folder / "build.json").read_text()) | {"commit": commit * 40} | told
    replaced = {**files, "build.json": json.dumps(says)}
    # Bytecode is not compared with its source, so that of what changes must go.
    stale = {cache_from_source(name) for name in files}
    with ZipFile(built.archive) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=1) as packed:
        for name in source.namelist():
            if name not in replaced and name not in stale:
                packed.writestr(name, source.read(name))
        for name, text in replaced.items():
            packed.writestr(name, text)
    return Artefact.read(target)


def with_migration(
    built: package.Package, folder: Path, commit: str, files: Mapping[str, str] | None = None, **told: Any
) -> Artefact:
    before = built.manifest.schema_revision
    name = "shared/database/migrations/versions/9001_note.py"
    migration = EXPANDING.format(revision="9001", before=before)
    given = {"schema_revision": "9001"} | told
    return variant(built, folder, commit, {name: migration, **(files or {})}, **given)


def test_the_package_is_the_same_each_time(
    built: package.Package, tmp_path: Path, acceptance_point: AcceptancePoint
) -> None:
    again = package.build(tmp_path, say=lambda _: None)
    same = again.sha256 == built.sha256
    acceptance_point(measured=f"{again.size / 1e6:.1f} MB, same: {same}", bound="same bytes")
    assert again.sha256 == built.sha256


async def test_a_deployment_in_the_middle_of_a_night_and_its_rollbacks(
    built: package.Package, tmp_path: Path, acceptance_point: AcceptancePoint
) -> None:
    said: list[str] = []
    deployment = Deployment(said.append, QUICKLY)
    first = variant(built, tmp_path, "a", {})
    second = with_migration(built, tmp_path, "b", minimum_schema_revision=built.manifest.schema_revision)
    stops = {"function_app.py": "raise RuntimeError('broken')\n"}
    broken = with_migration(built, tmp_path, "c", stops)
    async with LocalTarget("production", tmp_path / "production", seed=seed) as target:
        await deployment.run(first, target)
        # N to N+1 while a run writes: the host is ended under it, and the run ends all the same.
        api = Api(target.client, target.stack.api, await target.admin_token())
        now = datetime.now(UTC)
        window = {
            "window_start": (now - timedelta(days=70)).isoformat(),
            "window_end": now.isoformat(),
        }
        path = f"archive-configurations/{await target.test_configuration()}/runs"
        run = (await api.request("POST", path, window)).headers["Location"]
        await asyncio.sleep(1.5)
        await deployment.run(second, target)
        state = ""
        for _ in range(240):
            state = (await api.request("GET", run)).json()["status"]
            if state in ("completed", "completed_with_errors", "failed"):
                break
            await asyncio.sleep(0.5)
        assert state == "completed"
        # It goes back by itself when what was deployed does not work.
        with pytest.raises(LocalError):
            await deployment.run(broken, target)
        assert any("rolling back" in line for line in said)
        assert await commit(target) == "b" * 40
        # One rollback that may be done: N serves the schema of N+1, and archives on it.
        assert (await deployment.rollback(target)).commit == "a" * 40
        assert await target.schema_revision() == "9001"
        # And one that may not: what is deployed now says that the database no longer serves the older code.
        third = with_migration(built, tmp_path, "d", minimum_schema_revision="9001")
        await deployment.run(third, target)
        with pytest.raises(LocalError, match="serves code of 9001 and later"):
            await deployment.rollback(target)
        assert await commit(target) == "d" * 40
    acceptance_point(measured="run completed; back by itself; one allowed, one refused", bound="all")


async def commit(target: LocalTarget) -> str:
    response = await target.client.get(f"{target.base_url}/api/health/live")
    return str(response.json()["commit"])
