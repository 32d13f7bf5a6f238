"""What AzureTarget asks of ``az``, through a stand-in first on PATH, and what it makes of the answers."""

import json
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from infra.local.azure import tools
from infra.local.deployment.artefacts import Artefact
from infra.local.deployment.azure_target import AzureTarget
from infra.local.deployment.steps import Deployment, Patience
from infra.local.errors import LocalError
from tests.unit.azure.stand_in import StandIn

VALUES = {
    "FUNCTION_APP_NAME": "app",
    "AZURE_RESOURCE_GROUP": "group",
    "DATABASE_HOST": "server.postgres.database.azure.com",
    "DATABASE_NAME": "admin_assistant",
    "ARTEFACT_CONTAINER_URL": "https://packages.blob.core.windows.net/artefacts/",
    "ADMIN_ASSISTANT_CLIENT_ID": "client",
}
SITE = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Web/sites/app"
#: Answers as documented for each command; blobs are files in a folder.
AZ = """
import shutil
blobs = folder / "blobs"
blobs.mkdir(exist_ok=True)
said = " ".join(arguments)
if said.startswith("functionapp show"):
    print(json.dumps("app.azurewebsites.net"))
elif said.startswith("functionapp deployment source config-zip"):
    if (folder / "refuse").exists():
        sys.exit("ERROR: Deployment was refused")
    shutil.copyfile(value("--src"), folder / "deployed.zip")
elif said.startswith("functionapp keys list"):
    print(json.dumps({"masterKey": "m", "systemKeys": {"durabletask_extension": "durable-key"}}))
elif said.startswith("account get-access-token"):
    of = value("--resource-type") or value("--resource")
    print(json.dumps({"accessToken": "token/of+" + of}))
elif said.startswith("account show"):
    print(json.dumps({"id": "sub"}))
elif said.startswith("rest --method get"):
    print(json.dumps({"value": [{"name": "app/dispatch"}, {"name": "app/health_live"}]}))
elif said.startswith("rest --method post"):
    pass
elif said.startswith("storage blob list"):
    found = sorted(path for path in blobs.rglob("*") if path.is_file())
    print(json.dumps([{"name": path.relative_to(blobs).as_posix()} for path in found]))
elif said.startswith("storage blob download"):
    shutil.copyfile(blobs / value("--name"), value("--file"))
elif said.startswith("storage blob upload"):
    target = blobs / value("--name")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(value("--file"), target)
else:
    sys.exit("ERROR: not expected: " + said)
"""
#: What a package brings to migrate with; it writes down what it was started with.
MIGRATE = """
import json, os, sys
from pathlib import Path
what = sys.argv[1]
Path({log!r}).write_text(json.dumps([what, os.environ["DATABASE_URL"], os.getcwd()]))
if {failing!r}:
    sys.exit("migrate: permission denied for schema public")
print("0031")
"""
QUICKLY = Patience(functions=0.2, watching=2, run=1, pause=0.01)


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(tmp_path / "tools")
    stand_in.install("az", AZ)
    monkeypatch.setenv("PATH", str(stand_in.bin), prepend=":")
    return stand_in


def package(
    folder: Path, commit: str, *, failing: bool = False, version: str = "1.0.0", served: str = "0029"
) -> Artefact:
    path = folder / f"{commit}.zip"
    told = {
        "version": f"1.{commit}",
        "commit": commit * 40,
        "schema_revision": "0031" if served == "0029" else served,
    }
    told |= {"minimum_schema_revision": served}
    code = MIGRATE.format(log=str(folder / "migrated.json"), failing=failing)
    with ZipFile(path, "w") as packed:
        packed.writestr("build.json", json.dumps(told | {"orchestration_versions": [version]}))
        packed.writestr("shared/__init__.py", "")
        packed.writestr("shared/database/__init__.py", "")
        packed.writestr("shared/database/migrate.py", code)
    return Artefact.read(path)


def target(az: StandIn, *, broken: str = "", running: bool = False, name: str = "prod") -> AzureTarget:
    """With an app that answers as whatever was deployed last; the package ``broken`` is never ready."""

    def app(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "app.azurewebsites.net"
        with ZipFile(az.folder / "deployed.zip") as deployed:
            commit = json.loads(deployed.read("build.json"))["commit"]
        if request.url.path.startswith("/runtime/webhooks/durabletask/instances"):
            if request.headers.get("x-functions-key") != "durable-key":
                return httpx.Response(401)
            return httpx.Response(200, json=[{"instanceId": "1"}] if running else [])
        ready = commit[0] != broken or request.url.path != "/api/health/ready"
        return httpx.Response(200 if ready else 503, json={"commit": commit})

    made = AzureTarget(name, VALUES, lambda command: tools.run(command))
    made.client = httpx.AsyncClient(transport=httpx.MockTransport(app))
    return made


async def test_a_deployment_migrates_deploys_and_is_remembered(az: StandIn, tmp_path: Path) -> None:
    said: list[str] = []
    async with target(az) as prod:
        await Deployment(said.append, QUICKLY).run(package(tmp_path, "a"), prod)
        await Deployment(said.append, QUICKLY).run(package(tmp_path, "b"), prod)
    what, url, folder = json.loads((tmp_path / "migrated.json").read_text())
    assert what == "current"
    # The token is quoted, its host is checked, and its code is the package's, not the checkout's.
    assert url == (
        "postgresql://app_owner:token%2Fof%2Boss-rdbms@server.postgres.database.azure.com:5432/"
        "admin_assistant?sslmode=verify-full"
    )
    assert "code-" in folder
    calls = [" ".join(call) for call in az.calls()]
    assert not any("token/of" in call for call in calls)
    synchronised = f"az rest --method post --url {SITE}/syncfunctiontriggers?api-version=2024-04-01"
    assert calls.index(synchronised) < calls.index(
        f"az rest --method get --url {SITE}/functions?api-version=2024-04-01"
    )
    (deployed, _) = [call for call in calls if "config-zip" in call]
    assert "--resource-group group --name app --src " in deployed
    assert "--build-remote false" in deployed
    # Another machine finds the record in the container, and goes back by it.
    async with target(az) as elsewhere:
        assert [each.commit[0] for each in elsewhere.record.all()] == ["a", "b"]
        back = await Deployment(said.append, QUICKLY).rollback(elsewhere)
        assert back.commit == "a" * 40
    assert Artefact.read(az.folder / "deployed.zip").commit == "a" * 40
    # Environments share the container, not the record.
    async with target(az, name="staging") as staging:
        assert staging.record.all() == []


async def test_what_does_not_become_ready_is_taken_back(az: StandIn, tmp_path: Path) -> None:
    said: list[str] = []
    async with target(az, broken="b") as prod:
        await Deployment(said.append, QUICKLY).run(package(tmp_path, "a"), prod)
        with pytest.raises(LocalError, match="/api/health/ready answered 503"):
            await Deployment(said.append, QUICKLY).run(package(tmp_path, "b"), prod)
        assert [each.commit[0] for each in prod.record.all()] == ["a"]
    assert Artefact.read(az.folder / "deployed.zip").commit == "a" * 40
    assert any("rolling back to 1.a" in line for line in said)


async def test_a_migration_that_fails_changes_nothing(az: StandIn, tmp_path: Path) -> None:
    async with target(az) as prod:
        with pytest.raises(LocalError, match="prod: the migration failed: migrate: permission denied"):
            await Deployment(lambda _: None, QUICKLY).run(package(tmp_path, "a", failing=True), prod)
    assert not (az.folder / "deployed.zip").exists()


async def test_a_refusal_of_azure_is_told(az: StandIn, tmp_path: Path) -> None:
    (az.folder / "refuse").touch()
    async with target(az) as prod:
        with pytest.raises(LocalError, match="Deployment was refused"):
            await prod.deploy(package(tmp_path, "a"))


async def test_tokens_and_functions(az: StandIn) -> None:
    async with target(az) as prod:
        assert await prod.admin_token() == "token/of+api://client"
        assert await prod.functions() == ["dispatch", "health_live"]
        assert await prod.test_configuration() == ""
        with pytest.raises(LocalError, match="no package tells"):
            await prod.schema_revision()


async def test_a_missing_output_is_named() -> None:
    with pytest.raises(LocalError, match="not set: DATABASE_NAME"):
        AzureTarget("prod", VALUES | {"DATABASE_NAME": ""}, lambda _: "")


@pytest.mark.parametrize("running", [False, True])
async def test_orchestrations_of_a_newer_version_stand_in_the_way_while_they_run(
    az: StandIn, tmp_path: Path, running: bool
) -> None:
    deployment = Deployment(lambda _: None, QUICKLY)
    async with target(az, running=running) as prod:
        await deployment.run(package(tmp_path, "a"), prod)
        await deployment.run(package(tmp_path, "b", version="2.0.0"), prod)
        if running:
            with pytest.raises(LocalError, match=r"orchestrations of version 2\.0\.0 are in flight"):
                await deployment.rollback(prod)
        else:
            assert (await deployment.rollback(prod)).commit == "a" * 40


async def test_code_that_the_schema_no_longer_serves_is_not_gone_back_to(az: StandIn, tmp_path: Path) -> None:
    said: list[str] = []
    deployment = Deployment(said.append, QUICKLY)
    async with target(az, broken="b") as prod:
        await deployment.run(package(tmp_path, "a"), prod)
        with pytest.raises(LocalError, match="answered 503"):
            await deployment.run(package(tmp_path, "b", served="0032"), prod)
    assert any("not rolled back to 1.a" in line and "0032 and later" in line for line in said)
    assert Artefact.read(az.folder / "deployed.zip").commit == "b" * 40
    # Another machine knows it too, though the package was never taken up into the record.
    async with target(az) as elsewhere:
        assert elsewhere.record.served_since() == "0032"
