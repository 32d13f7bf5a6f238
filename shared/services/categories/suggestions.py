"""Suggests categories for events without a valid one, from the owner's history and rules (domain.md 3.6)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.categories import CategoryRuleRow
from shared.database.models.users import User
from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.categories.categories import CategoryRuleRepository
from shared.database.repositories.categories.category_facts import (
    CategorisedEvent,
    CategoryFactsRepository,
    HistoryWish,
)
from shared.domain.categories.category import CategoryState, classify
from shared.domain.categories.suggestions import (
    CategoryHistory,
    CategoryRule,
    EventTraits,
    Relation,
    Suggestion,
    automatic_rule,
    event_traits,
    own_categories,
    suggest,
)
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import PRIVATE
from shared.errors import NotFound
from shared.schemas.category_reports import (
    EvidenceResource,
    SuggestedEvent,
    SuggestedEvents,
    SuggestionQuery,
    SuggestionResource,
)
from shared.schemas.paging import Slice
from shared.services.categories.attention import AMBIGUOUS_FIRST, after_of, place_of
from shared.services.categories.reports import issue_resources, labels_of
from shared.services.categories.scope import read_scope
from shared.services.identity.access import session_for
from shared.settings import MOST_CATEGORY_RULES, Settings

#: The latest events that share a trait with the requested ones. Older ones say less.
MOST_HISTORY: Final = 20_000
#: An ambiguous event has several valid categories, and no single one.
_WITHOUT_VALID: Final = (CategoryState.AMBIGUOUS, CategoryState.PERSONAL, CategoryState.INVALID)


class CategorySuggestions:
    """Only suggests. ``CategoryApplying`` applies, on the owner's word."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def list(self, caller: Caller, query: SuggestionQuery) -> SuggestedEvents:
        """Events of the range without one valid category, each with its candidates, best first.

        Ambiguous events come first, then by start. Another person's private events are left out, also from
        the evidence (domain.md 6.3). Raises NotFound for a person, configuration or appointment that is not
        visible to the caller, and ValidationFailed.
        """
        if query.appointment_id is not None:
            return SuggestedEvents(items=[await self._one(caller, query)], next=None)
        after = after_of(query.cursor)
        async with self._database.session() as session:
            scope = await read_scope(session, caller, query, query.user_id, self._settings.max_window_days)
            if scope is None:
                return SuggestedEvents(items=[], next=None)
            facts = CategoryFactsRepository(session)
            groups = await facts.groups(scope.view)
            rows = await facts.page(
                scope.view,
                labels_of(groups, _WITHOUT_VALID),
                after,
                query.limit + 1,
                hidden=False,
                first=labels_of(groups, AMBIGUOUS_FIRST),
            )
            found = Slice.cut(rows, query.limit, place_of)
            items = await suggested(session, scope.owner, found.rows, viewer=scope.view.viewer)
        return SuggestedEvents(items=items, next=found.next_cursor)

    async def _one(self, caller: Caller, query: SuggestionQuery) -> SuggestedEvent:
        async with session_for(self._database, caller) as (session, access):
            appointments = AppointmentRepository(session)
            if query.appointment_id is None:
                raise RuntimeError("an appointment is asked for")
            judged = await appointments.find(
                caller.tenant_id,
                query.appointment_id,
                owner_id=access.readable_owner,
                viewer=caller.person,
            )
            row = judged.row if judged is not None else None
            if row is None or query.user_id not in (None, row.owner_id):
                raise NotFound("there is no such appointment")
            owner = await access.readable_user(row.owner_id)
            events = await CategoryFactsRepository(session).get(owner.id, [row.id], viewer=caller.person)
            return (await suggested(session, owner, events, viewer=caller.person))[0]


async def suggested(
    session: AsyncSession, owner: User, events: Sequence[CategorisedEvent], *, viewer: UUID | None
) -> list[SuggestedEvent]:
    """Each event with its candidates. Hidden events, and events with a valid category, get none."""
    if not events:
        return []
    rules = await rules_of(session, owner)
    traits = {event.id: traits_of(event, owner) for event in events}
    history = await _history(session, owner, events, list(traits.values()), viewer=viewer)
    return [_resource(event, traits[event.id], history, rules) for event in events]


async def rules_of(session: AsyncSession, owner: User) -> list[CategoryRule]:
    """The person's rules."""
    return [
        as_rule(row) for row in await CategoryRuleRepository(session).all_of(owner.id, MOST_CATEGORY_RULES)
    ]


def as_rule(row: CategoryRuleRow) -> CategoryRule:
    """A stored rule in the form of the domain."""
    return CategoryRule(row.id, Relation(row.relation), row.match_key, row.category, row.auto_apply)


def traits_of(event: CategorisedEvent, owner: User) -> EventTraits:
    """The traits by which an archived event is compared."""
    return event_traits(event.source_key, event.subject, event.location, event.addresses, owner.address)


async def _history(
    session: AsyncSession,
    owner: User,
    events: Sequence[CategorisedEvent],
    traits: Sequence[EventTraits],
    *,
    viewer: UUID | None,
) -> CategoryHistory:
    shown = [event for event in events if not event.hidden]
    wish = HistoryWish(
        series=sorted({each.series for each in traits} - {""}),
        subjects=sorted({event.subject for event in shown if event.subject.strip()}),
        locations=sorted({event.location for event in shown if event.location.strip()}),
        domains=sorted({domain for each in traits for domain in each.domains}),
    )
    history = CategoryHistory()
    for past in await CategoryFactsRepository(session).history(owner.id, wish, MOST_HISTORY, viewer=viewer):
        learnt = event_traits(past.source_key, past.subject, past.location, past.addresses, owner.address)
        history.add(learnt, past.categories, past.start_at)
    return history


def _resource(
    event: CategorisedEvent, traits: EventTraits, history: CategoryHistory, rules: Sequence[CategoryRule]
) -> SuggestedEvent:
    status = classify(event.categories)
    candidates: tuple[Suggestion, ...] = ()
    automatic = None
    if not event.hidden and status.state in _WITHOUT_VALID:
        candidates = suggest(traits, history, rules, own=own_categories(event.categories))
        # A rule never chooses between categories that the owner gave (3.3).
        ambiguous = status.state is CategoryState.AMBIGUOUS
        automatic = None if ambiguous else automatic_rule(traits, rules)
    return SuggestedEvent(
        appointment_id=event.id if event.archived else None,
        event_id=None if event.archived else event.source_id,
        configuration_id=event.configuration_id,
        subject=PRIVATE if event.hidden else event.subject,
        start=event.start_at,
        end=event.end_at,
        is_all_day=event.is_all_day,
        series_id=None if event.hidden else traits.series or None,
        categories=[] if event.hidden else list(event.categories),
        category_status=None if event.hidden else status.state,
        issues=[] if event.hidden else issue_resources(status),
        suggestions=[_suggestion(each, automatic) for each in candidates],
    )


def _suggestion(suggestion: Suggestion, automatic: CategoryRule | None) -> SuggestionResource:
    return SuggestionResource(
        category=suggestion.category,
        evidence=[
            EvidenceResource(
                relation=each.relation, match=each.match, count=each.count, last_used=_utc(each.last_used)
            )
            for each in suggestion.evidence
        ],
        rule_id=suggestion.rule.id if suggestion.rule else None,
        automatic=automatic is not None and suggestion.rule == automatic,
    )


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)
