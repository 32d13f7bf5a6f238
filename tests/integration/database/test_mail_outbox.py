"""The mail outbox: one row per key, claimed by one sender, who records the result (domain.md 10.1)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from shared.database.engine import Database
from shared.database.models.mail_outbox import OutgoingMail
from shared.database.repositories.notifications.mail_outbox import MailOutboxRepository, UnsentMail
from shared.domain.notifications.outgoing_mail import Mail

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOLD = timedelta(minutes=5)
TENANT, PERSON, ABOUT = uuid4(), uuid4(), uuid4()


def mail(key: str, tenant: UUID = TENANT) -> Mail:
    return Mail(
        tenant_id=tenant,
        person_id=PERSON,
        key=key,
        resource_type="mailbox_approval",
        resource_id=ABOUT,
        subject="Told",
        text="Something",
    )


async def test_one_of_the_same_key_is_there_once(database: Database) -> None:
    async with database.session() as session:
        outbox = MailOutboxRepository(session)
        for each in (mail("a"), mail("a"), mail("b"), mail("a", uuid4())):
            await outbox.put(each, NOW)
        assert {row.key for row in await outbox.about(TENANT, ABOUT)} == {"a", "b"}
        assert await outbox.unsent(TENANT) == UnsentMail(2, 0, NOW)


async def test_what_is_due_is_taken_once_and_again_only_after_its_hold(database: Database) -> None:
    async with database.session() as session:
        await MailOutboxRepository(session).put(mail("a"), NOW)

    async def claim(at: datetime, *tenants: UUID) -> list[tuple[int, bool]]:
        async with database.session() as session:
            taken = await MailOutboxRepository(session).claim_due_unscoped(tenants, at, HOLD, 10)
            return [(row.attempts, row.uncertain) for row in taken]

    assert await claim(NOW - timedelta(seconds=1), TENANT) == []
    assert await claim(NOW, uuid4()) == []
    assert await claim(NOW, TENANT) == [(1, False)]
    assert await claim(NOW + timedelta(minutes=4), TENANT) == []
    assert await claim(NOW + HOLD, TENANT) == [(2, True)]


async def test_a_sender_that_lost_its_claim_records_nothing(database: Database) -> None:
    async with database.session() as session:
        await MailOutboxRepository(session).put(mail("a"), NOW)
    taken: list[OutgoingMail] = []
    for at in (NOW, NOW + HOLD):
        async with database.session() as session:
            taken += await MailOutboxRepository(session).claim_due_unscoped([TENANT], at, HOLD, 1)
    first, second = taken
    async with database.session() as session:
        outbox = MailOutboxRepository(session)
        assert not await outbox.give_up(first, NOW + HOLD, "late")
        assert await outbox.sent(second, NOW + HOLD)
        assert await outbox.unsent(TENANT) == UnsentMail(0, 0, None)
