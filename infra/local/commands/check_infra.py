"""``./dev check-infra``: the infrastructure for Azure, as far as it can be checked without Azure."""

import argparse
import sys
from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Exit status 0 only if nothing was found; what the type files do not know is listed beside it."""
    parser = argparse.ArgumentParser(prog="./dev check-infra", allow_abbrev=False)
    parser.add_argument(
        "--bicep-only", action="store_true", help="leave out workflows, migrations, static security checks"
    )
    given = parser.parse_args(arguments)
    # Only here: the parser's grammar is loaded with them.
    from infra.local.azure import infrastructure, migrations, security

    report = infrastructure.check()
    for finding in sorted(report.findings):
        print(finding)
    for finding in sorted(report.not_checked):
        print(f"not checked: {finding}")
    failed = len(report.findings)
    if not given.bicep_only:
        for name, status, said in [*infrastructure.tools(), migrations.check(), *security.checks()]:
            print(f"{name}: {'ok' if status == 0 else 'FAILED'}")
            if status != 0:
                failed += 1
                print(said)
    print(f"{report.resources} resources in {report.files} files checked, {failed} findings", file=sys.stderr)
    return 1 if failed else 0
