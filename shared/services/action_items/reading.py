"""Action items about archived meetings as their owners see them (domain.md 2.16, 2.17, 6.3)."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.database.engine import Database
from shared.database.models.action_items import ActionItem
from shared.database.repositories.action_items.action_items import (
    ActionItemRepository,
    ItemContent,
    ItemFilter,
    ItemPlace,
)
from shared.domain.action_items.items import ActionItemKind, Side
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import is_record_disclosed, opened_by_access, uniform_line
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.schemas.action_items import (
    ActionItemEventResource,
    ActionItemListQuery,
    ActionItemLogEntry,
    ActionItemResource,
    ActionItemSummary,
)
from shared.schemas.event_values import recorded_fields
from shared.schemas.paging import Place, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.identity.ownership import readable_owner_of
from shared.services.people.break_glass import note_use

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Microseconds since 1970 stay below this up to the year 2554.
_WHOLE = 1 << 54


class ActionItemService:
    """Reading action items."""

    def __init__(self, database: Database, audit: AuditWriter) -> None:
        self._database = database
        self._audit = audit

    async def list(self, caller: Caller, query: ActionItemListQuery) -> Slice[ActionItemSummary, Place]:
        """Items of one person: ``same_meeting`` first, then in the order in which they were opened.

        Raises NotFound for a person or configuration that is not visible to the caller. Raises
        ValidationFailed naming ``user_id`` (no person given) or ``cursor``.
        """
        after = _opened(query.cursor)
        async with session_for(self._database, caller) as (session, access):
            owner = await readable_owner_of(session, access, query.user_id, query.configuration_id)
            if owner is None:
                return Slice((), None)
            opened = frozenset(await access.opened(session))
            wanted = ItemFilter(
                caller.person, query.status, query.kind, query.configuration_id, opened, query.begins_in
            )
            rows = await ActionItemRepository(session).list(owner.id, wanted, after, query.limit + 1)
        found = Slice.cut(rows, query.limit, _place)
        return Slice(
            [ActionItemSummary(**ActionItemSummary.fields_of(row)) for row in found.rows], found.next
        )

    async def get(self, caller: Caller, item_id: UUID) -> tuple[ActionItemResource, int]:
        """One item with both sides, and its version. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            items = ActionItemRepository(session)
            opened = await access.opened(session)
            scope = access.readable_owner
            item = await items.find(
                caller.tenant_id, item_id, owner_id=scope, viewer=caller.person, opened=opened
            )
            if item is None:
                raise NotFound("there is no such action item")
            contents = await items.contents(item.owner_id, item.id)
        if opened:
            used = opened_by_access(contents, caller.person, opened)
            await note_use(self._database, self._audit, item.owner_id, "action_item", item.id, used)
        return _resource_of(caller, item, contents, opened), item.version


def _resource_of(
    caller: Caller, item: ActionItem, contents: Sequence[ItemContent], opened: Collection[UUID]
) -> ActionItemResource:
    sides: dict[str, list[ActionItemEventResource]] = {str(side): [] for side in Side}
    for content in contents:
        sides[content.side].append(_event(content, shown=is_record_disclosed(content, caller.person, opened)))
    return ActionItemResource(
        **ActionItemSummary.fields_of(item),
        archived=sides[Side.ARCHIVED],
        new=sides[Side.NEW],
        log=[ActionItemLogEntry.of(each) for each in item.log],
    )


def _event(content: ItemContent, *, shown: bool) -> ActionItemEventResource:
    event = content.event
    if event is not None and not shown:
        line = uniform_line(event.start, event.end, is_all_day=event.is_all_day)
        told = {name: line[name] for name in ActionItemEventResource.model_fields if name in line}
        return ActionItemEventResource(
            source_key=content.source_key, appointment_id=None, organizer=None, **told
        )
    return ActionItemEventResource(
        source_key=content.source_key,
        appointment_id=content.appointment_id,
        **{"start": content.start_at, "end": content.end_at}
        | recorded_fields(event, ActionItemEventResource),
    )


def _place(item: ActionItem) -> Place:
    microseconds = (item.opened_at - _EPOCH) // _MICROSECOND
    return Place(ActionItemKind(item.kind).rank * _WHOLE + microseconds, item.id)


def _opened(cursor: str | None) -> ItemPlace | None:
    place = Place.of(cursor)
    if place is None:
        return None
    rank, microseconds = divmod(place.number, _WHOLE)
    if not 0 <= rank < len(ActionItemKind):
        raise ValidationFailed([FieldError("cursor", "is not a cursor of this list", "cursor_invalid")])
    return ItemPlace(rank, _EPOCH + timedelta(microseconds=microseconds), place.id)
