"""The local Functions host itself, on several instances."""

import asyncio
import os
import re
import sys

from infra.local import app_instances
from infra.local.stack import ROOT
from tests.acceptance.conftest import AcceptancePoint

_SUITE = ("test_sdk_suite.py", "test_sdk_suite_by_style.py")
_INSTANCES = "http=1,durable=2,timer=1"


async def test_durable_suite_on_several_instances(acceptance_point: AcceptancePoint) -> None:
    """What the Durable SDK's public suite asserts holds on instances that share one engine, too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pytest", "--tb=short"),
        *(f"tests/integration/functions_host/{name}" for name in _SUITE),
        cwd=ROOT,
        env=os.environ | {app_instances.SETTING: _INSTANCES},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    marks = "".join(re.findall(r"^([.FEs]+) *\[ *\d+%\]$", output, re.MULTILINE))
    acceptance_point(
        measured=f"{marks.count('.')} of {len(marks)} assertions on {_INSTANCES}", bound="all, at least 90"
    )
    assert process.returncode == 0, output[-4000:]
    assert marks.count(".") == len(marks) >= 90
