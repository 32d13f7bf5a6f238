"""How often work that needs a living orchestration is looked after (design.md, Start)."""

from datetime import timedelta
from typing import Final

#: An orchestration that was just started needs a moment to show up, and one that made progress is alive:
#: nobody asks Durable for it before this has passed. Below the dispatcher's interval, so that work whose
#: orchestration was lost is started again within 60 seconds.
LOOKED_AFTER_EVERY: Final = timedelta(seconds=15)
#: A run goes on when the database was away, as long as its last progress is not longer ago than this: its
#: start, its plan or the end of a write. For a verification its start counts. After that it ends with its
#: errors: the next night, or the next week, does the rest.
PATIENCE: Final = timedelta(minutes=10)
