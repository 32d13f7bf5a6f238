"""``./dev check-infra`` is clean, and finds what is wrong when something is."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest

from infra.local.azure import infrastructure, lints, migrations
from infra.local.azure.bicep import BicepFile
from infra.local.commands import check_infra
from infra.local.stack import ROOT
from shared.settings import Settings

AZURE = ROOT / "infra" / "azure"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the checks read of a checkout, to be spoilt."""
    shutil.copytree(AZURE, tmp_path / "infra" / "azure", ignore=shutil.ignore_patterns("resource-types"))
    (tmp_path / "docs").mkdir()
    for name in ("local.settings.sample.json", "docs/runbook.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_infrastructure_is_clean_and_what_the_types_do_not_know_is_listed() -> None:
    assert check_infra.run(["--bicep-only"]) == 0
    report = infrastructure.check()
    assert [str(finding) for finding in report.findings] == []
    assert report.resources > 40
    assert sorted(finding.what.rpartition(": ")[2].partition("@")[0] for finding in report.not_checked) == [
        "Microsoft.Consumption/budgets",
        "Microsoft.Insights/workbooks",
    ]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        ("modules/storage.bicep", "minimumTlsVersion:", "minimalTlsVersion:", "unknown property"),
        ("modules/storage.bicep", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "must be"),
        ("modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "must be"),
        ("modules/storage.bicep", "isVersioningEnabled: false", "isVersioningEnabled: 'no'", "wants"),
        ("modules/vault.bicep", "publicAccess ? 'Enabled' : 'Disabled'", "'Enabled'", "stays public"),
        ("modules/vault.bicep", "  tags: tags\n", "", "has no tags"),
        ("modules/vault.bicep", "tenantId: tenantId", "tenantId: tenant_Id", "tenant_Id is not declared"),
        ("modules/scheduler.bicep", "ipAllowlist: publicAccess ? ['0.0.0.0/0'] : []", "", "missing property"),
        ("modules/functionApp.bicep", "type: 'UserAssigned'\n", "type: 'Assigned'\n", "not one of"),
        (
            "modules/functionApp.bicep",
            "        '/api/health/ready'\n",
            "",
            "excludedPaths lacks /api/health/ready",
        ),
        ("modules/functionApp.bicep", "unauthenticatedClientAction: 'Return401'", "other: 1", "unknown"),
        ("modules/functionApp.bicep", "runtime: {", "linuxFxVersion: {", "takes no linuxFxVersion"),
        ("modules/functionApp.bicep", "ADMIN_ASSISTANT_STORAGE", "ADMIN_ASSISTANT_STORE", "neither set"),
        (
            "modules/functionApp.bicep",
            "output url string =",
            "output password string =",
            "may carry a secret",
        ),
        ("main.bicep", "publicAccess: !profile.privateNetwork", "publicAccess: true", "must be !profile"),
        ("main.bicep", "    vaultUri: vault.outputs.vaultUri\n", "", "the parameter vaultUri"),
        ("main.bicep", "vault.outputs.vaultUri", "vault.outputs.uri", "has no output uri"),
        ("modules/alerts.bicep", "name: 'late-jobs'", "name: 'later-jobs'", "later-jobs has no section"),
        ("parameters/prod-firm.bicepparam", "param nightlyAt", "param nightAt", "no parameter nightAt"),
        ("profiles.json", '"maximumInstances": 100', '"maximumInstances": 200', "connections may be wanted"),
        ("profiles.json", '"alwaysReadyHttp": 2', '"alwaysReadyHttp": 1', "billed as two"),
    ],
)
def test_a_mistake_is_found(checkout: Path, file: str, right: str, wrong: str, told: str) -> None:
    path = checkout / "infra" / "azure" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    found = [str(finding) for finding in infrastructure.check(checkout).findings]
    assert any(told in finding for finding in found), found


def test_a_file_that_cannot_be_parsed_is_told(checkout: Path) -> None:
    path = checkout / "infra" / "azure" / "modules" / "budget.bicep"
    path.write_text(path.read_text().replace("resource budget", "resource budget budget"))
    assert any("syntax" in finding.what for finding in infrastructure.check(checkout).findings)


def test_what_is_left_to_its_default_has_one() -> None:
    names = json.loads((AZURE / "defaulted-settings.json").read_text())
    fields = {f"ADMIN_ASSISTANT_{name.upper()}": field for name, field in Settings.model_fields.items()}
    for name in names:
        if name.startswith("ADMIN_ASSISTANT_"):
            assert not fields[name].is_required(), name


def logged_lines() -> list[str]:
    """What the product writes into its log, as patterns."""
    found = []
    for path in (ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="debug" | "info" | "warning" | "error"),
                    args=[ast.Constant(value=str(text)), *_],
                ):
                    found.append(re.sub(r"%[sd]", ".*", re.escape(text).replace(r"\%", "%")))
    return found


def test_an_alert_asks_for_lines_that_are_written() -> None:
    text = (AZURE / "modules" / "alerts.bicep").read_text()
    asked = set(re.findall(r'what == "([^"]+)"', text))
    # Of subscriptions, which are not made yet: such alerts are off.
    written = [pattern for pattern in logged_lines() if not pattern.startswith(".*")]
    assert not any(
        re.fullmatch(pattern, "the signing keys of tenant x cannot be read: y") for pattern in written
    )
    assert "archive run finished" in asked
    parts = ["graph answered 429 to 3 writes of a batch", "graph answered 429 TooMany, request-id 1"]
    parts += ["signing keys of tenant x cannot be read: y"]
    for line in [*(asked - {"graph subscriptions"}), *parts]:
        assert any(re.fullmatch(pattern, line) for pattern in written), line


def test_every_alert_is_found_by_its_name() -> None:
    names = lints.alert_names(BicepFile.read(AZURE / "modules" / "alerts.bicep"))
    assert len(names) == len(set(names)) == 15
    assert {"failed-runs", "signing-keys", "no-nightly-run", "database-connections", "budget"} <= set(names)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE a DROP COLUMN b",
        "DROP TABLE a",
        "ALTER TABLE a RENAME COLUMN b TO c",
        "REVOKE SELECT ON a FROM app_user",
    ],
)
def test_a_migration_that_takes_away_must_say_since_when_code_is_served(statement: str) -> None:
    given = ["SET LOCAL lock_timeout = '5s'", statement]
    assert migrations.lint("0031", given, contracts=False)
    assert migrations.lint("0031", given, contracts=True) == ""


def test_what_holds_a_lock_for_long_is_found_in_any_migration() -> None:
    given = ["ALTER TABLE a ALTER COLUMN b TYPE bigint"]
    assert "changing-column-type" in migrations.lint("0031", given, contracts=True)


def test_the_statements_of_a_migration_are_read_out_of_the_servers_log() -> None:
    log = (
        "2026-11-29 07:00:00 GMT [1] LOG:  statement: ALTER TABLE a\n\tADD COLUMN b int\n"
        "2026-11-29 07:00:00 GMT [1] LOG:  execute __asyncpg_stmt_1__: SELECT 1\n"
        "2026-11-29 07:00:00 GMT [1] LOG:  statement: UPDATE alembic_version SET version_num='0031' WHERE 1\n"
        "2026-11-29 07:00:00 GMT [1] LOG:  statement: DROP TABLE a\n"
        "2026-11-29 07:00:00 GMT [1] LOG:  statement: UPDATE alembic_version SET version_num='0032' WHERE 1\n"
    )
    assert migrations.statements_by_revision(log) == {
        "0031": ["ALTER TABLE a\nADD COLUMN b int"],
        "0032": ["DROP TABLE a"],
    }


def test_the_instances_of_every_profile_fit_the_connections_of_its_server() -> None:
    """What the instances may open together, with what others need, is what the server is told to allow."""
    profiles = json.loads((AZURE / "profiles.json").read_text())
    application = (AZURE / "modules" / "functionApp.bicep").read_text()
    database = (AZURE / "modules" / "database.bicep").read_text()
    # The numbers of the profile are those that are deployed.
    assert "maximumInstanceCount: profile.maximumInstances" in application
    assert "'ADMIN_ASSISTANT_DATABASE_POOL_SIZE', value: string(profile.poolSize)" in application
    assert "'ADMIN_ASSISTANT_DATABASE_MAX_OVERFLOW', value: string(profile.poolOverflow)" in application
    assert "value: string(maxConnections)" in database
    wanted = {
        f"{size}/{environment}": profile["maximumInstances"] * (profile["poolSize"] + profile["poolOverflow"])
        for size, environments in profiles.items()
        for environment, profile in environments.items()
    }
    allowed = {
        f"{size}/{environment}": profile["maxConnections"] - lints.RESERVED_CONNECTIONS
        for size, environments in profiles.items()
        for environment, profile in environments.items()
    }
    assert len(wanted) == 6
    assert {name: needed for name, needed in wanted.items() if needed > allowed[name]} == {}
