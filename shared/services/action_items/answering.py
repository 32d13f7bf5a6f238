"""Answers action items, by their owner or by expiry, and queues the runs that carry answers out.

An answer is a change of rows (design.md, Durable Functions). A run over the windows of the item's events
carries it out. The item stays due until a plan did so, and the timer queues another run for items that stay
due.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.action_items.items import ActionItemStatus, Answer, Question, answers_to, default_answer
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.window import Window
from shared.errors import Conflict, FieldError, NotFound, ValidationFailed
from shared.services.approvals.guard import permit
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.queueing import queue_run
from shared.services.identity.access import Access
from shared.services.identity.acting import acting_as

ITEMS_PER_TICK = 200
#: How long a run queued for an answer may take before another one is queued.
LOOK_AGAIN_AFTER = timedelta(minutes=15)
_INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class AnsweredItem:
    """An answered item. ``run_ids`` are the runs that carry it out. ``run_id`` is that of its own archive."""

    item: ActionItem
    run_id: UUID | None
    run_ids: tuple[UUID, ...]


class ActionItemAnswering:
    """Answers to action items about archived meetings."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def answer(
        self, caller: Caller, item_id: UUID, answer: Answer, *, expected: ExpectedVersion = ANY_VERSION
    ) -> AnsweredItem:
        """Answer an open item. The same question in the owner's other archives gets the same answer (2.18).

        Raises NotFound, PreconditionFailed, ValidationFailed (``answer``) for an answer that does not fit,
        and Conflict for an item that is not open.
        """
        async with self._ports.database.session() as session:
            items = ActionItemRepository(session)
            item = await self._item(session, caller, item_id)
            expected.check(item.version)
            if answer not in answers_to(Question(item.question)):
                fitting = ", ".join(answers_to(Question(item.question)))
                message = f"does not fit; it may be one of {fitting}"
                raise ValidationFailed([FieldError("answer", message, "answer_does_not_fit")])
            configuration = await ArchiveConfigurationRepository(session).get(
                item.tenant_id, item.configuration_id
            )
            if configuration is not None:
                await permit(session, caller, configuration)
            alike = await items.lock_open_alike(item.owner_id, item.about)
            item = await self._item(session, caller, item_id)
            if item.status != ActionItemStatus.OPEN:
                raise Conflict("the item is not open any more", code="action_item_over")
            runs: dict[UUID, UUID] = {}
            for each in alike:
                if each.id != item.id and not await self._may_answer(session, caller, each):
                    continue
                run_id = await self._decide(session, each, answer, ActionItemStatus.ANSWERED, caller)
                if run_id is not None:
                    runs[each.id] = run_id
        return AnsweredItem(item, runs.get(item.id), tuple(runs.values()))

    async def expire_due(self) -> list[UUID]:
        """Give items that expired their default answer. Returns the queued runs."""
        runs: list[UUID] = []
        async with self._ports.database.session() as session:
            now = self._ports.clock.now()
            for item in await ActionItemRepository(session).claim_expired_unscoped(now, ITEMS_PER_TICK):
                answer = default_answer(Question(item.question))
                if answer is None:
                    continue
                caller = Caller.system(item.tenant_id, "expire_action_items")
                with acting_as(caller):
                    run_id = await self._decide(session, item, answer, ActionItemStatus.EXPIRED, caller)
                if run_id is not None:
                    runs.append(run_id)
        return runs

    async def carry_out_due(self) -> list[UUID]:
        """Queue a run for each answer that no plan has carried out yet; returns the runs."""
        runs: list[UUID] = []
        async with self._ports.database.session() as session:
            items = ActionItemRepository(session)
            now = self._ports.clock.now()
            for item in await items.claim_due_unscoped(now - LOOK_AGAIN_AFTER, ITEMS_PER_TICK):
                caller = Caller.system(item.tenant_id, "carry_out_answers")
                with acting_as(caller):
                    run_id = await self._queue(session, item, caller)
                await items.keep_due(item.id, now)
                if run_id is not None:
                    runs.append(run_id)
        return runs

    async def _may_answer(self, session: AsyncSession, caller: Caller, item: ActionItem) -> bool:
        """Whether the caller may act through the item's archive. Only Admins act for another person (6.5)."""
        configuration = await ArchiveConfigurationRepository(session).get(
            item.tenant_id, item.configuration_id
        )
        return configuration is not None and (caller.is_admin or not configuration.names_another)

    async def _item(self, session: AsyncSession, caller: Caller, item_id: UUID) -> ActionItem:
        """The item, locked until the transaction ends."""
        access = await Access.of(session, caller)
        items = ActionItemRepository(session)
        found = await items.get_in_tenant(caller.tenant_id, item_id)
        if found is None or access.writable_owner not in (None, found.owner_id):
            raise NotFound("there is no such action item")
        item = await items.get(found.owner_id, item_id, lock=True)
        assert item is not None  # noqa: S101 - items go with their owner alone
        return item

    async def _decide(
        self,
        session: AsyncSession,
        item: ActionItem,
        answer: Answer,
        status: ActionItemStatus,
        caller: Caller,
    ) -> UUID | None:
        before = {"status": item.status}
        now = self._ports.clock.now()
        await ActionItemRepository(session).answer(item, answer, status, caller.actor, now)
        await self._ports.audit.record(
            session,
            action=f"action_item.{status}",
            resource_type="action_item",
            resource_id=str(item.id),
            outcome="success",
            changes={"before": before, "after": {"status": str(status), "answer": str(answer)}},
            on_behalf_of=item.owner_id,
        )
        return await self._queue(session, item, caller) if answer.changes_archive else None

    async def _queue(self, session: AsyncSession, item: ActionItem, caller: Caller) -> UUID | None:
        """Queue the run that carries the answer out. None if none can be queued now."""
        configuration = await ArchiveConfigurationRepository(session).lock(
            item.tenant_id, item.configuration_id, shared=True
        )
        span = await ActionItemRepository(session).span(item.owner_id, item.id)
        if configuration is None or not configuration.active or span is None:
            return None
        window = Window(span[0], span[1] + _INSTANT, ZoneInfo(configuration.time_zone))
        try:
            started = await queue_run(
                self._ports, session, configuration, window, RunKind.MANUAL, caller.actor
            )
        except Conflict:
            # The run of this window has just ended. The item stays due, and the timer tries again.
            return None
        return started.run.id
