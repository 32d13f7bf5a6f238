"""The order of lists of events that need attention: ambiguous first, then all others by start (3.3)."""

from datetime import UTC, datetime, timedelta
from typing import Final

from shared.database.repositories.categories.category_facts import CategorisedEvent, RankedKeyset
from shared.domain.categories.category import CategoryState
from shared.errors import FieldError, ValidationFailed
from shared.schemas.paging import Place

#: The states of events that come first.
AMBIGUOUS_FIRST: Final = (CategoryState.AMBIGUOUS,)
#: The rank of all other events.
UNRANKED: Final = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A start in microseconds since 1970 needs less than 59 bits including its sign. The rank uses the bits above.
_HALF, _WHOLE = 2**59, 2**60


def place_of(event: CategorisedEvent) -> Place:
    """The cursor of a page whose last event is this one."""
    microseconds = (event.start_at - _EPOCH) // timedelta(microseconds=1)
    return Place(event.rank * _WHOLE + microseconds, event.id)


def after_of(cursor: str | None) -> RankedKeyset | None:
    """Where a page continues. Raises ValidationFailed naming ``cursor``."""
    place = Place.of(cursor)
    if place is None:
        return None
    rank, microseconds = divmod(place.number + _HALF, _WHOLE)
    try:
        return rank, _EPOCH + timedelta(microseconds=microseconds - _HALF), place.id
    except OverflowError:
        raise ValidationFailed(
            [FieldError("cursor", "is not a cursor of this list", "cursor_invalid")]
        ) from None
