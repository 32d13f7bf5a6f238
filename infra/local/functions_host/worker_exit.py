"""`os._exit` in a function ends the worker, not the host.

In Azure the worker is a process of its own, and the host starts another one. Here both are one process. So
the call is caught, running requests are answered with 500, and the process restarts. Process id and port stay
the same, and nothing of the app's memory is left. A crash of native code cannot be caught. It ends the host.
"""

import os
import threading
from collections.abc import Callable
from typing import NoReturn

#: Ends the process for real.
end_process = os._exit


def catch(exited: Callable[[int], None]) -> None:
    """Calls `exited` with the status, once, instead of ending the process. The caller never continues."""
    first = threading.Lock()

    def exit_worker(status: int) -> NoReturn:
        if first.acquire(blocking=False):
            exited(status)
        # Nothing after the call may run, as if the process were gone.
        raise SystemExit(status)

    os._exit = exit_worker
