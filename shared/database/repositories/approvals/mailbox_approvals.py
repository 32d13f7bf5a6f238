"""Approvals to archive another person's mailbox, and the facts that decide about them (domain.md 6.5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import AdminSighting, MailboxApproval, MailboxAssistant
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.database.models.verifications import Verification
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.approvals.mailbox_approval import ApprovalState
from shared.domain.runs.archive_run import RunState
from shared.domain.verifying.verification import VerificationState

_IN_FORCE = (ApprovalState.APPROVED, ApprovalState.OBJECTED)
_OPEN = (ApprovalState.REQUESTED, *_IN_FORCE)


class MailboxApprovalRepository(Repository):
    """The ``mailbox_approvals`` table, with sightings of Admins and assistants of mailboxes."""

    async def add(self, approval: MailboxApproval) -> MailboxApproval:
        """Insert it. Raises AlreadyExists if its configuration has an open request."""
        await self._insert(approval)
        return approval

    async def get(self, tenant_id: UUID, approval_id: UUID, *, lock: bool = False) -> MailboxApproval | None:
        """The approval in the tenant. ``lock`` holds it until the transaction ends."""
        statement = select(MailboxApproval).where(
            MailboxApproval.tenant_id == tenant_id, MailboxApproval.id == approval_id
        )
        return await self._one(statement, lock=lock)

    async def list(
        self,
        tenant_id: UUID,
        after: Keyset | None,
        limit: int,
        *,
        seen_by: "tuple[UUID, Sequence[UUID]] | None",
        states: Sequence[str] = (),
    ) -> list[MailboxApproval]:
        """Approvals in the order of their requests.

        ``seen_by``: only for configurations of this user (our id), or that read one of these mailboxes.
        """
        statement = select(MailboxApproval).where(MailboxApproval.tenant_id == tenant_id)
        if seen_by is not None:
            owner_id, mailboxes = seen_by
            statement = statement.where(
                or_(MailboxApproval.owner_id == owner_id, MailboxApproval.person_id.in_(mailboxes))
            )
        if states:
            statement = statement.where(MailboxApproval.state.in_(states))
        key = (MailboxApproval.created_at, MailboxApproval.id)
        return await self._all(page(statement, key, after, limit))

    async def of_mailboxes(self, tenant_id: UUID, mailboxes: Sequence[UUID]) -> Sequence[MailboxApproval]:
        """Open approvals that read one of the mailboxes, in the order of their requests."""
        return await self._all(
            select(MailboxApproval)
            .where(
                MailboxApproval.tenant_id == tenant_id,
                MailboxApproval.person_id.in_(mailboxes),
                MailboxApproval.state.in_(_OPEN),
            )
            .order_by(MailboxApproval.created_at, MailboxApproval.id)
        )

    async def of_configuration(
        self, configuration_id: UUID, *, requested: bool = False
    ) -> MailboxApproval | None:
        """The approval in force, also if objected, or with ``requested`` the open request. Locked."""
        states = (ApprovalState.REQUESTED,) if requested else _IN_FORCE
        return await self._one(
            select(MailboxApproval).where(
                MailboxApproval.configuration_id == configuration_id, MailboxApproval.state.in_(states)
            ),
            lock=True,
        )

    async def open_of_person(self, tenant_id: UUID, person_id: UUID) -> Sequence[MailboxApproval]:
        """Open approvals that read a person's mailbox, locked."""
        return await self._all(
            select(MailboxApproval)
            .where(
                MailboxApproval.tenant_id == tenant_id,
                MailboxApproval.person_id == person_id,
                MailboxApproval.state.in_(_OPEN),
            )
            .order_by(MailboxApproval.id),
            lock=True,
        )

    async def given_to(self, tenant_id: UUID, object_id: UUID) -> Sequence[MailboxApproval]:
        """Open approvals that a person got as an Admin, locked."""
        return await self._all(
            select(MailboxApproval)
            .join(User, User.id == MailboxApproval.owner_id)
            .where(
                User.tenant_id == tenant_id,
                User.object_id == object_id,
                MailboxApproval.given_to_admin,
                MailboxApproval.state.in_(_OPEN),
            )
            .order_by(MailboxApproval.id)
            .with_for_update(of=MailboxApproval)
            .execution_options(populate_existing=True)
        )

    async def over_unscoped(self, now: datetime, limit: int) -> Sequence[MailboxApproval]:
        """Lock expired approvals of every tenant, except those that others hold."""
        return await self._all(
            select(MailboxApproval)
            .where(MailboxApproval.state.in_(_IN_FORCE), MailboxApproval.ends_at <= now)
            .order_by(MailboxApproval.ends_at, MailboxApproval.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def unopposed_unscoped(self, now: datetime, limit: int) -> Sequence[MailboxApproval]:
        """Lock requests of every tenant that start unopposed now, except those that others hold."""
        return await self._all(
            select(MailboxApproval)
            .where(MailboxApproval.state == ApprovalState.REQUESTED, MailboxApproval.starts_at <= now)
            .order_by(MailboxApproval.starts_at, MailboxApproval.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def unseen_unscoped(self, before: datetime, limit: int) -> Sequence[MailboxApproval]:
        """Lock approvals of Admins who were last seen with the role before ``before``."""
        return await self._all(
            select(MailboxApproval)
            .join(User, User.id == MailboxApproval.owner_id)
            .outerjoin(
                AdminSighting,
                and_(AdminSighting.tenant_id == User.tenant_id, AdminSighting.object_id == User.object_id),
            )
            .where(
                MailboxApproval.given_to_admin,
                MailboxApproval.state.in_(_IN_FORCE),
                or_(AdminSighting.seen_at.is_(None), AdminSighting.seen_at < before),
            )
            .order_by(MailboxApproval.id)
            .limit(limit)
            .with_for_update(of=MailboxApproval, skip_locked=True)
        )

    async def stop_work(self, configuration_id: UUID, reason: str, now: datetime) -> None:
        """Ask the configuration's open runs to stop, and end its verifications, which only read."""
        await self._session.execute(
            update(ArchiveRun)
            .where(
                ArchiveRun.configuration_id == configuration_id,
                ArchiveRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
            )
            .values(cancel_requested=True)
        )
        await self._session.execute(
            update(Verification)
            .where(
                Verification.configuration_id == configuration_id,
                Verification.state.in_((VerificationState.QUEUED, VerificationState.RUNNING)),
            )
            .values(state=VerificationState.FAILED, reason=reason, finished_at=now)
        )

    async def mask_record(self, configuration_id: UUID) -> None:
        """Reduce private events that were recorded while their person agreed to their times (6.5)."""
        await self._session.execute(_MASK_RECORD, {"configuration": configuration_id})

    async def follow_archive(self, configuration_id: UUID, calendar_id: str) -> None:
        """The archive calendar was created again. The approval covers the new one."""
        await self._session.execute(
            update(MailboxApproval)
            .where(MailboxApproval.configuration_id == configuration_id, MailboxApproval.state.in_(_OPEN))
            .values(archive_calendar_id=calendar_id)
        )

    async def saw_admin(self, tenant_id: UUID, object_id: UUID, now: datetime) -> None:
        """Record that a person signed in with the role Admin."""
        sighting = insert(AdminSighting).values(tenant_id=tenant_id, object_id=object_id, seen_at=now)
        await self._session.execute(
            sighting.on_conflict_do_update(
                index_elements=["tenant_id", "object_id"], set_={"seen_at": sighting.excluded.seen_at}
            )
        )

    async def saw_without_role(self, tenant_id: UUID, object_id: UUID) -> bool:
        """Record that a person signed in without the role Admin. True if they were recorded as one."""
        forgotten = await self._session.execute(
            delete(AdminSighting)
            .where(AdminSighting.tenant_id == tenant_id, AdminSighting.object_id == object_id)
            .returning(AdminSighting.object_id)
        )
        return forgotten.one_or_none() is not None

    async def is_admin(self, tenant_id: UUID, object_id: UUID, since: datetime) -> bool:
        """Whether a person signed in with the role Admin since then."""
        statement = select(AdminSighting.object_id).where(
            AdminSighting.tenant_id == tenant_id,
            AdminSighting.object_id == object_id,
            AdminSighting.seen_at >= since,
        )
        return (await self._session.execute(statement)).first() is not None

    async def other_admin(self, tenant_id: UUID, but: Sequence[UUID], since: datetime) -> bool:
        """Whether anybody except these people signed in with the role Admin since then."""
        statement = select(AdminSighting.object_id).where(
            AdminSighting.tenant_id == tenant_id,
            AdminSighting.object_id.not_in(but),
            AdminSighting.seen_at >= since,
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def assistant_of(self, tenant_id: UUID, mailbox_id: UUID) -> UUID | None:
        """The assistant of the person of a mailbox. Both are object ids."""
        statement = select(MailboxAssistant.assistant_id).where(
            MailboxAssistant.tenant_id == tenant_id, MailboxAssistant.mailbox_id == mailbox_id
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def mailboxes_of_assistant(self, tenant_id: UUID, assistant_id: UUID) -> Sequence[UUID]:
        """The mailboxes whose people named this assistant."""
        statement = select(MailboxAssistant.mailbox_id).where(
            MailboxAssistant.tenant_id == tenant_id, MailboxAssistant.assistant_id == assistant_id
        )
        return list((await self._session.execute(statement)).scalars())

    async def name_assistant(
        self, tenant_id: UUID, mailbox_id: UUID, assistant_id: UUID | None, now: datetime
    ) -> None:
        """Name the assistant of the person of a mailbox. None removes the assistant."""
        if assistant_id is None:
            await self._session.execute(
                delete(MailboxAssistant).where(
                    MailboxAssistant.tenant_id == tenant_id, MailboxAssistant.mailbox_id == mailbox_id
                )
            )
            return
        named = insert(MailboxAssistant).values(
            tenant_id=tenant_id, mailbox_id=mailbox_id, assistant_id=assistant_id, named_at=now
        )
        await self._session.execute(
            named.on_conflict_do_update(
                index_elements=["tenant_id", "mailbox_id"],
                set_={"assistant_id": named.excluded.assistant_id, "named_at": named.excluded.named_at},
            )
        )

    async def unknown_persons_unscoped(self, limit: int) -> Sequence[ArchiveConfiguration]:
        """Configurations of every tenant whose calendars' people are not known yet."""
        return await self._all(
            select(ArchiveConfiguration)
            .where(ArchiveConfiguration.persons_known_at.is_(None), ArchiveConfiguration.deleted_at.is_(None))
            .order_by(ArchiveConfiguration.created_at, ArchiveConfiguration.id)
            .limit(limit)
        )


_MASK_RECORD = text("""
    UPDATE appointments
       SET subject = 'Private', body = '', body_type = 'text', location = '', categories = '{}',
           show_as = 'busy', importance = 'normal', sensitivity = 'private', start_zone = 'UTC',
           end_zone = 'UTC', organizer = NULL, attendees = '[]', attachment_count = 0, ical_uid = '',
           is_cancelled = false, is_declined = false
     WHERE configuration_id = :configuration AND sensitivity <> 'normal'
""")
_AGREED = text("""
    SELECT c.id FROM archive_configurations c JOIN users u ON u.id = c.owner_id
     WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.details_agreed_at IS NOT NULL AND u.object_id = :viewer
""")


async def details_agreed(session: Any, ids: Sequence[UUID], viewer: UUID | None) -> set[UUID]:
    """Those of these configurations that are the viewer's own and may show private events whole."""
    if not ids or viewer is None:
        return set()
    return set((await session.execute(_AGREED, {"ids": list(ids), "viewer": viewer})).scalars())
