"""All stories of a world."""

import random
from datetime import datetime

from tests.simulation.dragged_series import DraggedSeries
from tests.simulation.late_meeting import LateMeeting
from tests.simulation.mailbox import Person
from tests.simulation.requesting import Requests


def stories(
    seed: int, person: Person, requests: Requests, first_day: datetime
) -> tuple[DraggedSeries, LateMeeting]:
    """The stories, each with random numbers of its own. Most worlds have none of them."""
    return (
        DraggedSeries(random.Random(f"dragged {seed}"), person, first_day, requests),
        LateMeeting(random.Random(f"late meeting {seed}"), person, first_day),
    )
