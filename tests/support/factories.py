"""Rows with sensible defaults, one method for each table; every keyword overrides a column."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.database.models.action_items import ActionItem, ActionItemEvent
from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.break_glass import BreakGlassAccess
from shared.database.models.categories import CategoryRuleRow, LocalCategory
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.notifications import Notification
from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.models.runs import ArchiveOperation, ArchiveRun, MailboxGate
from shared.database.models.users import User
from shared.database.models.verifications import Backfill, Verification, VerificationFinding
from shared.domain.action_items.items import ActionItemStatus, Question, Side, about, kind_of
from shared.domain.approvals.mailbox_approval import ApprovalState
from shared.domain.calendars.local_calendar import name_key
from shared.domain.categories.suggestions import Relation
from shared.domain.events.event_content import CONTENT_COLUMNS
from shared.domain.events.source_event import archive_key
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import NotificationClass, NotificationState, NotificationSubject
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.verifying.verification import FindingKind, FindingReason, VerificationState
from tests.support.people_factory import NUMBERS, TENANT, PeopleFactory
from tests.support.records import START, record

__all__ = ["START", "TENANT", "Factory", "record"]


class Factory(PeopleFactory):
    """Those of people, and everything their archives consist of."""

    async def configuration(self, owner: User | None = None, **columns: Any) -> ArchiveConfiguration:
        """An active general archive of the owner's own calendars."""
        owner = owner or await self.user()
        number = next(NUMBERS)
        defaults = {
            "tenant_id": owner.tenant_id,
            "owner_id": owner.id,
            "name": f"Archive {number}",
            "source_reference": f"msgraph://{owner.address}/calendar",
            "source_mailbox_id": owner.object_id,
            "source_calendar_id": f"source-{number}",
            "archive_reference": f"msgraph://{owner.address}/calendars/Archive",
            "archive_mailbox_id": owner.object_id,
            "archive_calendar_id": f"archive-{number}",
            "time_zone": "Europe/Berlin",
            "archive_from": date(2026, 2, 1),
        }
        return await self._add(ArchiveConfiguration(**(defaults | columns)))

    async def job(self, configuration: ArchiveConfiguration | None = None, **columns: Any) -> Job:
        """A nightly job, due at ``START``."""
        configuration = configuration or await self.configuration()
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "schedule": {"kind": "daily", "at": "02:00"},
            "time_zone": configuration.time_zone,
            "next_run_at": START,
        }
        return await self._add(Job(**(defaults | columns)))

    async def run(self, configuration: ArchiveConfiguration | None = None, **columns: Any) -> ArchiveRun:
        """A queued manual run; each has a window of its own."""
        configuration = configuration or await self.configuration()
        start = START.replace(hour=0) + timedelta(days=next(NUMBERS))
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "kind": RunKind.MANUAL,
            "window_start": start,
            "window_end": start + timedelta(days=1),
            "requested_by": "system:test",
            "correlation_id": uuid.uuid4().hex,
        }
        return await self._add(ArchiveRun(**(defaults | columns)))

    async def archived_event(
        self, configuration: ArchiveConfiguration | None = None, **columns: Any
    ) -> ArchivedEvent:
        """A single event whose copy is present."""
        configuration = configuration or await self.configuration()
        number = next(NUMBERS)
        key = columns.get("source_key", f"s:event-{number}")
        defaults = {
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "source_key": key,
            "archive_key": archive_key(configuration.id, key),
            "source_id": f"event-{number}",
            "ical_uid": f"uid-{number}",
            "original_start": START,
            "state": ArchivedEventState.PRESENT,
            "copy_id": f"copy-{number}",
            "copy_etag": f'W/"{number}"',
            "revision": f"revision-{number}",
            "start_at": START,
        }
        return await self._add(ArchivedEvent(**(defaults | columns)))

    async def operation(
        self, run: ArchiveRun | None = None, event: ArchivedEvent | None = None, **columns: Any
    ) -> ArchiveOperation:
        """A planned create of an event that has no copy yet, with its record."""
        run = run or await self.run()
        event = event or await self._event_without_copy(run)
        defaults = {
            "owner_id": run.owner_id,
            "run_id": run.id,
            "configuration_id": run.configuration_id,
            "archived_event_id": event.id,
            "position": next(NUMBERS),
            "source_key": event.source_key,
            "action": OperationAction.CREATE,
            "state": OperationState.PLANNED,
            "payload": {"subject": "Weekly"},
            "payload_bytes": 20,
            "record": record(),
            "revision": "revision",
        }
        return await self._add(ArchiveOperation(**(defaults | columns)))

    async def appointment(self, event: ArchivedEvent | None = None, **columns: Any) -> Appointment:
        """The record of an archived event, one hour long."""
        event = event or await self.archived_event()
        defaults = record() | {
            "owner_id": event.owner_id,
            "configuration_id": event.configuration_id,
            "archived_event_id": event.id,
            "start_at": event.start_at,
            "end_at": event.start_at + timedelta(hours=1),
        }
        return await self._add(Appointment(**(defaults | columns)))

    async def overlap_group(
        self, *events: ArchivedEvent, verdict: Verdict = Verdict.FLAGGED, **columns: Any
    ) -> OverlapGroup:
        """A flagged group of archived events, each one hour long."""
        first = events[0]
        configuration = await self._session.get_one(ArchiveConfiguration, first.configuration_id)
        defaults: dict[str, Any] = {
            "tenant_id": configuration.tenant_id,
            "owner_id": first.owner_id,
            "configuration_id": first.configuration_id,
            "status": OverlapStatus.FLAGGED,
            "member_count": len(events),
            "start_at": min(event.start_at for event in events),
            "end_at": max(event.start_at for event in events) + timedelta(hours=1),
            "opened_at": START,
        }
        group = await self._add(OverlapGroup(**(defaults | columns)))
        for event in events:
            await self._add(
                OverlapMember(
                    group_id=group.id,
                    source_key=event.source_key,
                    configuration_id=event.configuration_id,
                    revision=event.revision,
                    start_at=event.start_at,
                    end_at=event.start_at + timedelta(hours=1),
                    verdict=verdict,
                )
            )
        return group

    async def action_item(
        self, archived: ArchivedEvent, question: Question = Question.LIKELY_SAME, **columns: Any
    ) -> ActionItem:
        """An open item: whether an archived event is the same meeting as a new one half an hour later."""
        configuration = await self._session.get_one(ArchiveConfiguration, archived.configuration_id)
        later = archived.start_at + timedelta(minutes=30)
        new_key = f"s:new-{next(NUMBERS)}"
        defaults: dict[str, Any] = {
            "tenant_id": configuration.tenant_id,
            "owner_id": archived.owner_id,
            "configuration_id": archived.configuration_id,
            "kind": kind_of(question),
            "question": question,
            "status": ActionItemStatus.OPEN,
            "about": about(question, [archived.source_id], [new_key]),
            "start_at": archived.start_at,
            "end_at": later + timedelta(hours=1),
            "opened_at": START,
        }
        item = await self._add(ActionItem(**(defaults | columns)))
        fields = {"item_id": item.id, "configuration_id": archived.configuration_id}
        await self._add(
            ActionItemEvent(
                **fields,
                source_key=archived.source_key,
                side=Side.ARCHIVED,
                archived_event_id=archived.id,
                source_id=archived.source_id,
                revision=archived.revision,
                start_at=archived.start_at,
                end_at=archived.start_at + timedelta(hours=1),
            )
        )
        shown = record(subject="Weekly again", start_at=later, end_at=later + timedelta(hours=1))
        times = {name: shown[name].isoformat() for name in ("start_at", "end_at")}
        await self._add(
            ActionItemEvent(
                **fields,
                source_key=new_key,
                side=Side.NEW,
                source_id=new_key.removeprefix("s:"),
                revision="revision-new",
                start_at=later,
                end_at=later + timedelta(hours=1),
                record=shown | times,
            )
        )
        return item

    async def break_glass(self, owner: User, **columns: Any) -> BreakGlassAccess:
        """An emergency access to the owner's private events, open for an hour."""
        now = datetime.now(UTC)
        defaults = {
            "tenant_id": owner.tenant_id,
            "owner_id": owner.id,
            "admin_id": uuid.uuid4(),
            "reason": "The police ask for it.",
            "opened_at": now,
            "ends_at": now + timedelta(hours=1),
        }
        return await self._add(BreakGlassAccess(**(defaults | columns)))

    async def approval(self, configuration: ArchiveConfiguration, **columns: Any) -> MailboxApproval:
        """An approval of its calendars that holds for a month."""
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "person_id": configuration.origin_id,
            "archive_person_id": configuration.archive_person_id or configuration.archive_mailbox_id,
            "source_mailbox_id": configuration.source_mailbox_id,
            "source_calendar_id": configuration.source_calendar_id,
            "archive_mailbox_id": configuration.archive_mailbox_id,
            "archive_calendar_id": configuration.archive_calendar_id,
            "purpose": configuration.purpose,
            "days": 30,
            "state": ApprovalState.APPROVED,
            "requested_by": "user:somebody",
            "decided_by": "user:another",
            "ends_at": datetime.now(UTC) + timedelta(days=30),
        }
        return await self._add(MailboxApproval(**(defaults | columns)))

    async def local_category(self, owner_id: uuid.UUID, **columns: Any) -> LocalCategory:
        """A valid category that is kept here."""
        name = f"Customer {next(NUMBERS)} - billable"
        defaults = {"owner_id": owner_id, "name": name, "name_key": name.casefold(), "color": "none"}
        return await self._add(LocalCategory(**(defaults | columns)))

    async def category_rule(self, owner_id: uuid.UUID, **columns: Any) -> CategoryRuleRow:
        """A rule for a subject that only suggests."""
        subject = f"Subject {next(NUMBERS)}"
        defaults = {
            "owner_id": owner_id,
            "relation": Relation.SUBJECT,
            "match": subject,
            "match_key": subject.casefold(),
            "category": "Acme - billable",
            "auto_apply": False,
        }
        return await self._add(CategoryRuleRow(**(defaults | columns)))

    async def gate(self, mailbox_id: uuid.UUID | None = None, **columns: Any) -> MailboxGate:
        """The gate of a mailbox nobody holds."""
        return await self._add(MailboxGate(mailbox_id=mailbox_id or uuid.uuid4(), **columns))

    async def local_calendar(self, owner: User | None = None, **columns: Any) -> LocalCalendar:
        """A calendar of our own, in the owner's mailbox."""
        owner = owner or await self.user()
        name = columns.get("name", f"Local {next(NUMBERS)}")
        defaults = {
            "tenant_id": owner.tenant_id,
            "owner_id": owner.id,
            "mailbox_id": owner.object_id,
            "name": name,
            "name_key": name_key(name),
        }
        return await self._add(LocalCalendar(**(defaults | columns)))

    async def local_event(self, calendar: LocalCalendar | None = None, **columns: Any) -> LocalEvent:
        """An hour from ``START`` on in a calendar of our own."""
        calendar = calendar or await self.local_calendar()
        kept = {name: value for name, value in record().items() if name in CONTENT_COLUMNS}
        times = {"start_at": START, "end_at": START + timedelta(hours=1)}
        defaults = {"owner_id": calendar.owner_id, "calendar_id": calendar.id, **kept, **times}
        return await self._add(LocalEvent(**(defaults | columns)))

    async def verification(
        self, configuration: ArchiveConfiguration | None = None, **columns: Any
    ) -> Verification:
        """A completed verification of a month that found nothing."""
        configuration = configuration or await self.configuration()
        end = START + timedelta(days=30)
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "window_start": START,
            "window_end": end,
            "compared_until": end,
            "state": VerificationState.COMPLETED,
            "progress": 100,
            "counts": {},
            "requested_by": "system:test",
            "correlation_id": uuid.uuid4().hex,
            "finished_at": datetime.now(UTC),
        }
        return await self._add(Verification(**(defaults | columns)))

    async def finding(
        self, verification: Verification, event: ArchivedEvent, **columns: Any
    ) -> VerificationFinding:
        """A copy that is gone."""
        defaults = {
            "verification_id": verification.id,
            "owner_id": verification.owner_id,
            "configuration_id": verification.configuration_id,
            "stretch": verification.window_start,
            "kind": FindingKind.MISSING,
            "reason": FindingReason.COPY_GONE,
            "subject": str(event.id),
            "archived_event_id": event.id,
            "source_key": event.source_key,
            "copy_id": event.copy_id,
            "starts_at": event.start_at,
            "found_at": datetime.now(UTC),
        }
        return await self._add(VerificationFinding(**(defaults | columns)))

    async def backfill(self, configuration: ArchiveConfiguration, **columns: Any) -> Backfill:
        """A backfill of January, paused by its job."""
        await self.job(configuration, kind=JobKind.BACKFILL, schedule={"kind": "manual"}, paused=True)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "range_start": start,
            "range_end": start + timedelta(days=31),
            "done_until": start,
            "requested_by": "system:test",
        }
        return await self._add(Backfill(**(defaults | columns)))

    async def notification(self, owner: User, **columns: Any) -> Notification:
        """An unread one, of an archive run that finished."""
        defaults = {
            "tenant_id": owner.tenant_id,
            "owner_id": owner.id,
            "class_": NotificationClass.RUN_FINISHED,
            "transaction_id": f"archive_run:{next(NUMBERS)}",
            "title": "Archive run finished",
            "text": "1 event on 2 March 2026: 1 archived.",
            "state": NotificationState.INFO,
            "resource_type": NotificationSubject.ARCHIVE_RUN,
            "resource_id": uuid.uuid4(),
            "created_at": START,
            "updated_at": START,
        }
        return await self._add(Notification(**(defaults | columns)))

    async def _event_without_copy(self, run: ArchiveRun) -> ArchivedEvent:
        number = next(NUMBERS)
        configuration = await self._session.get_one(ArchiveConfiguration, run.configuration_id)
        return await self.archived_event(
            configuration,
            source_key=f"s:new-{number}",
            state=ArchivedEventState.CREATING,
            copy_id=None,
            copy_etag=None,
            revision="",
        )
