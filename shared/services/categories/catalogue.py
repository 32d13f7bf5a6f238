"""The categories that a person can choose from: Outlook's list in their mailbox, and our own.

Outlook's list needs the permission ``MailboxSettings.ReadWrite``. ``OutlookOf`` decides whether the person or
the application asks. Deleting or recolouring a category changes no event.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.categories import LocalCategory
from shared.database.models.users import User
from shared.database.repositories.categories.categories import LocalCategoryRepository
from shared.database.repositories.categories.category_facts import CategoryFactsRepository
from shared.domain.calendars.calendar_port import MasterCategory
from shared.domain.categories.category import Category, parse_category
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, FieldError, NotFound, ValidationFailed
from shared.schemas.categories import (
    CategoryCreate,
    CategoryListQuery,
    CategoryPlace,
    CategoryUpdate,
    MissingCategoriesCreate,
    Store,
)
from shared.services.audit.recording import AuditWriter
from shared.services.categories.naming import checked_name, name_key
from shared.services.categories.scope import writable_person
from shared.services.identity.access import Access, session_for
from shared.services.identity.ownership import readable_person

#: The number of categories that one call adds to Outlook's list. Each is a request of its own.
MOST_CREATED: Final = 50
_MOST_USED: Final = 5_000
_OUTLOOK: Final = "outlook"


class OutlookCategories(Protocol):
    """Outlook's lists of categories. ``mailbox`` is the owner's object id."""

    async def list(self, mailbox: str) -> Sequence[MasterCategory]:
        """Every category of the mailbox."""
        ...

    async def create(self, mailbox: str, name: str, color: str) -> MasterCategory:
        """Add a category. Raises Conflict if the name exists."""
        ...

    async def recolour(self, mailbox: str, category_id: UUID, color: str) -> MasterCategory:
        """Change the colour of a category."""
        ...

    async def delete(self, mailbox: str, category_id: UUID) -> None:
        """Remove a category from the list."""
        ...


#: The list of a mailbox (object id), read on behalf of its owner, or by the app for another person.
type OutlookOf = Callable[[UUID], OutlookCategories]


@dataclass(frozen=True, slots=True)
class KnownCategory:
    """A category of either store. Outlook has no versions, so the version is derived from the content."""

    id: UUID
    owner_id: UUID
    store: Store
    name: str
    color: str
    version: int

    @classmethod
    def of_outlook(cls, owner: User, category: MasterCategory) -> "KnownCategory":
        """A category of Outlook's list."""
        content = f"{category.name}\n{category.color}".encode()
        version = zlib.crc32(content) % 1_000_000_000
        return cls(category.id, owner.id, "outlook", category.name, category.color, version)

    @classmethod
    def of_ours(cls, row: LocalCategory) -> "KnownCategory":
        """A category of our own."""
        return cls(row.id, row.owner_id, "local", row.name, row.color, row.version)

    @property
    def place(self) -> CategoryPlace:
        """Its position in the list."""
        return CategoryPlace.at(name_key(self.name), self.id)


@dataclass(frozen=True, slots=True)
class CategoryList:
    """A page of categories."""

    rows: Sequence[KnownCategory]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CreatedCategories:
    """What was added, how many existed already, and how many are still missing."""

    created: Sequence[KnownCategory]
    present: int
    remaining: int
    owner_id: UUID


class CategoryCatalogue:
    """Categories of both stores. Each change writes one audit row."""

    def __init__(self, database: Database, outlook: OutlookOf, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._outlook = outlook
        self._clock = clock
        self._audit = audit

    def reaching(self, outlook: OutlookOf) -> "CategoryCatalogue":
        """The same catalogue, with the access to Outlook of one request."""
        return CategoryCatalogue(self._database, outlook, self._clock, self._audit)

    async def list(self, caller: Caller, query: CategoryListQuery) -> CategoryList:
        """Categories of one person by name. Raises as ``readable_person`` does, and StoreRefused."""
        after = CategoryPlace.of(query.cursor)
        owner = await self._reader(caller, query.user_id)
        if owner is None:
            return CategoryList((), None)
        found: list[KnownCategory] = []
        if query.store != _OUTLOOK:
            async with self._database.session() as session:
                rows = await LocalCategoryRepository(session).all_of(owner.id)
            found += [KnownCategory.of_ours(row) for row in rows]
        if query.store != "local":
            found += await self._of_outlook(owner)
        found = sorted((each for each in found if after is None or each.place > after), key=_place)
        shown = found[: query.limit]
        more = len(found) > query.limit
        return CategoryList(shown, shown[-1].place.cursor() if more else None)

    async def get(self, caller: Caller, category_id: UUID, user_id: UUID | None) -> KnownCategory:
        """A category of our own, or of the person's Outlook. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            row = await LocalCategoryRepository(session).get(
                caller.tenant_id, category_id, access.readable_owner
            )
            if row is not None and user_id in (None, row.owner_id):
                return KnownCategory.of_ours(row)
            owner = access.own if user_id is None else await access.readable_user(user_id)
        if owner is None:
            raise _no_category()
        return await self._one_of_outlook(owner, category_id)

    async def create(self, caller: Caller, wanted: CategoryCreate) -> KnownCategory:
        """Add a category. Raises NotFound, ValidationFailed with the kind of issue, and Conflict."""
        name = checked_name("name", wanted.name)
        owner = await self._writer(caller, wanted.user_id)
        if wanted.store == _OUTLOOK:
            if any(name_key(each.name) == name_key(name) for each in await self._of_outlook(owner)):
                raise Conflict("Outlook has a category with this name already", code="already_exists")
            return await self._create_in_outlook(owner, name, wanted.color)
        now = self._clock.now()
        row = LocalCategory(
            id=uuid4(),
            owner_id=owner.id,
            name=name,
            name_key=name_key(name),
            color=wanted.color,
            version=1,
            created_at=now,
            updated_at=now,
        )
        async with self._database.session() as session:
            await LocalCategoryRepository(session).add(row)
            known = KnownCategory.of_ours(row)
            await self._record(session, known, "created", {"after": _audited(known)})
        return known

    async def create_missing(self, caller: Caller, wanted: MissingCategoriesCreate) -> CreatedCategories:
        """Add the valid categories of the archive that Outlook's list lacks, at most 50 at a time.

        The category of a private event is visible only to its owner. So it is left out if an Admin asks.
        """
        owner = await self._writer(caller, wanted.user_id)
        async with self._database.session() as session:
            used = await CategoryFactsRepository(session).used(owner.id, _MOST_USED, viewer=caller.person)
        listed = {_identity(each.name) for each in await self._of_outlook(owner)}
        needed: dict[str, str] = {}
        present: set[str] = set()
        for text in used:
            category = parse_category(text)
            if not isinstance(category, Category):
                continue
            if category.identity in listed:
                present.add(category.identity)
            else:
                needed.setdefault(category.identity, text.strip())
        names = list(needed.values())
        created = [await self._create_in_outlook(owner, name, wanted.color) for name in names[:MOST_CREATED]]
        return CreatedCategories(created, len(present), len(names) - len(created), owner.id)

    async def update(
        self,
        caller: Caller,
        category_id: UUID,
        user_id: UUID | None,
        wanted: CategoryUpdate,
        expected: ExpectedVersion,
    ) -> KnownCategory:
        """Change the given fields.

        Raises NotFound, PreconditionFailed, Conflict (name taken), and ValidationFailed naming ``name``,
        because Outlook never renames a category.
        """
        given = wanted.given()
        if "name" in given:
            given["name"] = checked_name("name", wanted.name)
        async with self._database.session() as session:
            row = await self._locked(session, caller, category_id, user_id)
            if row is not None:
                return await self._change(session, row, given, expected)
        owner = await self._writer_of_one(caller, user_id)
        before = await self._one_of_outlook(owner, category_id)
        expected.check(before.version)
        if given.get("name", before.name) != before.name:
            message = "Outlook does not rename categories: add the new one and delete this one"
            raise ValidationFailed([FieldError("name", message, "immutable")])
        if given.get("color", before.color) == before.color:
            return before
        changed = await self._outlook(owner.object_id).recolour(
            str(owner.object_id), category_id, given["color"]
        )
        after = KnownCategory.of_outlook(owner, changed)
        async with self._database.session() as session:
            changes = {"before": _audited(before), "after": _audited(after)}
            await self._record(session, after, "updated", changes)
        return after

    async def delete(
        self, caller: Caller, category_id: UUID, user_id: UUID | None, expected: ExpectedVersion
    ) -> None:
        """Delete a category. Events keep it. Raises NotFound and PreconditionFailed."""
        async with self._database.session() as session:
            row = await self._locked(session, caller, category_id, user_id)
            if row is not None:
                expected.check(row.version)
                await LocalCategoryRepository(session).delete(row.owner_id, row.id)
                known = KnownCategory.of_ours(row)
                await self._record(session, known, "deleted", {"before": _audited(known)})
                return
        owner = await self._writer_of_one(caller, user_id)
        known = await self._one_of_outlook(owner, category_id)
        expected.check(known.version)
        await self._outlook(owner.object_id).delete(str(owner.object_id), category_id)
        async with self._database.session() as session:
            await self._record(session, known, "deleted", {"before": _audited(known)})

    async def _change(
        self, session: AsyncSession, row: LocalCategory, given: dict[str, Any], expected: ExpectedVersion
    ) -> KnownCategory:
        expected.check(row.version)
        before = KnownCategory.of_ours(row)
        row.color = given.get("color", row.color)
        row.name = given.get("name", row.name)
        row.name_key = name_key(row.name)
        if (row.name, row.color) != (before.name, before.color):
            row.touch(self._clock.now())
            await session.flush()
            after = KnownCategory.of_ours(row)
            changes = {"before": _audited(before), "after": _audited(after)}
            await self._record(session, after, "updated", changes)
        return KnownCategory.of_ours(row)

    async def _locked(
        self, session: AsyncSession, caller: Caller, category_id: UUID, user_id: UUID | None
    ) -> LocalCategory | None:
        access = await Access.of(session, caller)
        row = await LocalCategoryRepository(session).get(
            caller.tenant_id, category_id, access.writable_owner, lock=True
        )
        return row if row is not None and user_id in (None, row.owner_id) else None

    async def _create_in_outlook(self, owner: User, name: str, color: str) -> KnownCategory:
        created = await self._outlook(owner.object_id).create(str(owner.object_id), name, color)
        known = KnownCategory.of_outlook(owner, created)
        # It is in Outlook now, whatever happens to the rest of the request.
        async with self._database.session(apart=True) as session:
            await self._record(session, known, "created", {"after": _audited(known)})
        return known

    async def _of_outlook(self, owner: User) -> Sequence[KnownCategory]:
        found = await self._outlook(owner.object_id).list(str(owner.object_id))
        return [KnownCategory.of_outlook(owner, each) for each in found]

    async def _one_of_outlook(self, owner: User, category_id: UUID) -> KnownCategory:
        for each in await self._of_outlook(owner):
            if each.id == category_id:
                return each
        raise _no_category()

    async def _reader(self, caller: Caller, user_id: UUID | None) -> User | None:
        async with self._database.session() as session:
            return await readable_person(await Access.of(session, caller), user_id)

    async def _writer(self, caller: Caller, user_id: UUID | None) -> User:
        async with self._database.session() as session:
            return await writable_person(await Access.of(session, caller), user_id)

    async def _writer_of_one(self, caller: Caller, user_id: UUID | None) -> User:
        """As ``_writer``. A person without a mailbox has no such category either."""
        async with session_for(self._database, caller) as (_, access):
            if user_id is None and access.own is None:
                raise _no_category()
            return await writable_person(access, user_id)

    async def _record(
        self, session: AsyncSession, category: KnownCategory, what: str, changes: dict[str, Any]
    ) -> None:
        await self._audit.record(
            session, f"category.{what}", "category", category.id, changes, on_behalf_of=category.owner_id
        )


def _place(category: KnownCategory) -> CategoryPlace:
    return category.place


def _identity(text: str) -> str:
    """Equal for names of the same category."""
    found = parse_category(text)
    return found.identity if isinstance(found, Category) else name_key(text)


def _audited(category: KnownCategory) -> dict[str, Any]:
    return {"store": category.store, "name": category.name, "color": category.color}


def _no_category() -> NotFound:
    return NotFound("there is no such category")
