"""Mail: sent, and found again in the sender's Sent Items (graph.md, Mail and categories)."""

import re
from uuid import uuid4

from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.event_fields import email_address
from infra.local.graph_simulator.graph.query import as_page, read_query
from infra.local.graph_simulator.state.model import Json, Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError, bad_request, invalid_body
from infra.local.graph_simulator.values.times import stamp_now

#: The one filter that is served: by Message-ID.
_BY_MESSAGE_ID = re.compile(r"internetMessageId\s+eq\s+'([^']*)'")
_PROPERTIES = frozenset({"id", "subject", "internetMessageId", "sentDateTime", "toRecipients"})
_WRITABLE = frozenset(
    {"subject", "body", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "importance", "from"}
    | {"internetMessageId", "internetMessageHeaders", "categories", "sensitivity"}
)


def send_mail(call: Call, mailbox: Mailbox, state: State) -> Answer:
    """``POST /users/{id}/sendMail``: 202 and nothing else; not idempotent (graph.md, Mail and categories)."""
    body = call.json()
    members = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    message = members.get("message")
    if not isinstance(message, dict):
        raise invalid_body("message is required.")
    fields = {name[:1].lower() + name[1:]: value for name, value in message.items()}
    recipients = fields.get("toRecipients")
    if not isinstance(recipients, list) or not recipients:
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
    unknown = fields.keys() - _WRITABLE
    if unknown:
        raise bad_request(f"The property '{min(unknown)}' does not exist on type 'microsoft.graph.message'.")
    addresses = [
        email_address(recipient.get("emailAddress") if isinstance(recipient, dict) else None)["address"]
        for recipient in recipients
    ]
    sent = {
        "sentDateTime": stamp_now(),
        "saveToSentItems": members.get("savetosentitems", True),
        "message": {"id": f"AAMk{uuid4().hex}", **fields},
    }
    mailbox.sent.append(sent)
    state.touch_mailbox(mailbox)
    for address in addresses:
        # People elsewhere get it elsewhere.
        recipient_mailbox = state.find_mailbox(address)
        if recipient_mailbox is not None:
            received = {"receivedDateTime": sent["sentDateTime"], "from": mailbox.address}
            recipient_mailbox.inbox.append(received | {"message": sent["message"]})
            state.touch_mailbox(recipient_mailbox)
    return Answer(202)


def list_messages(call: Call, mailbox: Mailbox) -> Answer:
    """``GET /users/{id}/messages``: sent mail that was kept, by its Message-ID."""
    query = read_query(call.query, call.headers)
    select = query.select(_PROPERTIES)
    wanted = _BY_MESSAGE_ID.fullmatch((query.options.get("filter") or "").strip())
    if wanted is None:
        raise bad_request("The simulator finds mail by its internetMessageId alone.", "ErrorInvalidRequest")
    found: list[Json] = [
        {**sent["message"], "sentDateTime": sent["sentDateTime"]}
        for sent in mailbox.sent
        if sent["saveToSentItems"] and sent["message"].get("internetMessageId") == wanted[1]
    ]
    shown = [{name: each.get(name) for name in select or sorted(_PROPERTIES)} for each in found]
    return Answer(200, as_page(shown, f"{call.base}/$metadata#users('{mailbox.oid}')/messages", None))
