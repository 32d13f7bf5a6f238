"""What is wrong with the categories of a range, and the hours by customer (domain.md 3.3 to 3.5)."""

from collections import Counter
from collections.abc import Sequence

from shared.database.engine import Database
from shared.database.repositories.category_facts import (
    CategorisedEvent,
    CategoryFactsRepository,
    CategoryGroup,
)
from shared.domain.caller import Caller
from shared.domain.categories import CategoryState, CategoryStatus, IssueKind, classify, customer_key
from shared.domain.category_statistics import CategoryStatistics, Tally, statistics_of_groups
from shared.domain.disclosure import PRIVATE
from shared.schemas.categories import IssueResource
from shared.schemas.category_reports import (
    CategoryFinding,
    CustomerLine,
    IssueTotal,
    StatisticsQuery,
    StatisticsResource,
    TallyResource,
    ValidationQuery,
    ValidationReport,
    ValidationTotals,
)
from shared.schemas.paging import Position, Slice
from shared.services.categories.scope import read_scope
from shared.settings import Settings


class CategoryReports:
    """Reports from the archive's record; bodies are never read, nor are events one by one to be added up."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def validation(self, caller: Caller, query: ValidationQuery) -> ValidationReport:
        """Events without one clear category, by start, with the totals of the whole range.

        Another person's private events are listed by their times, all of them, so that nothing can be read
        out of which ones are (domain.md 6.3). Raises NotFound and ValidationFailed as ``read_scope`` does.
        """
        after = query.after
        async with self._database.session() as session:
            scope = await read_scope(session, caller, query, query.user_id, self._settings.max_window_days)
            if scope is None:
                return ValidationReport(items=[], next=None, totals=_totals([]))
            facts = CategoryFactsRepository(session)
            groups = await facts.groups(scope.view)
            rows = await facts.page(
                scope.view,
                [group.label for group in groups if not group.hidden and _reported(group, query.state)],
                (after.instant, after.id) if after else None,
                query.limit + 1,
                hidden=query.state is None,
            )
        found = Slice.cut(rows, query.limit, lambda row: Position(row.start_at, row.id))
        return ValidationReport(
            items=[_finding(row) for row in found.rows], next=found.next_cursor, totals=_totals(groups)
        )

    async def statistics(self, caller: Caller, query: StatisticsQuery) -> StatisticsResource:
        """Counts and hours by customer and billing type; raises as ``validation`` does."""
        async with self._database.session() as session:
            scope = await read_scope(session, caller, query, query.user_id, self._settings.max_window_days)
            groups = [] if scope is None else await CategoryFactsRepository(session).groups(scope.view)
        hidden = [group for group in groups if group.hidden]
        shown = [(group, classify(group.categories)) for group in groups if not group.hidden]
        if query.customer is not None:
            key = customer_key(query.customer)
            shown = [(group, status) for group, status in shown if _customer(status) == key]
        found = statistics_of_groups((status, Tally(group.events, group.time)) for group, status in shown)
        counted = [group for group, _ in shown]
        return StatisticsResource(
            user_id=None if scope is None else scope.owner.id,
            lines=_lines(found),
            personal=tally_resource(found.personal),
            invalid=tally_resource(found.invalid),
            ambiguous=tally_resource(found.ambiguous),
            special=tally_resource(found.special),
            uncategorised=tally_resource(found.uncategorised),
            total=tally_resource(found.total),
            private=tally_resource(sum((Tally(each.events, each.time) for each in hidden), Tally())),
            without_hours=sum(group.without_hours for group in counted),
            not_taken_place=sum(group.not_taken_place for group in counted),
        )


def issue_resources(status: CategoryStatus) -> list[IssueResource]:
    """The issues of an event."""
    return [IssueResource(kind=issue.kind, text=issue.text) for issue in status.issues]


def tally_resource(tally: Tally) -> TallyResource:
    """A tally as it is answered."""
    return TallyResource(count=tally.count, hours=float(tally.hours))


def _reported(group: CategoryGroup, state: str | None) -> bool:
    found = classify(group.categories).state
    return found is not CategoryState.VALID and state in (None, found)


def _customer(status: CategoryStatus) -> str | None:
    return status.category.key if status.category is not None else None


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
        state=None if row.hidden else status.state,
        issues=[] if row.hidden else issue_resources(status),
    )


def _totals(groups: Sequence[CategoryGroup]) -> ValidationTotals:
    states: Counter[CategoryState] = Counter()
    issues: Counter[IssueKind] = Counter()
    for group in groups:
        if group.hidden:
            continue
        status = classify(group.categories)
        states[status.state] += group.events
        for issue in status.issues:
            issues[issue.kind] += group.events
    return ValidationTotals(
        events=sum(group.events for group in groups),
        valid=states[CategoryState.VALID],
        personal=states[CategoryState.PERSONAL],
        invalid=states[CategoryState.INVALID],
        ambiguous=states[CategoryState.AMBIGUOUS],
        private=sum(group.events for group in groups if group.hidden),
        not_taken_place=sum(group.not_taken_place for group in groups if not group.hidden),
        issues=[IssueTotal(kind=kind, count=issues[kind]) for kind in IssueKind],
    )


def _lines(statistics: CategoryStatistics) -> list[CustomerLine]:
    return [
        CustomerLine(
            customer=line.customer,
            billing_type=line.billing_type,
            special=line.special,
            count=line.tally.count,
            hours=float(line.tally.hours),
        )
        for line in statistics.lines
        # Of what was only cancelled or declined there is nothing to tell.
        if line.tally.count
    ]
