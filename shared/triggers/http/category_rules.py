"""Rules for applying categories over HTTP (domain.md 3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.schemas import base, categories, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import OWNERS, READERS, IfMatch

if TYPE_CHECKING:
    from shared.database.models.categories import CategoryRuleRow

endpoints = Endpoints()


@endpoints.get(
    "v1/category-rules",
    summary="List a person's rules for categories, in the order they were added",
    access=READERS,
    errors=(404,),
    order=("created_at", "id"),
)
async def list_category_rules(
    request: Request[base.NoBody, categories.CategoryRuleListQuery],
) -> Reply[paging.Page[categories.CategoryRuleResource]]:
    """The caller's own, or one person's for Admins and Auditors."""
    found = await request.app.review.categories.rules.list(request.caller, request.query)
    return page_of(found, categories.CategoryRuleResource.of)


@endpoints.post(
    "v1/category-rules",
    summary="Add a rule: events with this trait get this category",
    access=OWNERS,
    status=201,
    errors=(404, 409),
)
async def create_category_rule(
    request: Request[categories.CategoryRuleCreate],
) -> Reply[categories.CategoryRuleResource]:
    """It only suggests. With ``auto_apply``, applying the rules of a range applies it unasked.

    Refused (422, `limit_reached`) if the person already has `max_category_rules`.
    """
    row = await request.app.review.categories.rules.create(request.caller, request.body)
    return _changed(row, location=f"v1/category-rules/{row.id}")


@endpoints.get(
    "v1/category-rules/{id}",
    summary="Get a rule for categories",
    access=READERS,
    errors=(404,),
)
async def get_category_rule(request: Request) -> Reply[categories.CategoryRuleResource]:
    """One rule with its version."""
    row = await request.app.review.categories.rules.get(request.caller, request.id)
    return Reply(categories.CategoryRuleResource.of(row), version=row.version)


@endpoints.patch(
    "v1/category-rules/{id}",
    summary="Change the category of a rule, or whether it applies automatically",
    access=OWNERS,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_category_rule(
    request: Request[categories.CategoryRuleUpdate],
) -> Reply[categories.CategoryRuleResource]:
    """Its earlier effects stay."""
    return _changed(
        await request.app.review.categories.rules.update(
            request.caller, request.id, request.body, request.expected
        )
    )


@endpoints.delete(
    "v1/category-rules/{id}",
    summary="Delete a rule for categories; what it did stays",
    access=OWNERS,
    status=204,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def delete_category_rule(request: Request) -> Reply[None]:
    """The events that it categorised keep their categories."""
    await request.app.review.categories.rules.delete(request.caller, request.id, request.expected)
    return Reply(None)


def _changed(row: CategoryRuleRow, location: str | None = None) -> Reply[categories.CategoryRuleResource]:
    return Reply(
        categories.CategoryRuleResource.of(row), location=location, version=row.version, owner_id=row.owner_id
    )
