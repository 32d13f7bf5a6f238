"""Mail sent by Microsoft Graph from the system's mailbox (graph.md, Mail and categories).

Needs the application permission ``Mail.Send``. To find a mail whose answer was lost, it also needs
``Mail.ReadBasic``. Both are limited to that mailbox.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote
from uuid import UUID

import orjson

from shared.domain.notifications.outgoing_mail import MailFailed
from shared.graph.client import GraphClient
from shared.graph.errors import GraphCallError
from shared.graph.items import IDS, USERS

_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}
#: The time limit of one request in seconds. All other due mail waits for it.
_PATIENCE: Final = 10.0
#: Answers after which nothing was sent, but a retry may succeed: throttled, or refused to the app.
_NOT_SENT: Final = frozenset({401, 403, 404, 429})


async def _bounded[T](call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await call
    except TimeoutError as error:
        raise GraphCallError(None, "timeout") from error


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """A failed call as the failure of a mail."""
    try:
        yield
    except GraphCallError as failure:
        before_sending = failure.code == "not_connected" or failure.code.startswith("token_")
        raise MailFailed(
            failure.code,
            failure.retry_after,
            may_pass=failure.passing or failure.status in _NOT_SENT,
            surely_unsent=before_sending or failure.status in _NOT_SENT,
            refused=failure.status == 403,
        ) from failure


class GraphMail:
    """Sends one mail at a time, without retry. Every method raises MailFailed."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def in_tenant(self, tenant_id: UUID) -> "GraphMail":
        """The mail of a tenant."""
        return GraphMail(self._client.in_tenant(tenant_id))

    async def address_of(self, person: str) -> str | None:
        """The mail address of a person in the directory, by object id, or None."""
        url = f"{self._user(person)}?$select=id,mail,userPrincipalName"
        async with _told():
            try:
                user = USERS.one(await self._get(url))
            except GraphCallError as failure:
                if failure.status == 404:
                    return None
                raise
        return user.mail or user.user_principal_name or None

    async def send(self, sender: str, recipient: str, subject: str, text: str, message_id: str) -> None:
        """Send plain text. It is stored in the sender's Sent Items, where ``was_sent`` finds it."""
        message = {
            "subject": subject,
            "body": {"contentType": "text", "content": text},
            "toRecipients": [{"emailAddress": {"address": recipient}}],
            # Can be set only while a message is a draft, as here
            # (https://learn.microsoft.com/graph/api/resources/message, internetMessageId).
            "internetMessageId": message_id,
        }
        content = orjson.dumps({"message": message, "saveToSentItems": True})
        url = f"{self._user(sender)}/sendMail"
        async with _told():
            await _bounded(self._client.send("POST", url, _HEADERS, content, writes=1))

    async def was_sent(self, sender: str, message_id: str) -> bool:
        """Whether the mailbox has sent this mail (Sent Items) or is sending it (Drafts)."""
        wanted = quote(f"internetMessageId eq '{message_id}'", safe="")
        url = f"{self._user(sender)}/messages?$filter={wanted}&$select=id&$top=1"
        async with _told():
            found = IDS.page(await self._get(url))
        return bool(found.items)

    async def _get(self, url: str) -> bytes:
        return await _bounded(self._client.send("GET", url, _HEADERS, reads=1))

    def _user(self, mailbox: str) -> str:
        return f"{self._client.base_url}/users/{quote(mailbox, safe='')}"
