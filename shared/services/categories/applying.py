"""Gives events categories on their owner's word: chosen ones, or by their rules (domain.md 3.6).

The category is written to the event in its own calendar, never to the copy or our record. Only runs change
what is archived (domain.md 2.5). The next run that plans the event's day updates the copy and audits both
versions (2.4), unless the period is locked (2.8).
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.base import Keyset
from shared.database.repositories.categories.category_facts import CategorisedEvent, CategoryFactsRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.categories.category import CategoryState
from shared.domain.categories.suggestions import automatic_rule
from shared.domain.identity.caller import Caller
from shared.errors import FieldError, ValidationFailed
from shared.schemas.category_reports import (
    MOST_CHOICES,
    AppliedCategories,
    Choice,
    EventRange,
    SuggestionsApply,
)
from shared.schemas.paging import Position
from shared.services.approvals.authorising import authorise
from shared.services.audit.recording import AuditWriter
from shared.services.categories.attention import UNRANKED
from shared.services.categories.naming import checked_category
from shared.services.categories.reports import labels_of
from shared.services.categories.scope import check_length, scope_of, writable_person
from shared.services.categories.source_writing import SourceWriting, Target, Task
from shared.services.categories.suggestions import rules_of, traits_of
from shared.services.identity.access import Access
from shared.settings import Settings

#: Rules never choose between valid categories that an event already has (domain.md 3.3).
_RULED: Final = (CategoryState.PERSONAL, CategoryState.INVALID)
#: Events of a range that are checked against the rules at a time.
_PAGE: Final = 500


class CategoryApplying:
    """Decides which events get which category. ``SourceWriting`` writes them."""

    def __init__(
        self, database: Database, calendars: Calendars, settings: Settings, audit: AuditWriter
    ) -> None:
        self._database = database
        self._settings = settings
        self._writing = SourceWriting(database, calendars, audit, settings.batch_timeout_seconds)

    async def apply(self, caller: Caller, wanted: SuggestionsApply) -> AppliedCategories:
        """Apply the choices, then the ``auto_apply`` rules in their range. At most 100 of each.

        Each event has its own outcome. Raises NotFound (person), ValidationFailed naming each wrong field,
        Conflict for a deactivated person, and StoreUnavailable or StoreRefused if a calendar cannot be read.
        """
        categories = _checked(wanted.choices)
        after = Position.of(wanted.cursor)
        if wanted.rules is not None:
            check_length(wanted.rules, self._settings.max_window_days)
        following: Position | None = None
        async with self._database.session() as session:
            owner = await writable_person(await Access.of(session, caller), wanted.user_id)
            tasks = await _chosen(session, caller, owner, wanted.choices, categories)
            if wanted.rules is not None:
                known = {task.appointment_id for task in tasks}
                ruled, following = await _ruled(session, caller, owner, wanted.rules, after, known)
                tasks += ruled
        await self._writing.write(owner, tasks, viewer=caller.person)
        return AppliedCategories(
            items=[task.result() for task in tasks], next=following.cursor() if following else None
        )


async def _chosen(
    session: AsyncSession, caller: Caller, owner: User, choices: Sequence[Choice], categories: Sequence[str]
) -> list[Task]:
    """A task for each choice, in order. Without a target if the owner has no such event."""
    ids = [choice.appointment_id for choice in choices if choice.appointment_id is not None]
    rows = await CategoryFactsRepository(session).get(owner.id, ids, viewer=caller.person) if ids else []
    targets = {
        row.id: Target.of(row) for row in rows if not row.hidden and _is_authorised(caller, owner, row)
    }
    calendars = await _calendars(session, caller, owner, choices)
    tasks: list[Task] = []
    for choice, category in zip(choices, categories, strict=True):
        target = targets.get(choice.appointment_id) if choice.appointment_id is not None else None
        calendar = calendars.get(choice.configuration_id) if choice.configuration_id is not None else None
        if calendar is not None and choice.event_id is not None:
            # An id alone could name any event of the mailbox, even an archived copy.
            target = Target(calendar[0], calendar[1], choice.event_id, calendar[2], calendar_only=True)
        tasks.append(Task(category, target, choice.appointment_id, choice.event_id))
    return tasks


async def _calendars(
    session: AsyncSession, caller: Caller, owner: User, choices: Sequence[Choice]
) -> dict[UUID, tuple[str, str, UUID]]:
    """Mailbox, source calendar and person read of each configuration of the owner that the choices name."""
    found: dict[UUID, tuple[str, str, UUID]] = {}
    configurations = ArchiveConfigurationRepository(session)
    named = {each.configuration_id for each in choices if each.configuration_id is not None}
    for configuration_id in sorted(named):
        row = await configurations.get(owner.tenant_id, configuration_id, owner_id=owner.id)
        if row is not None:
            await authorise(session, caller, row)
            found[configuration_id] = str(row.source_mailbox_id), row.source_calendar_id, row.origin_id
    return found


async def _ruled(
    session: AsyncSession,
    caller: Caller,
    owner: User,
    wanted: EventRange,
    after: Keyset | None,
    known: set[UUID | None],
) -> tuple[list[Task], Position | None]:
    """The archived events that a rule decides, at most 100, and where to continue. None at the end."""
    tasks: list[Task] = []
    facts, rules = CategoryFactsRepository(session), await rules_of(session, owner)
    if not any(rule.auto_apply for rule in rules):
        return [], None
    scope = await scope_of(session, caller, owner, wanted)
    labels = labels_of(await facts.groups(scope.view), _RULED)
    while True:
        place = None if after is None else (UNRANKED, *after)
        rows = await facts.page(scope.view, labels, place, _PAGE, hidden=False)
        for row in rows:
            rule = automatic_rule(traits_of(row, owner), rules)
            if rule is not None and row.id not in known and _is_authorised(caller, owner, row):
                if len(tasks) >= MOST_CHOICES:
                    return tasks, Position(*after) if after else None
                tasks.append(Task(rule.category, Target.of(row), row.id, rule_id=rule.id))
            after = row.start_at, row.id
        if len(rows) < _PAGE:
            return tasks, None


def _is_authorised(caller: Caller, owner: User, row: CategorisedEvent) -> bool:
    """Only Admins write categories to another person's calendar (domain.md 6.5)."""
    return caller.is_admin or row.origin_mailbox_id == owner.object_id


def _checked(choices: Sequence[Choice]) -> list[str]:
    errors: list[FieldError] = []
    categories: list[str] = []
    for number, choice in enumerate(choices):
        try:
            categories.append(checked_category(f"choices.{number}.category", choice.category))
        except ValidationFailed as failure:
            errors.extend(failure.errors)
    if errors:
        raise ValidationFailed(errors)
    return categories
