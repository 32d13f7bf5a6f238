"""What is archived, where to, and when."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.jobs.job import JobKind
from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.purpose import Purpose


class ArchiveConfiguration(Identified, Versioned, Base):
    """Source calendar, archive calendar, zone, purpose and schedule of one archive (domain.md 1).

    A deleted one stays, because runs, map and appointments refer to it.
    """

    __tablename__ = "archive_configurations"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    source_reference: Mapped[str]
    source_mailbox_id: Mapped[uuid.UUID]
    source_calendar_id: Mapped[str]
    archive_reference: Mapped[str]
    archive_mailbox_id: Mapped[uuid.UUID]
    archive_calendar_id: Mapped[str]
    archive_calendar_name: Mapped[str | None]
    #: Set while its archive calendar is known to be gone.
    archive_gone_since: Mapped[datetime | None]
    #: Set while a calendar of that name is being created to replace it.
    rebuilding_name: Mapped[str | None]
    #: The owner of the source calendar at Graph (object id). While None, the mailbox represents its person.
    source_person_id: Mapped[uuid.UUID | None]
    #: The owner of the archive calendar; as ``source_person_id``.
    archive_person_id: Mapped[uuid.UUID | None]
    persons_known_at: Mapped[datetime | None]
    #: Owner, source and archive belong to different people, so it needs an approval (6.5).
    names_another: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: When its approval ends. In the past while there is none.
    open_until: Mapped[datetime | None]
    #: The approval ends if its owner loses the role Admin.
    given_to_admin: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: Since when the person read lets it hold their private events whole.
    details_agreed_at: Mapped[datetime | None]
    #: The person read was erased (15.3).
    source_erased_at: Mapped[datetime | None]
    #: Other people's mailboxes that an Admin (``mailboxes_approved_by``) approved.
    approved_mailbox_ids: Mapped[list[uuid.UUID]] = mapped_column(default=list, server_default=text("'{}'"))
    mailboxes_approved_by: Mapped[str | None]
    time_zone: Mapped[str]
    purpose: Mapped[str] = mapped_column(default=Purpose.GENERAL)
    overlap_policy: Mapped[str] = mapped_column(
        default=OverlapPolicy.KEEP_ALL, server_default=text("'keep_all'")
    )
    all_day_counts: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    privacy_automation: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    out_of_office: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    is_default: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    archive_from: Mapped[date]
    #: The first local day of nightly runs, if a backfill covers the time before (2.14).
    nightly_from: Mapped[date | None]
    #: An older configuration had the same source and archive when pairs were first refused (2.19). It stays
    #: paused while that one exists.
    archive_in_use: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    archived_until: Mapped[datetime | None]
    lookback_days: Mapped[int] = mapped_column(Integer, default=7, server_default=text("7"))
    deleted_at: Mapped[datetime | None]

    @property
    def origin_id(self) -> uuid.UUID:
        """The object id of the person whose events it reads (domain.md 6.3)."""
        return self.source_person_id or self.source_mailbox_id

    @property
    def masks_private_events(self) -> bool:
        """Whether it may read only the times of private events (domain.md 6.5)."""
        return self.names_another and self.details_agreed_at is None

    __table_args__ = (
        partial_index(
            "uq_archive_configurations_owner_id_name",
            "owner_id",
            "name",
            where="deleted_at IS NULL",
            unique=True,
        ),
        partial_index("uq_archive_configurations_default", "owner_id", where="is_default", unique=True),
        partial_index(
            "uq_archive_configurations_pair",
            "tenant_id",
            "source_mailbox_id",
            "source_calendar_id",
            "archive_mailbox_id",
            "archive_calendar_id",
            where="deleted_at IS NULL AND NOT archive_in_use",
            unique=True,
        ),
        Index("ix_archive_configurations_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index("ix_archive_configurations_source_calendar", "source_mailbox_id", "source_calendar_id"),
        Index("ix_archive_configurations_archive_calendar", "archive_mailbox_id", "archive_calendar_id"),
        # Lists check for each row whether its archive is closed. Few archives have an end (domain.md 6.5).
        partial_index("ix_archive_configurations_open_until", "id", where="open_until IS NOT NULL"),
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint(one_of("overlap_policy", OverlapPolicy), name="overlap_policy"),
        CheckConstraint("lookback_days BETWEEN 0 AND 60", name="lookback_days"),
        CheckConstraint(
            "(source_mailbox_id, source_calendar_id) <> (archive_mailbox_id, archive_calendar_id)",
            name="source_is_not_archive",
        ),
    )


class Job(Identified, Base):
    """A schedule: what runs when, in its own zone (domain.md 8.1)."""

    __tablename__ = "jobs"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    kind: Mapped[str] = mapped_column(default=JobKind.ARCHIVE, server_default=text("'archive'"))
    schedule: Mapped[dict[str, Any]]
    time_zone: Mapped[str]
    next_run_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: Paused because the archive calendar is gone. It resumes after a rebuild.
    waits_for_archive: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: Paused because an older configuration has the same source and archive (2.19). It resumes when that is
    #: deleted.
    waits_for_pair: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    consecutive_failures: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("configuration_id", "kind"),
        partial_index("ix_jobs_next_run_at", "next_run_at", where="NOT paused"),
        CheckConstraint(one_of("kind", JobKind), name="kind"),
    )
