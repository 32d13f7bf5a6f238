"""Names and ids of calendars and events in our own database (domain.md 1)."""

import re
from uuid import UUID

from shared.domain.calendars.calendar_reference import folded_name

#: The prefix of ids of local calendars and events. Mailbox ids never have a colon (base64url).
LOCAL_PREFIX = "local:"
_ETAG = re.compile(r'W/"([0-9]{1,9})"')


def local_id(row_id: UUID) -> str:
    """The id of a local calendar or event, for use in place of a mailbox id."""
    return f"{LOCAL_PREFIX}{row_id}"


def is_local(some_id: str) -> bool:
    """Whether an id belongs to a local calendar or event."""
    return some_id.startswith(LOCAL_PREFIX)


def local_row(some_id: str) -> UUID | None:
    """The row of a local id. None for any other text."""
    if not is_local(some_id):
        return None
    text = some_id.removeprefix(LOCAL_PREFIX)
    try:
        row_id = UUID(text)
    except ValueError:
        return None
    # UUID() also reads braces, capitals and missing hyphens. One row must have one id.
    return row_id if str(row_id) == text else None


def name_key(name: str) -> str:
    """The unique key of a local calendar's name: case is ignored."""
    return folded_name(name)


def etag(version: int) -> str:
    """The entity tag of a version of a local event, in the form of HTTP (RFC 9110 8.8.3)."""
    return f'W/"{version}"'


def version_of(tag: str) -> int | None:
    """The version in an entity tag. None for a tag that is not ours."""
    found = _ETAG.fullmatch(tag)
    return int(found[1]) if found else None
