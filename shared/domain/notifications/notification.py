"""What people are told, and what makes two tellings the same one (domain.md 10.1)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class NotificationClass(StrEnum):
    """What a notification is about; people may choose by it how they are told."""

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
    """How it stands. ``progress``: it goes on, and its percent says how far it is."""

    INFO = "info"
    ATTENTION = "attention"
    FAILURE = "failure"
    PROGRESS = "progress"


class Audience(StrEnum):
    """For whom it is: the person whose archive it is about, or the Admins of their tenant together (8.3)."""

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
    """Whose archive it is about: the user (our id) and his tenant."""

    tenant_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is to be told. The same ``transaction_id`` told again changes what was told (domain.md 10.1).

    ``count`` is the number of things it is about. Title and text hold counts and dates alone, nothing of any
    event: so nothing private is ever among them (domain.md 6.3).
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
