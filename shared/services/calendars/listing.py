"""Calendars of a person in both stores: listed, created, and resolved from a reference (domain.md 1)."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars.calendar_port import Calendar, Calendars, CalendarStore
from shared.domain.calendars.calendar_reference import Store, folded_name
from shared.domain.calendars.local_calendar import local_row
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, StoreRefused
from shared.schemas.calendars import CalendarCreate, CalendarListQuery, CalendarResource, CalendarUse
from shared.schemas.paging import Place, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.calendars.resolution import CalendarResolver, canonical_reference, read_reference
from shared.services.calendars.store import CalendarStores
from shared.services.identity.access import NOBODY, Access, session_for

_STORES: tuple[Store, ...] = ("outlook", "local")
#: The store of a mailbox (object id), with the permission that the request has there.
type StoreOf = Callable[[UUID], CalendarStore]
#: The uses of calendars, by calendar id.
type Uses = dict[str, list[CalendarUse]]


class CalendarService:
    """The calendars of one person. Only they and the tenant's Admins create or resolve them."""

    def __init__(self, database: Database, local: Calendars, audit: AuditWriter) -> None:
        self._database = database
        self._local = local
        self._audit = audit

    async def list(
        self, caller: Caller, user_id: UUID, query: CalendarListQuery, mailboxes: StoreOf
    ) -> Slice[CalendarResource, Place]:
        """A page of the person's calendars: mailbox calendars first, the primary one first, then by name.

        Raises NotFound for a person that is not visible to the caller, and for one without a mailbox
        (``mailbox_not_found``). Raises ValidationFailed naming ``cursor``.
        """
        after = Place.of(query.cursor)
        async with self._database.session() as session:
            owner = await (await Access.of(session, caller)).readable_user(user_id)
        stores = CalendarStores(mailboxes(owner.object_id), self._local.in_tenant(caller.tenant_id))
        found = [
            (store, each, calendars)
            for store in (_STORES if query.store is None else (query.store,))
            for calendars in (_sorted(await stores.of(store).list_calendars(str(owner.object_id))),)
            for each in calendars
        ]
        first = _place_after(after, [each.id for _, each, _ in found])
        cut = found[first : first + query.limit]
        uses = await self._uses(caller, owner.object_id)
        resources = [
            _resource(owner, owner.object_id, owner.address, store, each, calendars, uses)
            for store, each, calendars in cut
        ]
        last = first + len(cut)
        more = Place(last, _mark(cut[-1][1].id)) if cut and last < len(found) else None
        return Slice(resources, more)

    async def create(
        self, caller: Caller, user_id: UUID, wanted: CalendarCreate, mailboxes: StoreOf
    ) -> CalendarResource:
        """Create a calendar in the person's mailbox or in our database.

        Raises NotFound for a person for whom the caller may not act. Raises Conflict if the store has a
        calendar of that name (case ignored), or the person is deactivated.
        """
        async with self._database.session() as session:
            owner = await (await Access.of(session, caller)).writable_user(user_id)
        if not owner.active:
            raise Conflict("this user is deactivated", code="user_deactivated")
        store = CalendarStores(mailboxes(owner.object_id), self._local.in_tenant(caller.tenant_id)).of(
            wanted.store
        )
        calendars = await store.list_calendars(str(owner.object_id))
        if any(folded_name(each.name) == folded_name(wanted.name) for each in calendars):
            raise _name_taken()
        try:
            made = await store.create_calendar(str(owner.object_id), wanted.name)
        except StoreRefused as refusal:
            if refusal.taken:
                raise _name_taken() from refusal
            raise
        if wanted.store == "outlook":
            await self._record(owner, "calendar.created", made.id, {"after": {"name": made.name}})
        calendars = [*calendars, made]
        return _resource(owner, owner.object_id, owner.address, wanted.store, made, calendars, {})

    async def resolve(
        self, caller: Caller, user_id: UUID, reference: str, mailboxes: StoreOf
    ) -> CalendarResource:
        """The calendar that a reference means for the person. Resolving another person's is audited.

        Raises NotFound (no such person, or another person's mailbox). Raises ValidationFailed naming
        ``reference``, with the existing calendars, if none or several match.
        """
        async with self._database.session() as session:
            owner = await (await Access.of(session, caller)).writable_user(user_id)
        read = read_reference("reference", reference)
        # On behalf of a person, only their own mailbox is read.
        own = folded_name(read.mailbox) in (folded_name(owner.address), str(owner.object_id))
        stores = CalendarStores(
            mailboxes(owner.object_id if own else NOBODY), self._local.in_tenant(caller.tenant_id)
        )
        resolver = CalendarResolver(stores, owner, any_mailbox=caller.is_admin)
        named = await resolver.find("reference", read)
        calendar = named.existing
        if not caller.is_person(named.mailbox_id):
            await self._record(owner, "calendar.resolved", calendar.id, {"reference": str(read)})
        uses = await self._uses(caller, named.mailbox_id)
        calendars = await resolver.calendars(named)
        return _resource(owner, named.mailbox_id, read.mailbox, read.store, calendar, calendars, uses)

    async def _uses(self, caller: Caller, mailbox_id: UUID) -> Uses:
        """The use of each calendar of the mailbox, by id, as far as the caller may know it."""
        async with session_for(self._database, caller) as (session, access):
            rows = await ArchiveConfigurationRepository(session).of_mailbox(
                caller.tenant_id, mailbox_id, access.readable_owner
            )
        return _uses_of(rows, mailbox_id)

    async def _record(self, owner: User, action: str, calendar_id: str, changes: dict[str, Any]) -> None:
        async with self._database.session() as session:
            await self._audit.record(session, action, "calendar", calendar_id, changes, on_behalf_of=owner.id)


def _sorted(calendars: Sequence[Calendar]) -> list[Calendar]:
    return sorted(calendars, key=lambda each: (not each.is_default, folded_name(each.name), each.id))


def _place_after(after: Place | None, ids: Sequence[str]) -> int:
    """Where the next page starts: after the last one shown, or at its old place if it is gone."""
    if after is None:
        return 0
    for number, each in enumerate(ids):
        if _mark(each) == after.id:
            return number + 1
    return max(0, after.number)


def _mark(calendar_id: str) -> UUID:
    """A calendar's id in a fixed length that fits in a cursor."""
    return uuid5(NAMESPACE_OID, calendar_id)


def _uses_of(rows: Sequence[ArchiveConfiguration], mailbox_id: UUID) -> Uses:
    uses: Uses = {}
    for row in rows:
        if row.source_mailbox_id == mailbox_id:
            use = CalendarUse(configuration_id=row.id, name=row.name, role="source")
            uses.setdefault(row.source_calendar_id, []).append(use)
        if row.archive_mailbox_id == mailbox_id:
            use = CalendarUse(configuration_id=row.id, name=row.name, role="archive")
            uses.setdefault(row.archive_calendar_id, []).append(use)
    return uses


def _resource(
    owner: User,
    mailbox_id: UUID,
    mailbox: str,
    store: Store,
    calendar: Calendar,
    calendars: Sequence[Calendar],
    uses: Uses,
) -> CalendarResource:
    return CalendarResource(
        id=calendar.id,
        user_id=owner.id,
        mailbox_id=mailbox_id,
        store=store,
        reference=str(canonical_reference(store, mailbox, calendar, calendars)),
        name=calendar.name,
        is_default=calendar.is_default,
        can_edit=calendar.can_edit,
        local_calendar_id=local_row(calendar.id),
        used_by=uses.get(calendar.id, []),
    )


def _name_taken() -> Conflict:
    return Conflict("a calendar with this name exists already", code="already_exists")
