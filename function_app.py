"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.functions as func

from shared.triggers.http import appointments, archive_configurations, archive_runs, health, preflight, users

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (health, users, archive_configurations, archive_runs, appointments, preflight):
    app.register_functions(module.blueprint)
