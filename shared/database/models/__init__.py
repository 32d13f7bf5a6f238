"""The tables, a module a subject.

Times are ``timestamptz`` in UTC; enumerations are text with a CHECK.
"""

from shared.database.models.archive import Appointment, ArchivedEvent, appointment_version
from shared.database.models.audit import AuditEntry, AuditSeal
from shared.database.models.base import Base, one_of
from shared.database.models.categories import CategoryRuleRow, LocalCategory
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.idempotency import IdempotencyKey
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.notifications import Notification
from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.models.people import UserErasure, UserExport
from shared.database.models.period_locks import PeriodLock
from shared.database.models.runs import ArchiveOperation, ArchiveRun, MailboxGate
from shared.database.models.system import Invitation, SystemSetting, Tenant
from shared.database.models.users import User
from shared.database.models.verifications import (
    Backfill,
    Verification,
    VerificationFinding,
    VerificationItem,
)

__all__ = [
    "Appointment",
    "ArchiveConfiguration",
    "ArchiveOperation",
    "ArchiveRun",
    "ArchivedEvent",
    "AuditEntry",
    "AuditSeal",
    "Backfill",
    "Base",
    "CategoryRuleRow",
    "IdempotencyKey",
    "Invitation",
    "Job",
    "LocalCalendar",
    "LocalCategory",
    "LocalEvent",
    "MailboxGate",
    "Notification",
    "OverlapGroup",
    "OverlapMember",
    "PeriodLock",
    "SystemSetting",
    "Tenant",
    "User",
    "UserErasure",
    "UserExport",
    "Verification",
    "VerificationFinding",
    "VerificationItem",
    "appointment_version",
    "one_of",
]
