"""Action items about archived meetings over HTTP."""

from __future__ import annotations

from shared.schemas import action_items, base, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS, IfMatch
from shared.triggers.http.started_runs import starting

endpoints = Endpoints(durable=True)


@endpoints.get(
    "v1/action-items",
    summary="List questions about archived meetings, those about the same meeting first",
    access=READERS,
    errors=(404,),
    order=("kind", "opened_at", "id"),
)
async def list_action_items(
    request: Request[base.NoBody, action_items.ActionItemListQuery],
) -> Reply[paging.Page[action_items.ActionItemSummary]]:
    """``status=open`` lists those that wait for their owner's answer. Overlaps have their own list."""
    found = await request.app.review.action_items.list(request.caller, request.query)
    return Reply(paging.Page[action_items.ActionItemSummary](items=list(found.rows), next=found.next_cursor))


@endpoints.get(
    "v1/action-items/{id}",
    summary="Get an action item: what is archived, and what is new, side by side",
    access=READERS,
    errors=(404,),
)
async def get_action_item(request: Request) -> Reply[action_items.ActionItemResource]:
    """Another person's private events show only their times (domain.md 6.3)."""
    found, version = await request.app.review.action_items.get(request.caller, request.id)
    return Reply(found, version=version)


@endpoints.post(
    "v1/action-items/{id}/answer",
    summary="Answer an action item",
    access=OWNERS,
    errors=(404, 409),
    if_match=IfMatch.HONOURED,
    durable=True,
)
async def answer_action_item(
    request: Request[action_items.ActionItemAnswer],
) -> Reply[action_items.AnsweredActionItem]:
    """An archive run carries it out. It also answers the same question in the owner's other archives."""
    answered = await request.app.review.answering.answer(
        request.caller, request.id, request.body.answer, expected=request.expected
    )
    item = answered.item
    return Reply(
        action_items.AnsweredActionItem(
            **action_items.AnsweredActionItem.fields_of(item), run_id=answered.run_id
        ),
        version=item.version,
        owner_id=item.owner_id,
        then=starting(request, answered.run_ids),
    )
