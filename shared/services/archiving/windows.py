"""Decides the window of a run (domain.md 2.2, 8.2)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.runs.window import Window, local_day_start, nightly_window, validate_window
from shared.errors import FieldError, ValidationFailed
from shared.services.archiving.context import ArchivingPorts


def nightly(ports: ArchivingPorts, configuration: ArchiveConfiguration) -> Window | None:
    """Up to the start of today, at most the longest window. The next night does the rest (8.2).

    None if there is nothing to archive before today.
    """
    zone = ZoneInfo(configuration.time_zone)
    window = nightly_window(
        ports.clock.now(),
        zone,
        configuration.archive_from,
        configuration.archived_until,
        configuration.lookback_days,
        configuration.nightly_from,
    )
    longest = timedelta(days=ports.settings.max_window_days)
    if window is None or window.end - window.start <= longest:
        return window
    last_day = (window.start + longest).astimezone(zone).date()
    return Window(window.start, local_day_start(last_day, zone), zone)


def requested(
    ports: ArchivingPorts, configuration: ArchiveConfiguration, start: datetime | None, end: datetime | None
) -> Window:
    """The window ``[start, end)``. Without both, the window of the next nightly run.

    Raises ValidationFailed naming the window's fields.
    """
    if start is None and end is None:
        window = nightly(ports, configuration)
        if window is None:
            raise ValidationFailed(
                [FieldError("window", "there is nothing to archive before today yet", "range_empty")]
            )
        return window
    if start is None or end is None:
        missing = "window_start" if start is None else "window_end"
        raise ValidationFailed([FieldError(missing, "name both ends of the window", "missing")])
    validate_window(start, end, ports.settings.max_window_days)
    return Window(start, end, ZoneInfo(configuration.time_zone))
