"""Timers."""

import azure.durable_functions as df
import azure.functions as func

from shared.application import get_application
from shared.triggers.archive_workflow import drive_archive_runs, start_archive_runs
from shared.triggers.people_workflow import drive_people_work
from shared.triggers.verification_workflow import drive_verifications, start_verifications

blueprint = df.Blueprint()


# Twice a minute, so that work without an orchestration is started again within 60 seconds.
@blueprint.timer_trigger(arg_name="timer", schedule="*/30 * * * * *", run_on_startup=False, use_monitor=False)
@blueprint.durable_client_input(client_name="client")
async def dispatch_due_jobs(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Claim due jobs, start their runs, and start again what lost its orchestration (domain.md 8.2)."""
    app = get_application()
    archiving, verifications = app.archiving, app.verifications
    await start_archive_runs(client, await archiving.claim_due_jobs())
    await start_archive_runs(client, await app.backfills.claim_due())
    await start_archive_runs(client, await app.overlap_settling.carry_out_due())
    await start_verifications(client, await app.verification_schedule.claim_due_jobs())
    await drive_archive_runs(client, await archiving.runs_to_drive())
    await drive_verifications(client, await verifications.to_drive())
    await drive_people_work(client)


@blueprint.timer_trigger(arg_name="timer", schedule="20 * * * * *", run_on_startup=False, use_monitor=False)
async def seal_audit_chain(timer: func.TimerRequest) -> None:
    """Seal the audit rows committed since the last minute into their tenants' chains (domain.md 7.1)."""
    await get_application().audit_sealer.seal()


@blueprint.timer_trigger(arg_name="timer", schedule="40 * * * * *", run_on_startup=False, use_monitor=False)
async def sweep_notifications(timer: func.TimerRequest) -> None:
    """Remind the owners of overlaps that wait for them (domain.md 5.8)."""
    await get_application().overlap_reminders.send_due()


@blueprint.timer_trigger(arg_name="timer", schedule="50 * * * * *", run_on_startup=False, use_monitor=False)
async def watch_mailbox_approvals(timer: func.TimerRequest) -> None:
    """End approvals whose time is over or that lapsed, start those nobody opposed (domain.md 6.5)."""
    await get_application().approval_watch.run()


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 * * * *", run_on_startup=False, use_monitor=True)
async def forget_idempotency_keys(timer: func.TimerRequest) -> None:
    """Delete the answers to changes that are older than 24 hours."""
    await get_application().idempotency.forget()


@blueprint.timer_trigger(arg_name="timer", schedule="0 37 * * * *", run_on_startup=False, use_monitor=True)
@blueprint.durable_client_input(client_name="client")
async def expire_overlaps(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Archive all of the overlaps that nobody decided in time, marked unresolved (domain.md 5.8)."""
    await start_archive_runs(client, await get_application().overlap_settling.expire_due())
