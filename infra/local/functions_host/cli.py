"""The command line, compatible with `func start`: flags that mean nothing here are named and passed over."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DEFAULT_DRAIN = 10.0
LISTEN = frozenset({"http", "durable", "timer"})
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; None where the settings file or a default decides. Times are seconds."""

    app: Path
    state: Path
    port: int | None = None
    enable_auth: bool = False
    verbose: bool = False
    cors: str | None = None
    cors_credentials: bool = False
    only: Sequence[str] = ()
    drain: float = _DEFAULT_DRAIN
    instance: str | None = None
    """Name among the instances that share the state folder; None for a host that is alone."""
    engine: str | None = None
    """Where the Durable engine is that they share."""
    listen: frozenset[str] = LISTEN
    """Which triggers this instance listens to."""
    listener: int | None = None
    """An open socket that listens already. Set by a host that restarts."""
    ignored: Sequence[str] = ()


def parse(arguments: Sequence[str]) -> Options:
    """Reads `[host] start [flags]`. Ends the process with status 2 and a usage line if it cannot."""
    given = list(arguments)
    if given[:1] == ["host"]:
        given = given[1:]
    parser = _parser()
    known, ignored = parser.parse_known_args(given)
    # Values of flags that are not known arrive here too; only the flags are worth naming.
    flags = [text for text in ignored if text.startswith("-")]
    app = Path(known.app).resolve()
    state = Path(known.state).resolve() if known.state else app / ".local" / "host"
    return Options(
        app=app,
        state=state,
        port=known.port,
        enable_auth=known.enable_auth,
        verbose=known.verbose,
        cors=known.cors,
        cors_credentials=known.cors_credentials,
        only=known.functions or (),
        drain=known.shutdown_timeout,
        instance=known.instance,
        engine=known.engine,
        listen=known.listen,
        listener=known.listener,
        ignored=flags,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="func",
        description="Serves a Python v2 Azure Functions app on this machine.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="start")
    start = commands.add_parser("start", help="serve the app in the current folder", allow_abbrev=False)
    start.add_argument("-p", "--port", type=_port, help="HTTP port, 0 for any free one (7071)")
    start.add_argument("--enable-auth", "--enableAuth", action="store_true", help="ask for access keys")
    start.add_argument("--state", help="folder for keys, timers and orchestrations (.local/host in the app)")
    start.add_argument("--app", "--script-root", "--prefix", default=".", help="folder of the app (.)")
    start.add_argument("--cors", help="origins that may call from a browser, separated by commas")
    start.add_argument("--cors-credentials", action="store_true", help="let these origins send credentials")
    start.add_argument("--functions", nargs="+", help="serve only these functions")
    start.add_argument("--verbose", action="store_true", help="show debug output and tracebacks of the start")
    start.add_argument(
        "--shutdown-timeout",
        type=float,
        default=_DEFAULT_DRAIN,
        help="seconds that running invocations get at the end (10)",
    )
    start.add_argument("--listener", type=int, help=argparse.SUPPRESS)
    start.add_argument("--instance", type=_instance, help="name among instances that share --state")
    start.add_argument("--engine", metavar="URL", help="the Durable engine that the instances share")
    start.add_argument(
        "--listen", type=_listen, default=LISTEN, help="triggers of this instance (http,durable,timer)"
    )
    return parser


def _instance(text: str) -> str:
    if not _INSTANCE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of an instance")
    return text


def _listen(text: str) -> frozenset[str]:
    found = frozenset(text.split(","))
    if not found <= LISTEN:
        raise argparse.ArgumentTypeError(f"{text!r} is not some of {','.join(sorted(LISTEN))}")
    return found


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return number
