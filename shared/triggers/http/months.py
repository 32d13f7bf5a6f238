"""The month of a person over HTTP (JSON, page, or lines), and everything that needs them."""

from __future__ import annotations

from shared.schemas import attention, base, months, paging, rendered
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.negotiation import wanted_form
from shared.triggers.http.registry import READERS

endpoints = Endpoints()


@endpoints.get(
    "v1/months/{month}",
    summary="Get a month: hours, what needs its owner, overlaps, modifications, every event",
    access=READERS,
    errors=(404,),
    other_media_types=("text/html", "text/csv"),
    texts={"month": "^(190[1-9]|19[1-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])$"},
)
async def get_month(request: Request[base.NoBody, months.MonthQuery]) -> Reply[months.MonthResource]:
    """From the archive, as JSON, as a page (HTML) or as a line for each event (CSV).

    Only what counts as time is added up (domain.md 2.18, 2.20). An event belongs to the local day in which it
    starts. Entries that need the owner are sorted by hours at stake, most first. The page needs no other file
    and no script.
    """
    found = await request.app.review.months.month(request.caller, request.texts["month"], request.query)
    form = wanted_form(request.accept, request.query.format, ("json", "html", "csv"))
    if form == "json":
        return Reply(found)
    if form == "csv":
        from shared.services.months.lines_csv import month_csv

        file = month_csv(found)
        headers = {
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Content-Type": file.media_type,
        }
        return Reply(rendered.Rendered(file.content), headers=headers)
    from shared.services.months.page import POLICY, month_page

    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    return Reply(rendered.Rendered(month_page(found)), headers=headers)


@endpoints.get(
    "v1/needs-attention",
    summary="List all that needs a person, the most hours at stake first",
    access=READERS,
    errors=(404,),
    order=("-hours", "first_start", "id"),
)
async def list_needs_attention(
    request: Request[base.NoBody, attention.AttentionListQuery],
) -> Reply[paging.Page[attention.AttentionResource]]:
    """Overlaps, questions, categories, modifications and findings, each with what to do and where.

    A month shows the same for its days. Another person's private events need nothing from the caller. At most
    500 questions and 500 findings are included.
    """
    found = await request.app.review.needs_attention.page(request.caller, request.query)
    return Reply(paging.Page[attention.AttentionResource](items=list(found.rows), next=found.next_cursor))
