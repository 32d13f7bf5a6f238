"""Every check of the infrastructure together: Bicep, parameters, workflows, migrations."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.azure import lints, references
from infra.local.azure.bicep import BicepFile, Finding
from infra.local.azure.resource_check import ResourceCheck
from infra.local.stack import ROOT

_TOOL_SECONDS = 300


@dataclass(slots=True)
class Report:
    """What was found, what could not be checked here, and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    not_checked: list[Finding] = field(default_factory=list)
    resources: int = 0
    files: int = 0


def check(root: Path = ROOT) -> Report:
    """Check all Bicep and parameter files below ``infra/azure`` of a checkout."""
    report, folder = Report(), root / "infra" / "azure"
    files = {path: BicepFile.read(path) for path in sorted(folder.rglob("*.bicep"))}
    for file in files.values():
        resources = ResourceCheck(file)
        resources.run()
        report.findings += [*resources.findings, *references.check(file), *lints.of_file(file)]
        report.not_checked += resources.not_checked
        report.resources += resources.resources
    main = files[folder / "main.bicep"]
    alerts, app = files[folder / "modules" / "alerts.bicep"], files[folder / "modules" / "functionApp.bicep"]
    parameter_files = sorted(folder.rglob("*.bicepparam"))
    report.files = len(files) + len(parameter_files)
    report.findings += lints.private_modules(main)
    report.findings += lints.profiles(folder / "profiles.json")
    report.findings += lints.settings(
        app, root / "local.settings.sample.json", folder / "defaulted-settings.json"
    )
    report.findings += lints.runbook(alerts, root / "docs" / "runbook.md")
    for path in parameter_files:
        report.findings += lints.parameters(main, path)
    return report


def tools(root: Path = ROOT) -> Iterator[tuple[str, int, str]]:
    """Name, exit status and output of each outside checker: workflows by zizmor and their JSON schema."""
    workflows = sorted(str(path) for path in (root / ".github" / "workflows").glob("*.yml"))
    scripts = Path(sys.executable).parent
    if workflows:
        schema = ["--builtin-schema", "vendor.github-workflows"]
        yield _run("check-jsonschema", [str(scripts / "check-jsonschema"), *schema, *workflows], root)
        yield _run("zizmor", [str(scripts / "zizmor"), "--offline", "--no-progress", *workflows], root)


def _run(name: str, command: list[str], folder: Path) -> tuple[str, int, str]:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TOOL_SECONDS
    )
    return name, done.returncode, (done.stdout + done.stderr).strip()
