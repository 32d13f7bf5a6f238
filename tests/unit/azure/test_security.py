"""Static security checks: what is committed has no unexplained finding, and a new one is found.

Here over the parts that face the outside; ``./dev check-infra`` looks through everything.
"""

import json
from pathlib import Path

from infra.local.azure import security
from infra.local.stack import ROOT


def test_bandit_finds_nothing_that_is_not_explained(tmp_path: Path) -> None:
    assert security.bandit(folders=["function_app.py", "shared/triggers", "shared/services/months"]) == ""
    (tmp_path / "planted.py").write_text("import yaml\nyaml.load(open('x'))\n")
    assert "B506" in security.bandit(tmp_path, ["planted.py"])


def test_the_infrastructure_and_settings_hold_no_unexplained_secret(tmp_path: Path) -> None:
    files = [*security.tracked(below="infra/azure"), "shared/settings.py", "local.settings.sample.json"]
    assert security.secrets(files) == []
    # Made here, so that the scan of this file does not find it.
    (tmp_path / "planted.env").write_text("AWS_KEY=" + "AKIA" + "Q" * 16 + "\n")
    (found,) = security.secrets(["planted.env"], tmp_path)
    assert found.startswith("planted.env:1: AWS")


def test_every_explanation_is_of_a_file_that_is_there() -> None:
    for path, reasons in json.loads(security.EXPLAINED.read_text()).items():
        assert (ROOT / path).is_file(), path
        assert all(reasons.values()), path
