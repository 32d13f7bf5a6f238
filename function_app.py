"""The Azure Functions app: sets the worker up and registers the blueprints, nothing else."""

# ruff: noqa: E402 - what a start sets is set before anything is imported that reads it.
import gc
import os

# Before its first model pydantic looks for plugins in the metadata of all installed packages: a tenth of a
# cold start, for plugins nobody installed on purpose.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# What a start makes stays. Looking through it for cycles at every 2,000 objects, as is the default, took 33
# of some 500 ms to the first answer; what little is left in cycles may wait for 200,000.
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
    archive_workflow,
    people_workflow,
    verification_workflow,
    timers,
):
    app.register_functions(module.blueprint)
