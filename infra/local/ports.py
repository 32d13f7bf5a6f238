"""TCP ports of the local system, all on 127.0.0.1."""

import contextlib
import random
import socket

from infra.local.errors import LocalError

_ATTEMPTS = 100
#: Below the ports for outgoing connections. One of those could take ours before we bind it, or between a kill
#: of the host and its restart.
_RANGE = (12_000, 31_000)


def pair(port: int) -> tuple[int, int]:
    """Ports of the Functions host and of the simulator: ``port`` and the next one; 0 means any free pair.

    Raises :class:`LocalError` naming a port that is taken.
    """
    if port == 0:
        return _free_pair()
    if not 1 <= port <= 65534:
        raise LocalError(f"--port must lie between 1 and 65534, not {port}")
    with _bound(port), _bound(port + 1):
        return port, port + 1


def free() -> int:
    """Any free port. Raises :class:`LocalError` when none is found."""
    return _free_pair()[0]


def _free_pair() -> tuple[int, int]:
    for _ in range(_ATTEMPTS):
        number = random.randrange(*_RANGE, 2)
        with contextlib.suppress(LocalError), _bound(number), _bound(number + 1):
            return number, number + 1
    raise LocalError("no two free ports side by side; name some with --port")


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As the servers do, so that connections of a system just stopped (TIME_WAIT) are no hindrance.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
    except OSError as error:
        listener.close()
        raise LocalError(f"port {port} is taken ({error.strerror}); choose another with --port") from error
    return listener
