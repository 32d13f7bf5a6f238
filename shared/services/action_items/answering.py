"""Answers action items, by their owner or by expiry. Runs carry the answers out."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.action_items.items import ActionItemStatus, Answer, Question, answers_to, default_answer
from shared.domain.expected_version import ANY_VERSION, ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, FieldError, ValidationFailed
from shared.services.approvals.authorising import authorise
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.decision_runs import DecisionRuns


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
        self._runs = DecisionRuns(ports, ActionItemRepository)

    async def answer(
        self, caller: Caller, item_id: UUID, answer: Answer, *, expected: ExpectedVersion = ANY_VERSION
    ) -> AnsweredItem:
        """Answer an open item. The same question in the owner's other archives gets the same answer (2.18).

        Raises NotFound, PreconditionFailed, ValidationFailed (``answer``) for an answer that does not fit,
        and Conflict for an item that is not open.
        """
        async with self._ports.database.session() as session:
            items = ActionItemRepository(session)
            item = await self._runs.locked(session, caller, item_id, "action item")
            expected.check(item.version)
            if answer not in answers_to(Question(item.question)):
                fitting = ", ".join(answers_to(Question(item.question)))
                message = f"does not fit; it may be one of {fitting}"
                raise ValidationFailed([FieldError("answer", message, "answer_does_not_fit")])
            configuration = await ArchiveConfigurationRepository(session).get(
                item.tenant_id, item.configuration_id
            )
            if configuration is not None:
                await authorise(session, caller, configuration)
            alike = await items.lock_open_alike(item.owner_id, item.about)
            item = await self._runs.locked(session, caller, item_id, "action item")
            if item.status != ActionItemStatus.OPEN:
                raise Conflict("the item is not open any more", code="action_item_over")
            runs: dict[UUID, UUID] = {}
            for each in alike:
                if each.id != item.id and not await self._is_authorised(session, caller, each):
                    continue
                run_id = await self._decide(session, each, answer, ActionItemStatus.ANSWERED, caller)
                if run_id is not None:
                    runs[each.id] = run_id
        return AnsweredItem(item, runs.get(item.id), tuple(runs.values()))

    async def expire_due(self) -> list[UUID]:
        """Give items that expired their default answer. Returns the queued runs."""
        return await self._runs.expire("expire_action_items", self._expire)

    async def carry_out_due(self) -> list[UUID]:
        """Queue a run for each answer that no plan has carried out yet. Returns the runs."""
        return await self._runs.carry_out("carry_out_answers")

    async def _expire(self, session: AsyncSession, item: ActionItem, caller: Caller) -> UUID | None:
        answer = default_answer(Question(item.question))
        if answer is None:
            return None
        return await self._decide(session, item, answer, ActionItemStatus.EXPIRED, caller)

    async def _is_authorised(self, session: AsyncSession, caller: Caller, item: ActionItem) -> bool:
        """Whether the caller may act through the item's archive. Only Admins act for another person (6.5)."""
        configuration = await ArchiveConfigurationRepository(session).get(
            item.tenant_id, item.configuration_id
        )
        return configuration is not None and (caller.is_admin or not configuration.names_another)

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
        changes = {"before": before, "after": {"status": str(status), "answer": str(answer)}}
        await self._ports.audit.record(
            session, f"action_item.{status}", "action_item", item.id, changes, on_behalf_of=item.owner_id
        )
        return await self._runs.queue(session, item, caller) if answer.changes_archive else None
