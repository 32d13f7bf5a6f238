"""Dry runs over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.schemas import archive_plans, base
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, GraphAccess

if TYPE_CHECKING:
    from shared.services.archiving.previewing import Preview, PreviewedEvent

endpoints = Endpoints()


@endpoints.get(
    "v1/archive-configurations/{id}/plan",
    summary="See what a run would do, without writing anything",
    access=OWNERS,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.APPLICATION,
)
async def preview_archive_run(
    request: Request[base.NoBody, archive_plans.ArchivePlanQuery],
) -> Reply[archive_plans.ArchivePlan]:
    """The plan is made as in a run, and then discarded. Not possible while a run is in progress.

    Another person's private events are named "Private" (6.3).
    """
    query = request.query
    found = await request.app.archiving.previews.preview(
        request.caller, request.id, query.window_start, query.window_end, query.limit
    )
    return Reply(_plan(found))


def _plan(preview: Preview) -> archive_plans.ArchivePlan:
    findings = preview.plan
    return archive_plans.ArchivePlan(
        window_start=preview.window.start,
        window_end=preview.window.end,
        source_events=findings.source,
        outcomes={str(outcome): count for outcome, count in preview.outcomes.items()},
        unreadable=findings.unreadable,
        actions={str(action): count for action, count in sorted(preview.counts.items())},
        private=preview.private,
        modifications_applied=findings.modifications_applied,
        orphan_modifications=findings.orphan_modifications,
        category_issues=findings.category_issues,
        unseen=preview.unseen,
        series_questions=preview.series_questions,
        superseded=preview.superseded,
        overlaps=[
            archive_plans.PlannedOverlap(
                status=group.status,
                start=min(member.interval.start for member in group.members),
                end=max(member.interval.end for member in group.members),
                source_keys=[member.source_key for member in group.members],
            )
            for group in preview.groups
        ],
        events=[_event(event) for event in preview.events],
        more=preview.more,
    )


def _event(event: PreviewedEvent) -> archive_plans.PlannedEvent:
    decision = event.decision
    if decision is None:
        return archive_plans.PlannedEvent(
            source_key=None,
            action=None,
            subject=event.subject,
            start=event.start,
            end=event.end,
            archived_start=None,
            archived_end=None,
            merged_into=None,
            reason_code=None,
        )
    times = event.archived_times
    return archive_plans.PlannedEvent(
        source_key=decision.source_key,
        action=decision.action,
        subject=event.subject,
        start=event.start,
        end=event.end,
        archived_start=times.start if times else None,
        archived_end=times.end if times else None,
        merged_into=event.merged_into,
        reason_code=event.reason,
    )
