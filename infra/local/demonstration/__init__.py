"""The demonstration tenant: people and their calendars, the same for the same dates."""

from datetime import UTC, datetime

from infra.local.demonstration.large import large_tenant
from infra.local.demonstration.mailbox import EVERYTHING, DemoArchive, DemoMailbox
from infra.local.demonstration.newcomer import newcomer
from infra.local.demonstration.people import small_tenant

SCALES = ("small", "large")

__all__ = ["EVERYTHING", "SCALES", "DemoArchive", "DemoMailbox", "newcomer", "tenant"]


def tenant(now: datetime, scale: str = "small") -> list[DemoMailbox]:
    """Mailboxes of the tenant as of ``now``: three lively people, or 50 mailboxes of 400 events.

    Raises ``ValueError`` for an unknown scale.
    """
    if scale == "small":
        return small_tenant(now)
    if scale == "large":
        return large_tenant(now.astimezone(UTC).date())
    raise ValueError(f"unknown scale {scale!r}, known: {', '.join(SCALES)}")
