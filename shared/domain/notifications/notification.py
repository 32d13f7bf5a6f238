"""Notifications, and how a repeated notification is recognised (domain.md 10.1)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class NotificationClass(StrEnum):
    """The topic of a notification. People choose by topic how they are notified."""

    RUN_FINISHED = "run_finished"
    RUN_FAILED = "run_failed"
    OVERLAP_NEEDS_YOU = "overlap_needs_you"
    CATEGORY_ISSUES = "category_issues"
    JOB_PAUSED = "job_paused"
    LOCKED_PERIOD_CHANGE = "locked_period_change"
    VERIFY_DIFFERENCE = "verify_difference"
    MAILBOX_READ = "mailbox_read"
    MEETING_NEEDS_YOU = "meeting_needs_you"
    DATA_ACCESS = "data_access"


class NotificationState(StrEnum):
    """The state of a notification. ``progress``: it continues, and its percent gives the progress."""

    INFO = "info"
    ATTENTION = "attention"
    FAILURE = "failure"
    PROGRESS = "progress"


class Audience(StrEnum):
    """Who gets it: the person whose archive it is about, or all Admins of the tenant (8.3)."""

    OWNER = "owner"
    ADMINS = "admins"


class NotificationSubject(StrEnum):
    """The kind of resource a client links to."""

    ARCHIVE_RUN = "archive_run"
    ARCHIVE_CONFIGURATION = "archive_configuration"
    VERIFICATION = "verification"
    MAILBOX_APPROVAL = "mailbox_approval"
    BREAK_GLASS_ACCESS = "break_glass_access"
    USER_EXPORT = "user_export"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The owner of the archive: their id with us, and their tenant."""

    tenant_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notification. A second one with its ``transaction_id`` replaces it (domain.md 10.1).

    ``count`` is the number of things it is about. Title and text hold only counts and dates and nothing about
    any event, so they are never private (domain.md 6.3).
    """

    notification_class: NotificationClass
    transaction_id: str
    state: NotificationState
    title: str
    text: str
    resource_type: NotificationSubject
    resource_id: UUID
    count: int = 0
    percent: int | None = None
    audience: Audience = Audience.OWNER
