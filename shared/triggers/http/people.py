"""Adding people in bulk, legal holds, and people who leave, over HTTP (domain.md 15)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.schemas import people
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import ADMINS, GraphAccess, IfMatch

if TYPE_CHECKING:
    from shared.database.models.users import User

endpoints = Endpoints()


@endpoints.post(
    "v1/users/bulk",
    summary="Add many people, from a list or an Entra group",
    access=ADMINS,
    errors=(502, 503),
    graph=GraphAccess.APPLICATION,
)
async def add_users_in_bulk(request: Request[people.BulkAdd]) -> Reply[people.BulkResultResource]:
    """``dry_run`` only shows what it would do. Each entry succeeds or fails alone."""
    body = request.body
    result = await request.app.people.bulk_add.add(
        request.caller,
        addresses=body.addresses,
        group_id=body.group_id,
        dry_run=body.dry_run,
        reactivate=body.reactivate,
    )
    entries = [people.BulkEntry.of(entry) for entry in result.entries]
    return Reply(people.BulkResultResource(dry_run=body.dry_run, outcomes=result.counts, items=entries))


@endpoints.post(
    "v1/users/{id}/offboard",
    summary="Stop everything that is done for a person who leaves",
    access=ADMINS,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
)
async def offboard_user(request: Request) -> Reply[people.OffboardingResource]:
    """Runs end cleanly, jobs pause, the person is deactivated; their archive stays (domain.md 15.1)."""
    done = await request.app.people.offboarding.offboard(request.caller, request.id, request.expected)
    user = done.user
    resource = people.OffboardingResource(
        user_id=user.id,
        offboarded_at=user.offboarded_at or datetime.now(UTC),
        export=f"/api/v1/users/{user.id}/exports",
        overlaps_expiring=done.overlaps_expiring,
        action_items_expiring=done.action_items_expiring,
        **asdict(done.stopped),
    )
    return Reply(resource, version=user.version, owner_id=user.id)


@endpoints.get(
    "v1/users/{id}/legal-hold",
    summary="Get the legal hold on a person",
    access=ADMINS,
    errors=(404,),
)
async def get_legal_hold(request: Request) -> Reply[people.LegalHoldResource]:
    """404 if there is none."""
    return _hold(await request.app.people.legal_holds.get(request.caller, request.id))


@endpoints.put(
    "v1/users/{id}/legal-hold",
    summary="Put a legal hold on a person, so that nothing is erased",
    access=ADMINS,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
)
async def set_legal_hold(request: Request[people.LegalHoldWish]) -> Reply[people.LegalHoldResource]:
    """A second call can change the reason. The ETag is the person's (domain.md 15.3)."""
    return _hold(
        await request.app.people.legal_holds.set(
            request.caller, request.id, request.body.reason, request.expected
        )
    )


@endpoints.delete(
    "v1/users/{id}/legal-hold",
    summary="Lift the legal hold on a person",
    access=ADMINS,
    status=204,
    errors=(404,),
    if_match=IfMatch.HONOURED,
)
async def lift_legal_hold(request: Request) -> Reply[None]:
    """404 if there is none."""
    await request.app.people.legal_holds.lift(request.caller, request.id, request.expected)
    return Reply(None, owner_id=request.id)


def _hold(user: User) -> Reply[people.LegalHoldResource]:
    hold = people.LegalHoldResource(
        user_id=user.id,
        reason=user.legal_hold_reason or "",
        created_at=user.legal_hold_since or datetime.now(UTC),
    )
    return Reply(hold, version=user.version, owner_id=user.id)
