"""How often work that needs a living orchestration is looked after (design.md, Start)."""

from datetime import timedelta
from typing import Final

#: An orchestration that was just started needs a moment to show up, and one that made progress is alive:
#: nobody asks Durable for it before this has passed. Below the dispatcher's interval, so that work whose
#: orchestration was lost is started again within 60 seconds.
LOOKED_AFTER_EVERY: Final = timedelta(seconds=15)
