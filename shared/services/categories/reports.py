"""What is wrong with the categories of a range (domain.md 3.3, 3.4)."""

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.database.engine import Database
from shared.database.repositories.categories.category_facts import (
    CategorisedEvent,
    CategoryFactsRepository,
    EventGroup,
)
from shared.domain.appointments.counting import NOT_TAKEN_PLACE
from shared.domain.categories.category import CategoryState, CategoryStatus, IssueKind, classify
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import PRIVATE
from shared.schemas.categories import IssueResource
from shared.schemas.category_reports import (
    CategoryFinding,
    IssueTotal,
    ValidationQuery,
    ValidationReport,
    ValidationTotals,
)
from shared.schemas.paging import Slice
from shared.services.categories.attention import AMBIGUOUS_FIRST, after_of, place_of
from shared.services.categories.scope import read_scope
from shared.settings import Settings

_WITHOUT_HOURS = "without_hours"


class CategoryReports:
    """Reports from the archive's record. Bodies are never read."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def validation(self, caller: Caller, query: ValidationQuery) -> ValidationReport:
        """Events without one clear category, or with one and no hours, and the range's totals.

        Ambiguous events come first, the others by start. All private events of another person are listed by
        their times, so the selection reveals nothing (domain.md 6.3). Raises NotFound and ValidationFailed as
        ``read_scope`` does.
        """
        after = after_of(query.cursor)
        async with self._database.session() as session:
            scope = await read_scope(session, caller, query, query.user_id, self._settings.max_window_days)
            if scope is None:
                return ValidationReport(items=[], next=None, totals=_totals([]))
            facts = CategoryFactsRepository(session)
            groups = await facts.groups(scope.view)
            rows = await facts.page(
                scope.view,
                labels_of(groups, _listed(query.category_status)),
                after,
                query.limit + 1,
                hidden=query.category_status is None,
                first=labels_of(groups, AMBIGUOUS_FIRST),
                idle=labels_of(groups, (CategoryState.VALID,))
                if query.category_status in (None, _WITHOUT_HOURS)
                else (),
            )
        found = Slice.cut(rows, query.limit, place_of)
        return ValidationReport(
            items=[_finding(row) for row in found.rows], next=found.next_cursor, totals=_totals(groups)
        )


def labels_of(groups: Iterable[EventGroup], states: Sequence[CategoryState]) -> list[str]:
    """The labels of the groups of events with one of these states, without hidden events."""
    shown = (group for group in groups if not group.hidden and group.needs_category)
    return sorted({group.label for group in shown if classify(group.categories).state in states})


def issue_resources(status: CategoryStatus) -> list[IssueResource]:
    """The issues of an event."""
    return [IssueResource(kind=issue.kind, reason=issue.text) for issue in status.issues]


def _listed(state: str | None) -> Sequence[CategoryState]:
    if state == _WITHOUT_HOURS:
        return ()
    if state is not None:
        return (CategoryState(state),)
    return [each for each in CategoryState if each is not CategoryState.VALID]


def _finding(row: CategorisedEvent) -> CategoryFinding:
    status = classify(row.categories)
    return CategoryFinding(
        appointment_id=row.id,
        configuration_id=row.configuration_id,
        subject=PRIVATE if row.hidden else row.subject,
        start=row.start_at,
        end=row.end_at,
        is_all_day=row.is_all_day,
        categories=[] if row.hidden else list(row.categories),
        category_status=None if row.hidden else status.state,
        counts=None if row.hidden else row.why_not is None,
        reason_code=None if row.hidden else row.why_not,
        issues=[] if row.hidden else issue_resources(status),
    )


def _totals(groups: Sequence[EventGroup]) -> ValidationTotals:
    states: Counter[CategoryState] = Counter()
    issues: Counter[IssueKind] = Counter()
    without_hours = 0
    standing = [group for group in groups if group.needs_category]
    for group in standing:
        if group.hidden:
            continue
        status = classify(group.categories)
        states[status.state] += group.events
        if status.state is CategoryState.VALID and group.why_not is not None:
            without_hours += group.events
        for issue in status.issues:
            issues[issue.kind] += group.events
    return ValidationTotals(
        events=sum(group.events for group in standing),
        valid=states[CategoryState.VALID],
        personal=states[CategoryState.PERSONAL],
        invalid=states[CategoryState.INVALID],
        ambiguous=states[CategoryState.AMBIGUOUS],
        private=sum(group.events for group in standing if group.hidden),
        without_hours=without_hours,
        not_taken_place=sum(
            group.events for group in groups if group.why_not in NOT_TAKEN_PLACE and not group.hidden
        ),
        issues=[IssueTotal(kind=kind, count=issues[kind]) for kind in IssueKind],
    )
