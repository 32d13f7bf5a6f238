"""The Azure Functions app: registers the blueprints, nothing else."""

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
