"""Writes categories to events in their own calendars, and audits each write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import orjson

from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.categories.category_facts import CategorisedEvent
from shared.database.repositories.identity.users import UserRepository
from shared.domain.calendars.calendar_port import (
    MOST_WRITES,
    Calendars,
    CalendarStore,
    Write,
    WriteAnswer,
    WriteVerdict,
)
from shared.domain.categories.category import CategoryState, classify
from shared.domain.categories.suggestions import with_category
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.identity.disclosure import is_disclosed
from shared.errors import FieldError, StoreRefused, ValidationFailed
from shared.schemas.category_reports import AppliedCategory, ApplyOutcome
from shared.services.audit.recording import AuditWriter

_OUTCOMES: Final[dict[WriteVerdict, ApplyOutcome]] = {
    WriteVerdict.DONE: "applied",
    WriteVerdict.STALE: "changed_meanwhile",
    WriteVerdict.GONE: "gone",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The place of an event, and its person (``origin``, an object id).

    ``calendar_only``: look for it only in that calendar, not in the whole mailbox.
    """

    mailbox: str
    calendar_id: str
    source_id: str
    origin: UUID | None
    calendar_only: bool = False

    @classmethod
    def of(cls, event: CategorisedEvent) -> "Target":
        """An archived event. It may have moved to another calendar since."""
        return cls(
            str(event.source_mailbox_id), event.source_calendar_id, event.source_id, event.origin_mailbox_id
        )


@dataclass(slots=True)
class Task:
    """One event that should get a category, and its outcome. Without a target, there is no such event."""

    category: str
    target: Target | None
    appointment_id: UUID | None = None
    event_id: str | None = None
    rule_id: UUID | None = None
    outcome: ApplyOutcome = "not_found"
    code: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    source: SourceEvent | None = field(default=None, repr=False)
    id: UUID = field(default_factory=uuid4)

    def result(self) -> AppliedCategory:
        """The outcome, in the form of the API."""
        return AppliedCategory(
            appointment_id=self.appointment_id,
            event_id=self.event_id,
            category=self.category,
            rule_id=self.rule_id,
            outcome=self.outcome,
            reason_code=self.code,
        )

    def judge(self, source: SourceEvent | None, *, viewer: UUID | None) -> bool:
        """Whether to write the event in its present state. If not, its outcome is set."""
        if source is None:
            self.outcome = "gone"
            return False
        origin = self.target.origin if self.target is not None else None
        hidden = not is_disclosed(source.sensitivity, origin=origin, viewer=viewer)
        if hidden or source.type is EventType.SERIES_MASTER:
            # Another person's private event does not exist for someone who chooses by its content (domain.md
            # 6.3).
            return False
        status = classify(source.categories)
        self.source, self.before = source, source.categories
        self.after = with_category(source.categories, self.category)
        if self.after == self.before:
            self.outcome = "unchanged"
            return False
        if status.state is CategoryState.VALID or (self.rule_id is not None and status.valid):
            self.outcome = "has_category"
            return False
        return True

    def audited(self) -> dict[str, object]:
        """Both versions of the change."""
        sensitivity = self.source.sensitivity if self.source else "private"
        return {
            "before": {"categories": list(self.before), "sensitivity": sensitivity},
            "after": {"categories": list(self.after), "sensitivity": sensitivity},
            "rule_id": str(self.rule_id) if self.rule_id else None,
        }


class SourceWriting:
    """Batches for each calendar. If an answer is lost, the event is read to find out."""

    def __init__(self, database: Database, calendars: Calendars, audit: AuditWriter, timeout: float) -> None:
        self._database = database
        self._calendars = calendars
        self._audit = audit
        self._timeout = timeout

    async def write(self, owner: User, tasks: Sequence[Task], *, viewer: UUID | None) -> None:
        """Set the outcome of every task. ``viewer`` is the object id of the person who asks.

        Raises ValidationFailed for an invalid event id. Raises StoreUnavailable and StoreRefused if the
        events cannot be read.
        """
        calendars = self._calendars.in_tenant(owner.tenant_id)
        groups: dict[tuple[str, str | None], list[Task]] = {}
        for task in tasks:
            if task.target is not None:
                within = task.target.calendar_id if task.target.calendar_only else None
                groups.setdefault((task.target.mailbox, within), []).append(task)
        due: list[Task] = []
        for (mailbox, within), group in groups.items():
            sources = await _sources(calendars, mailbox, within, group)
            due += [task for task in group if task.judge(sources.get(_source_id(task)), viewer=viewer)]
        for batch in _batches(due):
            await self._send(calendars, batch)
            await self._record(owner, batch)

    async def _send(self, calendars: CalendarStore, batch: Sequence[Task]) -> None:
        mailbox, calendar_id = _calendar_of(batch[0])
        writes = [
            Write(
                task.id,
                "update",
                orjson.dumps({"categories": list(task.after)}),
                copy_id=_source_id(task),
                if_match=_etag(task.source),
            )
            for task in batch
        ]
        answers = await calendars.send(mailbox, calendar_id, writes, self._timeout)
        unknown: list[Task] = []
        for task, answer in zip(batch, answers, strict=True):
            task.outcome, task.code = _OUTCOMES.get(answer.verdict, "failed"), _code(answer)
            if answer.verdict is WriteVerdict.UNKNOWN:
                unknown.append(task)
        if unknown:
            found = await calendars.get_events(mailbox, None, [_source_id(task) for task in unknown])
            for task in unknown:
                source = found.get(_source_id(task))
                if source is not None and source.categories == task.after:
                    task.outcome, task.code = "applied", ""

    async def _record(self, owner: User, batch: Sequence[Task]) -> None:
        """Audit what is in the calendar now, whatever happens to the rest of the request."""
        applied = [task for task in batch if task.outcome == "applied"]
        if not applied:
            return
        async with self._database.session(apart=True) as session:
            for task in applied:
                archived = task.appointment_id is not None
                origin = task.target.origin if task.target is not None else None
                person: UUID | None = owner.id
                if origin is not None and origin != owner.object_id:
                    found = await UserRepository(session).get_by_object_id(owner.tenant_id, origin)
                    person = found.id if found is not None else origin
                kind, about = (
                    ("appointment", str(task.appointment_id)) if archived else ("event", _source_id(task))
                )
                changes = task.audited()
                await self._audit.record(
                    session, "category.applied", kind, about, changes, on_behalf_of=person
                )


def _batches(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Batches of one calendar. Occurrences of a series share an event: at most one per batch."""
    waiting = list(tasks)
    while waiting:
        calendar = _calendar_of(waiting[0])
        batch: list[Task] = []
        series: set[str] = set()
        rest: list[Task] = []
        for task in waiting:
            master = (task.source.series_master_id if task.source else None) or _source_id(task)
            if _calendar_of(task) != calendar or master in series or len(batch) == MOST_WRITES:
                rest.append(task)
                continue
            series.add(master)
            batch.append(task)
        yield batch
        waiting = rest


def _calendar_of(task: Task) -> tuple[str, str]:
    if task.target is None:
        raise RuntimeError("only what was found is written")
    return task.target.mailbox, task.target.calendar_id


def _source_id(task: Task) -> str:
    if task.target is None:
        raise RuntimeError("only what was found is written")
    return task.target.source_id


def _etag(source: SourceEvent | None) -> str | None:
    # An occurrence has its series' tag until it becomes an exception. So changing another one makes it stale.
    if source is None or source.type is EventType.OCCURRENCE or not source.change_key:
        return None
    return f'W/"{source.change_key}"'


def _code(answer: WriteAnswer) -> str:
    return "" if answer.verdict is WriteVerdict.DONE else answer.code or answer.verdict.value


async def _sources(
    calendars: CalendarStore, mailbox: str, within: str | None, tasks: Sequence[Task]
) -> dict[str, SourceEvent | None]:
    try:
        return await calendars.get_events(mailbox, within, [_source_id(task) for task in tasks])
    except StoreRefused as refusal:
        if within is None or not refusal.malformed_id:
            raise
        message = "names an event_id that is none"
        raise ValidationFailed([FieldError("choices", message, "event_id_invalid")]) from refusal
