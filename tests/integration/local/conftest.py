"""A small app, and a folder for the state of a local system."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.state_folder import delete_state

APP = """\
import os
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="health/ready")
def ready(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ready")


@app.route(route="environment")
def environment(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("|".join(os.environ.get(name, "") for name in req.params["names"].split(",")))


@app.orchestration_trigger(context_name="context")
def nothing(context):
    return None
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(APP)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    delete_state(folder)
