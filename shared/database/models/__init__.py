"""The tables, a module a subject.

Times are ``timestamptz`` in UTC; enumerations are text with a CHECK.
"""

from shared.database.models.archive import Appointment, ArchivedEvent
from shared.database.models.audit import AuditEntry, AuditSeal
from shared.database.models.base import Base, one_of
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.idempotency import IdempotencyKey
from shared.database.models.runs import ArchiveOperation, ArchiveRun, MailboxGate
from shared.database.models.users import User

__all__ = [
    "Appointment",
    "ArchiveConfiguration",
    "ArchiveOperation",
    "ArchiveRun",
    "ArchivedEvent",
    "AuditEntry",
    "AuditSeal",
    "Base",
    "IdempotencyKey",
    "Job",
    "MailboxGate",
    "User",
    "one_of",
]
