"""The mailbox from which a tenant's mail is sent, from the installation's settings (domain.md 6.5).

It is no tenant setting. Otherwise an Admin could remove it and prevent the notification of the person read.
"""

from collections.abc import Mapping
from uuid import UUID

from shared.settings import Settings


class MailSenders:
    """The mailboxes by tenant."""

    def __init__(self, settings: Settings) -> None:
        self._mailboxes: Mapping[UUID, str] = settings.mail_senders
        self.api_url = settings.public_url

    @property
    def tenants(self) -> list[UUID]:
        """The tenants whose mail can be sent."""
        return sorted(self._mailboxes)

    def of(self, tenant_id: UUID) -> str | None:
        """The mailbox, by address or object id. None if none is set."""
        return self._mailboxes.get(tenant_id)
