"""How often work that needs a living orchestration is checked (design.md, Start)."""

from datetime import timedelta
from typing import Final

#: An orchestration that just started needs a moment to appear, and one that just made progress is alive. So
#: Durable is not asked before this time. It is shorter than the dispatcher's interval, so that lost work
#: restarts within 60 seconds.
LOOKED_AFTER_EVERY: Final = timedelta(seconds=15)
#: After an outage of the database, a run continues if its last progress is at most this long ago. Progress is
#: its start, its plan or the end of a write; for a verification, its start. Otherwise it ends with errors,
#: and the next night or week does the rest.
PATIENCE: Final = timedelta(minutes=10)
