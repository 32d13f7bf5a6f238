"""What needs a person: one implementation for the month and for the complete list (domain.md 2.20)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.database.repositories.categories.category_facts import CategoryFactsRepository
from shared.domain.categories.category import CategoryState
from shared.domain.categories.suggestions import Relation
from shared.domain.months.attention import Attention, LikelyCategory, Unapplied, attention_of
from shared.domain.months.month import MonthEvent
from shared.domain.months.overlaps import MonthOverlap
from shared.schemas.category_reports import SuggestedEvent
from shared.services.categories.scope import Scope
from shared.services.categories.suggestions import suggested
from shared.services.months.findings import open_findings
from shared.services.months.questions import open_questions

#: The largest number of open items, and of open findings, that are shown.
MOST_ASKED: Final = 200
_WORDS: Final = {
    Relation.SERIES: "of the same series",
    Relation.SUBJECT: "of the same name",
    Relation.DOMAIN: "with the same company",
    Relation.LOCATION: "at the same place",
}


async def attention(
    session: AsyncSession,
    scope: Scope,
    configuration_id: UUID | None,
    events: Sequence[MonthEvent],
    overlaps: Iterable[MonthOverlap],
    unapplied: Iterable[Unapplied],
    *,
    most: int = MOST_ASKED,
) -> list[Attention]:
    """What needs the person of the scope, most hours at stake first.

    Events, overlaps and modifications are those of the scope. At most ``most`` questions and ``most``
    findings are included.
    """
    span = span_of(scope)
    asked: list[Attention] = []
    if span is not None:
        viewer = scope.view.viewer
        asked = [
            *await open_questions(
                session, scope.owner.id, *span, configuration_id, viewer=viewer, limit=most
            ),
            *await open_findings(
                session,
                scope.owner.id,
                [each.configuration_id for each in scope.view.ranges],
                span,
                viewer=viewer,
                limit=most,
            ),
        ]
    likely = await _likely(session, scope.owner, events, scope.view.viewer)
    return attention_of(events, overlaps, unapplied, likely, asked)


def span_of(scope: Scope) -> tuple[datetime, datetime] | None:
    """The range that covers a scope. None without configurations."""
    ranges = scope.view.ranges
    return (min(each.start for each in ranges), max(each.end for each in ranges)) if ranges else None


async def _likely(
    session: AsyncSession, owner: User, events: Sequence[MonthEvent], viewer: UUID | None
) -> dict[UUID, LikelyCategory]:
    """The best suggestion for each event that counts and has no single valid category."""
    wanted = [
        event.id
        for event in events
        if event.id is not None
        and event.counts
        and not event.hidden
        and event.status.state in (CategoryState.PERSONAL, CategoryState.INVALID)
    ]
    if not wanted:
        return {}
    rows = await CategoryFactsRepository(session).get(owner.id, wanted, viewer=viewer)
    return {
        each.appointment_id: found
        for each in await suggested(session, owner, rows, viewer=viewer)
        if each.appointment_id is not None and (found := _best(each)) is not None
    }


def _best(event: SuggestedEvent) -> LikelyCategory | None:
    if not event.suggestions:
        return None
    best = event.suggestions[0]
    if not best.evidence:
        return LikelyCategory(best.category, "a rule of yours says so")
    evidence = best.evidence[0]
    meetings = "meeting" if evidence.count == 1 else "meetings"
    has = "has" if evidence.count == 1 else "have"
    return LikelyCategory(best.category, f"{evidence.count} {meetings} {_WORDS[evidence.relation]} {has} it")
