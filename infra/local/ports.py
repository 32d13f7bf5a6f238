"""TCP ports of the local system, all on 127.0.0.1."""

import socket

from infra.local.errors import LocalError


def pair(port: int) -> tuple[int, int]:
    """Ports of the Functions host and of the simulator: ``port`` and the next one; 0 means any two free ones.

    Raises :class:`LocalError` naming a port that is taken.
    """
    if port == 0:
        with _bound(0) as first, _bound(0) as second:
            return first.getsockname()[1], second.getsockname()[1]
    if not 1 <= port <= 65534:
        raise LocalError(f"--port must lie between 1 and 65534, not {port}")
    with _bound(port), _bound(port + 1):
        return port, port + 1


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
