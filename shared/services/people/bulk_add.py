"""Adds many people at once, from a list of addresses or an Entra group (domain.md 1)."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.people.people import LeavingRepository
from shared.domain.identity.caller import Caller
from shared.domain.identity.directory import Directories, Directory, DirectoryUser, MailboxState
from shared.domain.people.departure import BulkOutcome
from shared.errors import AdminAssistantError, Conflict, FieldError, NotFound, ValidationFailed
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access
from shared.services.people.new_users import new_user
from shared.services.people.users import refuse_erased

#: The largest number of people in one request, listed or members of the group.
MOST: Final = 1000
_ADDRESS: Final = re.compile(r"[^@\s/\\#?%]{1,120}@[^@\s/\\#?%]{1,120}")
_MAILBOX: Final = {
    MailboxState.NONE: BulkOutcome.NO_MAILBOX,
    MailboxState.NO_ACCESS: BulkOutcome.NO_ACCESS,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a request: what was found, and the user. ``code`` says why it failed."""

    address: str
    outcome: BulkOutcome
    object_id: UUID | None = None
    user_id: UUID | None = None
    display_name: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The entries in the order of the request, and the number of each kind."""

    entries: tuple[Entry, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of entries with each outcome."""
        return dict(Counter(str(entry.outcome) for entry in self.entries))


class BulkAddService:
    """Looks everyone up first. The dry run shows exactly what the request would do, entry by entry."""

    def __init__(
        self, database: Database, directories: Directories, clock: Clock, audit: AuditWriter
    ) -> None:
        self._database = database
        self._directories = directories
        self._clock = clock
        self._audit = audit

    async def add(
        self,
        caller: Caller,
        *,
        addresses: Sequence[str] | None = None,
        group_id: UUID | None = None,
        dry_run: bool,
        reactivate: bool,
    ) -> BulkResult:
        """Find out what would happen to each entry. Unless ``dry_run``, do it, one transaction each.

        Existing people stay unchanged, so the same request may be repeated. Deactivated people are
        reactivated only with ``reactivate``. Raises ValidationFailed naming ``group_id`` for a missing or too
        large group, StoreUnavailable and StoreRefused.
        """
        async with self._database.session() as session:
            await Access.of(session, caller)
        directory = self._directories.in_tenant(caller.tenant_id)
        if addresses is not None:
            entries, people = await self._listed(directory, addresses)
        else:
            entries, people = await self._members(directory, group_id)
        entries = await self._known(caller, entries)
        entries = await _with_mailboxes(directory, entries)
        if not dry_run:
            entries = [
                await self._done(caller, entry, people.get(entry.object_id), reactivate=reactivate)
                for entry in entries
            ]
        return BulkResult(tuple(entries))

    async def _listed(
        self, directory: Directory, addresses: Sequence[str]
    ) -> tuple[list[Entry], dict[UUID | None, DirectoryUser]]:
        wanted = list(dict.fromkeys(each.lower() for each in addresses if _ADDRESS.fullmatch(each)))
        found = await directory.find_users(wanted)
        seen: set[str | UUID] = set()
        entries = []
        for address in addresses:
            folded = address.lower()
            user = found.get(folded)
            if folded in seen or (user is not None and user.id in seen):
                outcome = BulkOutcome.DUPLICATE
            elif not _ADDRESS.fullmatch(address):
                outcome = BulkOutcome.INVALID_ADDRESS
            else:
                outcome = _looked_up(user)
            seen |= {folded} if user is None else {folded, user.id}
            entries.append(_entry(address, outcome, user))
        return entries, {user.id: user for user in found.values() if user is not None}

    async def _members(
        self, directory: Directory, group_id: UUID | None
    ) -> tuple[list[Entry], dict[UUID | None, DirectoryUser]]:
        if group_id is None:
            raise ValidationFailed([FieldError("addresses", "name addresses or a group", "missing")])
        try:
            members = await directory.group_users(group_id, MOST)
        except NotFound as error:
            raise ValidationFailed(
                [FieldError("group_id", "there is no such group", "group_unknown")]
            ) from error
        if len(members) > MOST:
            message = f"has more than {MOST} people; name smaller groups"
            raise ValidationFailed([FieldError("group_id", message, "group_too_large")])
        entries = [_entry(member.address, _looked_up(member), member) for member in members]
        return entries, {member.id: member for member in members}

    async def _known(self, caller: Caller, entries: Iterable[Entry]) -> list[Entry]:
        """The people who are users already, in one statement."""
        given = list(entries)
        candidates = [entry for entry in given if entry.outcome is BulkOutcome.WOULD_ADD]
        async with self._database.session() as session:
            users = await LeavingRepository(session).known_people(
                caller.tenant_id,
                [entry.object_id for entry in candidates if entry.object_id is not None],
                [entry.address.lower() for entry in candidates],
            )
        by_id = {user.object_id: user for user in users}
        by_address = {user.address.lower(): user for user in users}
        return [
            _as_known(entry, by_id, by_address) if entry.outcome is BulkOutcome.WOULD_ADD else entry
            for entry in given
        ]

    async def _done(
        self, caller: Caller, entry: Entry, person: DirectoryUser | None, *, reactivate: bool
    ) -> Entry:
        try:
            if entry.outcome is BulkOutcome.WOULD_ADD and person is not None:
                return await self._added(caller, entry, person)
            if entry.outcome is BulkOutcome.REACTIVATABLE and reactivate:
                return await self._reactivated(caller, entry)
        except AdminAssistantError as error:
            # The others continue. The caller sees which one failed, and why.
            return replace(entry, outcome=BulkOutcome.FAILED, code=error.code)
        return entry

    async def _added(self, caller: Caller, entry: Entry, person: DirectoryUser) -> Entry:
        name = person.display_name or entry.address
        user = new_user(caller.tenant_id, person.id, entry.address, name, self._clock.now())
        try:
            async with self._database.session() as session:
                await UserRepository(session).add(user)
                await self._audit_of(session, user, "user.created", {"object_id": str(user.object_id)})
        except Conflict:
            # Somebody else added them since the lookup.
            async with self._database.session() as session:
                there = await UserRepository(session).get_by_object_id(caller.tenant_id, person.id)
            if there is None:
                raise
            return replace(entry, outcome=BulkOutcome.EXISTS, user_id=there.id)
        return replace(entry, outcome=BulkOutcome.ADDED, user_id=user.id)

    async def _reactivated(self, caller: Caller, entry: Entry) -> Entry:
        async with self._database.session() as session:
            user = entry.user_id and await UserRepository(session).lock(caller.tenant_id, entry.user_id)
            if not user:
                raise NotFound("there is no such user")
            await refuse_erased(session, user)
            if not user.active:
                user.active, user.offboarded_at = True, None
                user.touch(self._clock.now())
                await self._audit_of(session, user, "user.updated", {"active": True})
        return replace(entry, outcome=BulkOutcome.REACTIVATED)

    async def _audit_of(
        self, session: AsyncSession, user: User, action: str, after: dict[str, object]
    ) -> None:
        await self._audit.record(
            session, action, "user", user.id, {"after": after, "in_bulk": True}, on_behalf_of=user.id
        )


def _looked_up(user: DirectoryUser | None) -> BulkOutcome:
    if user is None:
        return BulkOutcome.UNKNOWN_MAILBOX
    return BulkOutcome.GUEST if user.guest else BulkOutcome.WOULD_ADD


def _entry(address: str, outcome: BulkOutcome, user: DirectoryUser | None) -> Entry:
    if user is None:
        return Entry(address, outcome)
    return Entry(address, outcome, user.id, display_name=user.display_name)


def _as_known(entry: Entry, by_id: dict[UUID, User], by_address: dict[str, User]) -> Entry:
    user = by_id.get(entry.object_id) if entry.object_id is not None else None
    if user is not None:
        outcome = BulkOutcome.EXISTS if user.active else BulkOutcome.REACTIVATABLE
        return replace(entry, outcome=outcome, user_id=user.id)
    if entry.address.lower() in by_address:
        # The address belonged to another person, who still has it here.
        return replace(entry, outcome=BulkOutcome.FAILED, code="address_taken")
    return entry


async def _with_mailboxes(directory: Directory, entries: Sequence[Entry]) -> list[Entry]:
    """Whether the people to add or reactivate have a mailbox."""
    asked = (BulkOutcome.WOULD_ADD, BulkOutcome.REACTIVATABLE)
    wanted = [entry.object_id for entry in entries if entry.outcome in asked and entry.object_id]
    states = await directory.mailbox_states(wanted)
    return [
        replace(entry, outcome=_MAILBOX.get(states[entry.object_id], entry.outcome))
        if entry.outcome in asked and entry.object_id in states
        else entry
        for entry in entries
    ]
