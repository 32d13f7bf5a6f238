"""The ``archive_configurations`` table (domain.md 1, Archive configuration)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select, text, update

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.calendars.calendar_authorisation import ReferenceFacts
from shared.domain.runs.window import local_day_start

_LOCK_DEFAULT = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:owner AS text), 3))")
_LOCK_CALENDAR_ROLES = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:tenant AS text), 2))")
#: The constraint that prevents two configurations with one source and one archive (domain.md 2.19).
PAIR_TAKEN = "uq_archive_configurations_pair"
# Two index lookups for the other role, whatever else the tenant has.
_REFERENCE_FACTS = text("""
    SELECT u.object_id AS owner, u.active AS owner_active,
           COALESCE(c.source_person_id, c.source_mailbox_id) AS source_person,
           COALESCE(c.archive_person_id, c.archive_mailbox_id) AS archive_person,
           c.source_erased_at IS NOT NULL AS erased,
           COALESCE(c.open_until > now(), false) AND EXISTS (SELECT 1 FROM mailbox_approvals a
                    WHERE a.configuration_id = c.id AND a.state = 'approved' AND a.ends_at > now()
                      AND (a.source_mailbox_id, a.source_calendar_id, a.archive_mailbox_id,
                           a.archive_calendar_id, a.purpose)
                        = (c.source_mailbox_id, c.source_calendar_id, c.archive_mailbox_id,
                           c.archive_calendar_id, c.purpose)) AS approved,
           EXISTS (SELECT 1 FROM archive_configurations o
                    WHERE o.tenant_id = c.tenant_id AND o.deleted_at IS NULL
                      AND o.archive_mailbox_id = c.source_mailbox_id
                      AND o.archive_calendar_id = c.source_calendar_id)
        OR EXISTS (SELECT 1 FROM archive_configurations o
                    WHERE o.tenant_id = c.tenant_id AND o.deleted_at IS NULL
                      AND o.source_mailbox_id = c.archive_mailbox_id
                      AND o.source_calendar_id = c.archive_calendar_id) AS two_roles,
           c.archive_in_use AND EXISTS (SELECT 1 FROM archive_configurations o
                    WHERE o.tenant_id = c.tenant_id AND o.deleted_at IS NULL
                      AND o.source_mailbox_id = c.source_mailbox_id
                      AND o.source_calendar_id = c.source_calendar_id
                      AND o.archive_mailbox_id = c.archive_mailbox_id
                      AND o.archive_calendar_id = c.archive_calendar_id
                      AND (o.created_at, o.id) < (c.created_at, c.id)) AS archive_in_use
      FROM archive_configurations c JOIN users u ON u.id = c.owner_id
     WHERE c.tenant_id = :tenant AND c.id = :configuration AND c.deleted_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class ReadingFacts:
    """The person whose events are read (object id), the owner, and whether no approval is valid.

    ``agreed``: the person lets the owner see their private events whole (domain.md 6.5).
    """

    origin_id: UUID
    owner_id: UUID
    closed: bool
    agreed: bool


class ArchiveConfigurationRepository(Repository):
    """The ``archive_configurations`` table without deleted rows.

    ``owner_id`` limits it to one person.
    """

    async def add(self, configuration: ArchiveConfiguration) -> ArchiveConfiguration:
        """Insert it.

        Raises AlreadyExists if the owner has its name, or a default and this is one too. Also raised if
        another one has the same source and archive (``PAIR_TAKEN``).
        """
        await self._insert(configuration)
        return configuration

    async def get(
        self, tenant_id: UUID, configuration_id: UUID, owner_id: UUID | None = None
    ) -> ArchiveConfiguration | None:
        """The configuration in the tenant. With ``owner_id``, only if that user owns it."""
        return await self._one(
            select(ArchiveConfiguration).where(
                ArchiveConfiguration.id == configuration_id, *_scope(tenant_id, owner_id)
            )
        )

    async def reading_of(self, tenant_id: UUID, configuration_id: UUID) -> ReadingFacts | None:
        """Whose events a configuration reads, and whether its owner may see them. Deleted ones too."""
        return (await self.readings_of(tenant_id, [configuration_id])).get(configuration_id)

    async def readings_of(
        self, tenant_id: UUID, configuration_ids: Collection[UUID]
    ) -> dict[UUID, ReadingFacts]:
        """As ``reading_of`` for several configurations, by id."""
        closed = func.coalesce(ArchiveConfiguration.open_until <= func.now(), False)
        statement = select(
            ArchiveConfiguration.id,
            func.coalesce(ArchiveConfiguration.source_person_id, ArchiveConfiguration.source_mailbox_id),
            ArchiveConfiguration.owner_id,
            closed,
            ArchiveConfiguration.details_agreed_at.is_not(None),
        ).where(ArchiveConfiguration.tenant_id == tenant_id, ArchiveConfiguration.id.in_(configuration_ids))
        return {row[0]: ReadingFacts(*row[1:]) for row in await self._session.execute(statement)}

    async def lock(
        self, tenant_id: UUID, configuration_id: UUID, *, shared: bool = False
    ) -> ArchiveConfiguration | None:
        """The configuration, locked until the transaction ends.

        ``shared`` is a shared lock: others may hold it too, and nobody can change or delete the row. Neither
        lock stops rows that refer to it. A run inserts them while it holds its own row, and the caller
        may wait for that row.
        """
        return await self._one(
            select(ArchiveConfiguration)
            .where(ArchiveConfiguration.id == configuration_id, *_scope(tenant_id, None))
            .with_for_update(read=shared, key_share=not shared)
            .execution_options(populate_existing=True)
        )

    async def lock_all_unscoped(self, configuration_ids: Sequence[UUID]) -> dict[UUID, ArchiveConfiguration]:
        """The existing ones of several tenants, by id, each with a shared lock as in ``lock``."""
        found = await self._all(
            select(ArchiveConfiguration)
            .where(ArchiveConfiguration.id.in_(configuration_ids), ArchiveConfiguration.deleted_at.is_(None))
            .order_by(ArchiveConfiguration.id)
            .with_for_update(read=True)
            .execution_options(populate_existing=True)
        )
        return {configuration.id: configuration for configuration in found}

    async def reference_facts(self, tenant_id: UUID, configuration_id: UUID) -> ReferenceFacts | None:
        """The facts that decide whether a run may use the configuration's calendars (domain.md 1)."""
        parameters = {"tenant": tenant_id, "configuration": configuration_id}
        row = (await self._session.execute(_REFERENCE_FACTS, parameters)).mappings().one_or_none()
        return None if row is None else ReferenceFacts(**row)

    async def set_archive_gone(
        self, owner_id: UUID, configuration_id: UUID, calendar_id: str, since: datetime | None
    ) -> None:
        """Record since when its archive calendar (this one) is gone. None: it exists.

        The first time it was missed stays.
        """
        known = ArchiveConfiguration.archive_gone_since
        await self._session.execute(
            update(ArchiveConfiguration)
            .where(
                ArchiveConfiguration.id == configuration_id,
                ArchiveConfiguration.owner_id == owner_id,
                ArchiveConfiguration.archive_calendar_id == calendar_id,
            )
            .values(archive_gone_since=None if since is None else func.coalesce(known, since))
        )

    async def take_turn(self, owner_id: UUID) -> None:
        """Wait for other transactions that choose the owner's default, and block later ones."""
        await self._session.execute(_LOCK_DEFAULT, {"owner": str(owner_id)})

    async def resign_default(self, owner_id: UUID, configuration_id: UUID, now: datetime) -> None:
        """Make the configuration not its owner's default."""
        await self._session.execute(
            update(ArchiveConfiguration)
            .where(ArchiveConfiguration.id == configuration_id, ArchiveConfiguration.owner_id == owner_id)
            .values(is_default=False, version=ArchiveConfiguration.version + 1, updated_at=now)
        )

    async def list(
        self, tenant_id: UUID, after: Keyset | None, limit: int, owner_id: UUID | None = None
    ) -> list[ArchiveConfiguration]:
        """Configurations in the order they were added, of the tenant or of one owner."""
        statement = select(ArchiveConfiguration).where(*_scope(tenant_id, owner_id))
        key = (ArchiveConfiguration.created_at, ArchiveConfiguration.id)
        return await self._all(page(statement, key, after, limit))

    async def has_name(self, tenant_id: UUID, owner_id: UUID, name: str) -> bool:
        """Whether the owner has a configuration of this name. The database decides finally."""
        statement = select(ArchiveConfiguration.id).where(
            *_scope(tenant_id, owner_id), ArchiveConfiguration.name == name
        )
        return (await self._session.execute(statement)).first() is not None

    async def of_mailbox(
        self, tenant_id: UUID, mailbox_id: UUID, owner_id: UUID | None = None
    ) -> Sequence[ArchiveConfiguration]:
        """Configurations that read or write a calendar of the mailbox, in the order they were added."""
        return await self._all(
            select(ArchiveConfiguration)
            .where(
                *_scope(tenant_id, owner_id),
                or_(
                    ArchiveConfiguration.source_mailbox_id == mailbox_id,
                    ArchiveConfiguration.archive_mailbox_id == mailbox_id,
                ),
            )
            .order_by(ArchiveConfiguration.created_at, ArchiveConfiguration.id)
        )

    async def source_mailboxes(self, tenant_id: UUID, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The source mailboxes of the tenant's configurations, including deleted ones, of any owner."""
        statement = select(ArchiveConfiguration.id, ArchiveConfiguration.source_mailbox_id).where(
            ArchiveConfiguration.tenant_id == tenant_id, ArchiveConfiguration.id.in_(ids)
        )
        rows = await self._session.execute(statement)
        return {row.id: row.source_mailbox_id for row in rows}

    async def get_default(self, tenant_id: UUID, owner_id: UUID) -> ArchiveConfiguration | None:
        """The owner's default configuration."""
        return await self._one(
            select(ArchiveConfiguration).where(ArchiveConfiguration.is_default, *_scope(tenant_id, owner_id))
        )

    async def set_archived_until(
        self, owner_id: UUID, configuration_id: UUID, until: datetime, *, covered_from: datetime | None = None
    ) -> bool:
        """Advance the last archived instant (domain.md 2.2). True if it moved. It never moves back.

        With ``covered_from`` (the start of what was archived), it moves only if there is no gap between its
        old position and ``covered_from``. Its first position is ``archive_from`` in the configuration's zone.
        """
        configuration = (
            await self._session.execute(
                select(ArchiveConfiguration)
                .where(ArchiveConfiguration.id == configuration_id, ArchiveConfiguration.owner_id == owner_id)
                .with_for_update(key_share=True)
                .execution_options(populate_existing=True)
            )
        ).scalar_one_or_none()
        if configuration is None or not _advances(configuration, until, covered_from):
            return False
        await self._session.execute(
            update(ArchiveConfiguration)
            .where(ArchiveConfiguration.id == configuration_id)
            .values(archived_until=until)
        )
        return True

    async def uses_calendar_as_archive(
        self, tenant_id: UUID, mailbox_id: UUID, calendar_id: str, *, except_for: UUID | None = None
    ) -> bool:
        """Whether a configuration of the tenant, active or not, archives into the calendar (domain.md 1).

        The answer stays true until the transaction ends, because another one that asks waits.
        """
        return await self._uses(
            tenant_id,
            ArchiveConfiguration.archive_mailbox_id == mailbox_id,
            ArchiveConfiguration.archive_calendar_id == calendar_id,
            except_for=except_for,
        )

    async def uses_calendar_as_source(
        self, tenant_id: UUID, mailbox_id: UUID, calendar_id: str, *, except_for: UUID | None = None
    ) -> bool:
        """Whether a configuration of the tenant reads the calendar. Holds as in uses_calendar_as_archive."""
        return await self._uses(
            tenant_id,
            ArchiveConfiguration.source_mailbox_id == mailbox_id,
            ArchiveConfiguration.source_calendar_id == calendar_id,
            except_for=except_for,
        )

    async def of_pair(
        self, pair: ArchiveConfiguration, *, archive_calendar_id: str | None = None, hold: bool = False
    ) -> Sequence[ArchiveConfiguration]:
        """The other configurations, of any owner, with its source and archive, oldest first (domain.md 2.19).

        ``archive_calendar_id``: with that calendar of the same mailbox as archive. With ``hold``, no further
        one is added until the transaction ends, as in uses_calendar_as_archive.
        """
        if hold:
            await self._session.execute(_LOCK_CALENDAR_ROLES, {"tenant": str(pair.tenant_id)})
        return await self._all(
            select(ArchiveConfiguration)
            .where(
                *_scope(pair.tenant_id, None),
                ArchiveConfiguration.id != pair.id,
                ArchiveConfiguration.source_mailbox_id == pair.source_mailbox_id,
                ArchiveConfiguration.source_calendar_id == pair.source_calendar_id,
                ArchiveConfiguration.archive_mailbox_id == pair.archive_mailbox_id,
                ArchiveConfiguration.archive_calendar_id == (archive_calendar_id or pair.archive_calendar_id),
            )
            .order_by(ArchiveConfiguration.created_at, ArchiveConfiguration.id)
        )

    async def _uses(self, tenant_id: UUID, *what: ColumnElement[bool], except_for: UUID | None) -> bool:
        await self._session.execute(_LOCK_CALENDAR_ROLES, {"tenant": str(tenant_id)})
        statement = select(func.count()).where(*_scope(tenant_id, None), *what)
        if except_for is not None:
            statement = statement.where(ArchiveConfiguration.id != except_for)
        return (await self._session.execute(statement)).scalar_one() > 0


def _scope(tenant_id: UUID, owner_id: UUID | None) -> list[ColumnElement[bool]]:
    scope: list[ColumnElement[bool]] = [
        ArchiveConfiguration.tenant_id == tenant_id,
        ArchiveConfiguration.deleted_at.is_(None),
    ]
    if owner_id is not None:
        scope.append(ArchiveConfiguration.owner_id == owner_id)
    return scope


def _advances(configuration: ArchiveConfiguration, until: datetime, covered_from: datetime | None) -> bool:
    stands = configuration.archived_until
    if stands is None:
        # A backfill archives the time before the first night (domain.md 2.14).
        first = configuration.nightly_from or configuration.archive_from
        stands = local_day_start(first, ZoneInfo(configuration.time_zone))
    if until <= stands:
        return False
    return covered_from is None or covered_from <= stands
