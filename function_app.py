"""The Azure Functions app: configures the worker and registers the blueprints, nothing else."""

# ruff: noqa: E402 - start settings must be set before anything is imported that reads them.
import gc
import os

# Before its first model, pydantic searches the metadata of all installed packages for plugins. That takes a
# tenth of a cold start, and no plugin is installed on purpose.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Objects made at the start stay. By default, the collector checks them for cycles every 2,000 objects, which
# took 33 of some 500 ms to the first answer. The few cycles that remain can wait for 200,000.
gc.set_threshold(200_000, 10, 10)

import azure.durable_functions as df
import azure.functions as func

from shared.triggers import archive_workflow, people_workflow, timers, verification_workflow
from shared.triggers.http import (
    action_items,
    appointments,
    archive_configurations,
    archive_plans,
    archive_runs,
    audit,
    backfills,
    break_glass,
    calendars,
    categories,
    category_rules,
    docs,
    health,
    leaving,
    local_calendars,
    mailbox_approvals,
    me,
    months,
    notifications,
    overlaps,
    people,
    preflight,
    system,
    tenants,
    users,
    verifications,
)

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for module in (
    health,
    me,
    users,
    people,
    leaving,
    tenants,
    system,
    calendars,
    local_calendars,
    archive_configurations,
    archive_plans,
    archive_runs,
    backfills,
    verifications,
    mailbox_approvals,
    break_glass,
    appointments,
    overlaps,
    action_items,
    notifications,
    audit,
    categories,
    category_rules,
    months,
    docs,
    preflight,
):
    app.register_functions(module.endpoints.blueprint)
for workflow in (archive_workflow, people_workflow, verification_workflow, timers):
    app.register_functions(workflow.blueprint)
