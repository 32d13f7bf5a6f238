"""iCalendar files into calendars."""

from collections.abc import Mapping
from typing import Any

from .errors import LoadError
from .loading import Loader
from .model import Calendar


def import_calendar(
    loader: Loader, calendar: Calendar, raw: bytes, query: Mapping[str, str]
) -> dict[str, Any]:
    """Load an iCalendar text."""
    raise LoadError("not yet")
