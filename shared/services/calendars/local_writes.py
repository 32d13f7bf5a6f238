"""One batch of writes to a local calendar, in the caller's transaction (design.md, Answers)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.calendars.local_events import LocalEventRepository
from shared.domain.calendars.calendar_port import Write, WriteAnswer, WriteVerdict, same_for_all
from shared.domain.calendars.local_calendar import etag, local_id, local_row, version_of
from shared.domain.copies.copy_body import columns_to_create, columns_to_update, parsed
from shared.domain.events.event_content import ContentChanges

_GONE = "gone"


class LocalWrites:
    """Makes creates and updates. Each is judged alone, as the port requires."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self._calendars = LocalCalendarRepository(session)
        self._events = LocalEventRepository(session)
        self._now = now

    async def make(
        self, tenant_id: UUID, mailbox_id: UUID, calendar_id: UUID, writes: Sequence[Write]
    ) -> list[WriteAnswer]:
        """The answers in the order of the writes. All creates are one statement, all updates another."""
        calendar = await self._calendars.keep(tenant_id, mailbox_id, calendar_id)
        if calendar is None:
            return same_for_all(writes, WriteVerdict.GONE, _GONE)
        answers: dict[UUID, WriteAnswer] = {}
        creates: dict[UUID, ContentChanges] = {}
        updates: dict[UUID, ContentChanges] = {}
        for write in writes:
            try:
                row = _row(write)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                answers[write.operation_id] = WriteAnswer(
                    write.operation_id,
                    WriteVerdict.REFUSED,
                    code="invalid_write",
                    detail=type(error).__name__,
                )
                continue
            (creates if write.kind == "create" else updates)[write.operation_id] = row
        made = await self._events.create_many(calendar, list(creates.values()), self._now)
        answers |= await self._created(calendar_id, creates, made)
        changed = await self._events.update_many(
            tenant_id, mailbox_id, [row for row in updates.values() if row["id"]], self._now
        )
        answers |= await self._updated(tenant_id, mailbox_id, updates, changed)
        return [answers[write.operation_id] for write in writes]

    async def _created(
        self, calendar_id: UUID, creates: dict[UUID, ContentChanges], made: set[UUID]
    ) -> dict[UUID, WriteAnswer]:
        known = {
            operation: row["transaction_id"]
            for operation, row in creates.items()
            if UUID(row["id"]) not in made
        }
        before = await self._events.by_transaction(calendar_id, list(known.values()))
        answers: dict[UUID, WriteAnswer] = {}
        for operation, row in creates.items():
            if operation not in known:
                answers[operation] = WriteAnswer(
                    operation, WriteVerdict.DONE, local_id(UUID(row["id"])), etag(1)
                )
                continue
            existing = before.get(known[operation])
            answers[operation] = WriteAnswer(
                operation,
                WriteVerdict.DUPLICATE,
                code="already_made",
                existing_event_id=local_id(existing) if existing else None,
            )
        return answers

    async def _updated(
        self,
        tenant_id: UUID,
        mailbox_id: UUID,
        updates: dict[UUID, ContentChanges],
        changed: dict[UUID, int],
    ) -> dict[UUID, WriteAnswer]:
        left = [UUID(row["id"]) for row in updates.values() if row["id"] and UUID(row["id"]) not in changed]
        there = (
            {row.id for row in await self._events.of_mailbox(tenant_id, mailbox_id, left)} if left else set()
        )
        answers: dict[UUID, WriteAnswer] = {}
        for operation, row in updates.items():
            event_id = UUID(row["id"]) if row["id"] else None
            if event_id is not None and event_id in changed:
                answers[operation] = WriteAnswer(
                    operation, WriteVerdict.DONE, local_id(event_id), etag(changed[event_id])
                )
            elif event_id is not None and event_id in there:
                answers[operation] = WriteAnswer(operation, WriteVerdict.STALE, code="changed_meanwhile")
            else:
                answers[operation] = WriteAnswer(operation, WriteVerdict.GONE, code=_GONE)
        return answers


def _row(write: Write) -> ContentChanges:
    """The columns of a write. Raises ValueError for an invalid body."""
    body = parsed(write.payload)
    if write.kind == "create":
        # Without a transaction id, every repetition would create another event. None of our callers omits it.
        if not body.get("transactionId"):
            raise ValueError("a transactionId is needed")
        return {**columns_to_create(body), "id": str(uuid4())}
    event_id = local_row(write.copy_id or "")
    row = {**columns_to_update(body), "id": str(event_id) if event_id else None}
    if write.if_match is not None:
        # An invalid tag matches no version, because versions begin with 1.
        row["version"] = version_of(write.if_match) or 0
    return row
