"""Nothing ambient decides: importing changes nothing, and a tenant is an argument (ARCHITECTURE.md)."""

import ast
import subprocess
import sys

from tests.unit.architecture.test_imports import ROOT, modules

_IMPORT_ALL = """
import gc, importlib, locale, logging, os, signal, sys

def state():
    return {
        "environment": dict(os.environ),
        "garbage collection": (gc.get_threshold(), gc.isenabled()),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "signals": [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)],
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
    }

# Libraries that set something themselves when they are loaded, on which the product has no say.
import pydantic, sqlalchemy, azure.functions, azure.durable_functions
before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
after = state()
print([each for each in before if before[each] != after[each]])
"""
#: Who audits and queues in somebody's name; none of them chooses a tenant by it.
_MAY_ASK_WHO_ACTS = {
    "shared.telemetry",
    "shared.services.audit.recording",
    "shared.services.backfilling.service",
}


def test_importing_the_product_changes_nothing() -> None:
    names = [
        name
        for name, _ in modules()
        if name.startswith("shared") and not name.startswith("shared.database.migrations")
    ]
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_actor_decides_no_tenant() -> None:
    found = set()
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.Attribute) and node.attr == "current_caller") or (
                isinstance(node, ast.Name) and node.id == "current_caller"
            ):
                found.add(name)
    assert found == _MAY_ASK_WHO_ACTS
