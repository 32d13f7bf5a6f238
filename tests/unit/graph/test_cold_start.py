"""What a worker pays before it has asked Graph anything."""

import subprocess
import sys


def test_the_sdk_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, shared.graph.calendar_adapter\n"
        "heavy = {'msgraph', 'msgraph_core', 'azure', 'kiota_http'}\n"
        "print(heavy & {name.split('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "set()"
