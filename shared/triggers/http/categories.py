"""Categories over HTTP: both stores, reports over the archive, suggestions.

Outlook's list is reached on behalf of its owner where they ask, else by application permission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.schemas import base, categories, category_reports, paging, rendered
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.negotiation import wants_csv
from shared.triggers.http.registry import OWNERS, READERS, GraphAccess, IfMatch

if TYPE_CHECKING:
    from shared.services.categories.catalogue import CategoryCatalogue, KnownCategory

endpoints = Endpoints()


@endpoints.get(
    "v1/categories",
    summary="List categories of Outlook and those kept here, by name",
    access=READERS,
    errors=(404, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
    order=("name",),
)
async def list_categories(
    request: Request[base.NoBody, categories.CategoryListQuery],
) -> Reply[paging.Page[categories.CategoryResource]]:
    """Each with the meaning of its name, or what is wrong with it (domain.md 3.1 to 3.4)."""
    found = await _catalogue(request).list(request.caller, request.query)
    items = [_resource(each) for each in found.rows]
    return Reply(paging.Page[categories.CategoryResource](items=items, next=found.next_cursor))


@endpoints.post(
    "v1/categories",
    summary="Add a category to Outlook or to those kept here",
    access=OWNERS,
    status=201,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def create_category(request: Request[categories.CategoryCreate]) -> Reply[categories.CategoryResource]:
    """The name must be a valid category, or Online. The 422 says what is wrong with it."""
    created = await _catalogue(request).create(request.caller, request.body)
    return _changed(created, location=f"v1/categories/{created.id}?user_id={created.owner_id}")


@endpoints.get(
    "v1/categories/validation",
    summary="Report the events of a range without one clear category, or with no hours in spite of one",
    access=READERS,
    errors=(404,),
    order=("category_status", "start"),
)
async def validate_categories(
    request: Request[base.NoBody, category_reports.ValidationQuery],
) -> Reply[category_reports.ValidationReport]:
    """From the archive, with typed issues and the totals of the whole range (domain.md 3.3, 3.4).

    Ambiguous events come first, then all others by start. All-day or free events with a valid category are
    listed too, because they count no time.
    """
    return Reply(await request.app.review.categories.reports.validation(request.caller, request.query))


@endpoints.get(
    "v1/categories/statistics",
    summary="Count events and hours of a range by customer and billing type",
    access=READERS,
    errors=(404,),
    other_media_types=("text/csv",),
)
async def get_category_statistics(
    request: Request[base.NoBody, category_reports.StatisticsQuery],
) -> Reply[category_reports.StatisticsResource]:
    """From the archive, as JSON or CSV. Only what counts as time is added up (domain.md 2.18, 3.5).

    Gross hours are the sum of the events. Net hours count a minute once, even if several events cover it. An
    event belongs to the day, week or month in which it starts, with all its hours. A minute that several
    events cover belongs to the one that starts first. So the net hours of the days add up to those of the
    range.
    """
    found = await request.app.review.categories.hours.statistics(request.caller, request.query)
    if not wants_csv(request.accept, request.query.format):
        return Reply(found)
    from shared.services.categories.hours_csv import statistics_csv

    file = statistics_csv(found)
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Type": file.media_type,
    }
    return Reply(rendered.Rendered(file.content), headers=headers)


@endpoints.get(
    "v1/categories/suggestions",
    summary="Suggest categories for events without one valid category, archived or still in the calendar",
    access=READERS,
    errors=(404, 502, 503),
    graph=GraphAccess.APPLICATION,
    order=("category_status", "start"),
)
async def suggest_categories(
    request: Request[base.NoBody, category_reports.SuggestionQuery],
) -> Reply[category_reports.SuggestedEvents]:
    """Ranked by the owner's rules and history, with the evidence (domain.md 3.6). Changes nothing."""
    services = request.app.review.categories
    listing = services.upcoming if request.query.source == "calendar" else services.suggestions
    return Reply(await listing.list(request.caller, request.query))


@endpoints.post(
    "v1/categories/suggestions/apply",
    summary="Give events chosen categories, or those of the owner's rules",
    access=OWNERS,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.APPLICATION,
)
async def apply_category_suggestions(
    request: Request[category_reports.SuggestionsApply],
) -> Reply[category_reports.AppliedCategories]:
    """Changes the events in their own calendars. The next archive run over their days archives the change."""
    return Reply(await request.app.review.categories.applying.apply(request.caller, request.body))


@endpoints.post(
    "v1/categories/missing",
    summary="Add to Outlook the categories that the archive uses and Outlook lacks",
    access=OWNERS,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def create_missing_categories(
    request: Request[categories.MissingCategoriesCreate],
) -> Reply[categories.MissingCategoriesResource]:
    """Only valid ones, in their most frequent spelling. A second request adds the rest."""
    found = await _catalogue(request).create_missing(request.caller, request.body)
    resource = categories.MissingCategoriesResource(
        created=[_resource(each) for each in found.created], present=found.present, remaining=found.remaining
    )
    return Reply(resource, owner_id=found.owner_id)


@endpoints.get(
    "v1/categories/{id}",
    summary="Get a category",
    access=READERS,
    errors=(404, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def get_category(
    request: Request[base.NoBody, categories.CategoryQuery],
) -> Reply[categories.CategoryResource]:
    """One of our own, or one of the named person's Outlook list."""
    found = await _catalogue(request).get(request.caller, request.id, request.query.user_id)
    return Reply(_resource(found), version=found.version)


@endpoints.patch(
    "v1/categories/{id}",
    summary="Change the colour of a category, or the name of one that is kept here",
    access=OWNERS,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
    if_match=IfMatch.REQUIRED,
)
async def update_category(
    request: Request[categories.CategoryUpdate, categories.CategoryQuery],
) -> Reply[categories.CategoryResource]:
    """Outlook never renames a category (422): add the new one and delete the old one."""
    return _changed(
        await _catalogue(request).update(
            request.caller, request.id, request.query.user_id, request.body, request.expected
        )
    )


@endpoints.delete(
    "v1/categories/{id}",
    summary="Delete a category; events keep it",
    access=OWNERS,
    status=204,
    errors=(404, 409, 502, 503),
    graph=GraphAccess.ON_BEHALF_OF,
    if_match=IfMatch.REQUIRED,
)
async def delete_category(request: Request[base.NoBody, categories.CategoryQuery]) -> Reply[None]:
    """It can no longer be chosen. No event loses it."""
    await _catalogue(request).delete(request.caller, request.id, request.query.user_id, request.expected)
    return Reply(None)


def _catalogue(request: Request[Any, Any]) -> CategoryCatalogue:
    """The categories, with the permission for Outlook that the operation declares."""
    return request.app.review.categories.catalogue.reaching(request.categories_of)


def _resource(category: KnownCategory) -> categories.CategoryResource:
    from shared.domain.categories.category import Category, CategoryIssue, Special, parse_category

    found = parse_category(category.name)
    named = found if isinstance(found, Category) else None
    special = found if isinstance(found, Special) else named.special if named else None
    return categories.CategoryResource(
        id=category.id,
        user_id=category.owner_id,
        store=category.store,
        name=category.name,
        color=category.color,
        customer=named.customer if named else None,
        billing_type=named.billing_type if named else None,
        special=special,
        issue=categories.IssueResource(kind=found.kind, reason=found.text)
        if isinstance(found, CategoryIssue)
        else None,
        version=category.version,
    )


def _changed(category: KnownCategory, location: str | None = None) -> Reply[categories.CategoryResource]:
    return Reply(_resource(category), location=location, version=category.version, owner_id=category.owner_id)
