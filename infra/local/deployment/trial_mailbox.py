"""A mailbox whose archive shows that a deployment works, in a local environment."""

from datetime import UTC, datetime

from infra.local import demonstration
from infra.local.api import Api
from infra.local.seeding import Person, load_mailboxes, register
from infra.local.stack import Stack


async def seed(stack: Stack) -> str:
    """Make one person with 400 events and an archive; returns the id of its configuration."""
    mailbox = demonstration.tenant(datetime.now(UTC), "large")[0]
    await load_mailboxes(stack, [mailbox])
    person = Person(
        mailbox.address, mailbox.display_name, mailbox.time_zone, mailbox.archive_from, nightly=False
    )
    api = Api(stack.client, stack.api, await stack.token())
    configured = await register(stack, api, [person], lambda _: None)
    return str(configured[person.address, person.archives[0].name][0]["id"])
