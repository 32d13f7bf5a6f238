"""The content columns of every table of events (domain.md 1, Appointment)."""

from datetime import datetime

from sqlalchemy.orm import Mapped


class EventColumns:
    """Times in UTC, with the zones in which they were entered."""

    subject: Mapped[str]
    body: Mapped[str]
    body_type: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    start_zone: Mapped[str]
    end_zone: Mapped[str]
    is_all_day: Mapped[bool]
    location: Mapped[str]
    categories: Mapped[list[str]]
    show_as: Mapped[str]
    importance: Mapped[str]
    sensitivity: Mapped[str]
