"""Stories that edits at random hardly ever tell. A few worlds tell each."""

import random
from datetime import datetime

from tests.simulation.dragged_series import DraggedSeries
from tests.simulation.late_meeting import LateMeeting
from tests.simulation.mailbox import Person
from tests.simulation.requesting import Requests

type Story = DraggedSeries | LateMeeting


def stories(seed: int, person: Person, requests: Requests, first_day: datetime) -> tuple[Story, ...]:
    """Those of one world, each with random numbers of its own."""
    return (
        DraggedSeries(random.Random(f"dragged {seed}"), person, requests, first_day),
        LateMeeting(random.Random(f"late meeting {seed}"), person, first_day),
    )
