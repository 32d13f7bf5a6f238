"""``python -m infra.local.graph_simulator --port N [--state FILE] [--latency-ms 0]``."""

import argparse
import asyncio
import json
import signal
import sqlite3
import sys
from pathlib import Path

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.server import GraphSimulator
from infra.local.graph_simulator.state.persistence import DamagedFile


def main() -> int:
    """Serve until SIGTERM or SIGINT; prints one JSON line when ready. Status 1 if it cannot."""
    parser = argparse.ArgumentParser(
        prog="graph_simulator", description="Microsoft Graph and Entra on one machine."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps mailboxes and keys")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="latency of every request")
    arguments = parser.parse_args()
    return asyncio.run(_serve(arguments.port, arguments.state, arguments.latency_ms))


async def _serve(port: int, state: Path | None, latency_ms: float) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    simulator = GraphSimulator(Settings(latency_ms=latency_ms), state)
    try:
        await simulator.start(port)
    except OSError as error:
        print(f"graph_simulator: cannot start on port {port}: {error.strerror or error}", file=sys.stderr)
        return 1
    except (DamagedFile, sqlite3.DatabaseError) as error:
        print(
            f"graph_simulator: {error}; restore it or delete it to start without mailboxes", file=sys.stderr
        )
        return 1
    print(json.dumps({"ready": True, "port": int(simulator.base_url.rpartition(":")[2])}), flush=True)
    await stop.wait()
    await simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
