"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.durable_functions as df
import azure.functions as func

from shared.triggers import archive_workflow, timers
from shared.triggers.http import (
    appointments,
    archive_configurations,
    archive_runs,
    audit,
    docs,
    health,
    preflight,
    users,
)

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (
    health,
    users,
    archive_configurations,
    archive_runs,
    appointments,
    audit,
    docs,
    preflight,
    archive_workflow,
    timers,
):
    app.register_functions(module.blueprint)
