"""Removes a person from the fields of other people's rows (domain.md 15.3).

What others wrote about the person in subjects and bodies is their record, and stays.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.users import User
from shared.database.repositories.people.person_data import Person

#: Replaces an organizer or attendee who was erased.
_ERASED = """'{"name": "", "address": ""}'::jsonb"""
_HIS = "lower({0}->>'address') = :address"


def _without_him(column: str) -> str:
    return f"""(
        SELECT COALESCE(jsonb_agg(CASE WHEN {_HIS.format("each")} THEN each || {_ERASED} ELSE each END
                                  ORDER BY place), '[]'::jsonb)
          FROM jsonb_array_elements({column}) WITH ORDINALITY AS listed(each, place))
    """  # noqa: S608 - no input of anyone is in it


_APPOINTMENTS = text(f"""
    UPDATE appointments
       SET organizer = CASE WHEN {_HIS.format("organizer")} THEN organizer || {_ERASED} ELSE organizer END,
           attendees = {_without_him("attendees")}
     WHERE owner_id = :owner
       AND ({_HIS.format("organizer")}
            OR EXISTS (SELECT 1 FROM jsonb_array_elements(attendees) AS each WHERE {_HIS.format("each")}))
""")  # noqa: S608 - no input of anyone is in it
#: Tables with a ``record`` of an event that is not archived yet, and the owners of their rows.
_RECORDS = {
    "archive_operations": "owner_id = :owner",
    "overlap_members": "group_id IN (SELECT id FROM overlap_groups WHERE owner_id = :owner)",
    "action_item_events": "item_id IN (SELECT id FROM action_items WHERE owner_id = :owner)",
}


def _clear_records(table: str, owned: str) -> TextClause:
    organizer, attendees = "record->'organizer'", "record->'attendees'"
    return text(f"""
        UPDATE {table}
           SET record = record || jsonb_build_object(
                   'organizer', CASE WHEN {_HIS.format(organizer)}
                                     THEN ({organizer}) || {_ERASED} ELSE {organizer} END,
                   'attendees', {_without_him(attendees)})
         WHERE {owned} AND jsonb_typeof({attendees}) = 'array'
           AND ({_HIS.format(organizer)}
                OR EXISTS (SELECT 1 FROM jsonb_array_elements({attendees}) AS each
                            WHERE {_HIS.format("each")}))
    """)  # noqa: S608 - no input of anyone is in it


# A reference by object id means the same mailbox.
_CONFIGURATIONS = text("""
    UPDATE archive_configurations
       SET source_reference = CASE WHEN source_mailbox_id = :mailbox
               THEN regexp_replace(source_reference, '^(\\w+://)[^/]+', '\\1' || CAST(:mailbox AS text))
               ELSE source_reference END,
           archive_reference = CASE WHEN archive_mailbox_id = :mailbox
               THEN regexp_replace(archive_reference, '^(\\w+://)[^/]+', '\\1' || CAST(:mailbox AS text))
               ELSE archive_reference END
     WHERE tenant_id = :tenant AND owner_id <> :person AND :mailbox IN (source_mailbox_id, archive_mailbox_id)
""")
# Answers to other people's changes that mention the person. They are kept for a day at most.
_ANSWERS = text("""
    DELETE FROM idempotency_keys
     WHERE tenant_id = :tenant
       AND (position(convert_to(lower(:address), 'UTF8') IN body) > 0
            OR position(convert_to(:address, 'UTF8') IN body) > 0
            OR (length(:name) > 2 AND position(convert_to(:name, 'UTF8') IN body) > 0)
            OR operation IN ('add_users_in_bulk', 'request_user_erasure', 'confirm_user_erasure',
                             'set_legal_hold'))
""")


class PersonMentionRepository:
    """Removes a person from other people's rows in their tenant. A second call changes nothing."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def others(self, person: Person, after: UUID | None, limit: int) -> Sequence[UUID]:
        """The other users of the tenant by id, after ``after``."""
        statement = select(User.id).where(User.tenant_id == person.tenant_id, User.id != person.id)
        if after is not None:
            statement = statement.where(User.id > after)
        return list((await self._session.execute(statement.order_by(User.id).limit(limit))).scalars())

    async def clear_appointments(self, person: Person, owner_id: UUID) -> int:
        """Remove the person from organizers and attendees in one other person's record. Returns the rows."""
        values = {"owner": owner_id, "address": person.address.lower()}
        cleared = await self._session.execute(_APPOINTMENTS, values)
        for table, owned in _RECORDS.items():
            await self._session.execute(_clear_records(table, owned), values)
        return int(getattr(cleared, "rowcount", 0))

    async def clear_references(self, person: Person) -> int:
        """Name the person's mailbox by object id in others' references to it."""
        values = {
            "tenant": person.tenant_id,
            "person": person.id,
            "mailbox": person.object_id,
        }
        return int(getattr(await self._session.execute(_CONFIGURATIONS, values), "rowcount", 0))

    async def forget_answers(self, person: Person) -> int:
        """Delete answers, stored for repeated requests, that name the person."""
        values = {"tenant": person.tenant_id, "address": person.address, "name": person.display_name}
        return int(getattr(await self._session.execute(_ANSWERS, values), "rowcount", 0))
