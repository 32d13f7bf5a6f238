"""Who exists in the local tenant: ids are fixed, so that a token stays good from one start to the next."""

import uuid

TENANT_ID = "11111111-1111-4111-8111-111111111111"
API_AUDIENCE = "33333333-3333-4333-8333-333333333333"
IDENTITY_HEADER = "local"

ADMIN_ADDRESS = "admin@example.com"
#: The mailbox that mail is sent from.
MAIL_SENDER = "assistant@example.com"

_PEOPLE = uuid.UUID("6f3b7b51-5d0b-4a37-9c57-0c3c1f8f2f10")


def object_id(address: str) -> str:
    """Entra object id of an address in the local tenant; addresses are compared case-insensitively."""
    return str(uuid.uuid5(_PEOPLE, address.casefold()))
