"""From the command line to a served app and back: settings, port, state folder, signals, exit status."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NoReturn

from infra.local.functions_host import cli, config, logs
from infra.local.functions_host.auth import load_keys
from infra.local.functions_host.cli import Options
from infra.local.functions_host.config import DEFAULT_PORT, HostConfig, LocalSettings
from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.functions import Function
from infra.local.functions_host.host import Host, warnings_about
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.process_start import allow_many_connections, bound, locked
from infra.local.functions_host.worker import current_function
from infra.local.functions_host.worker_exit import catch, end_process

# A host that is just ending may still hold the state folder for as long as it drains, and a little more.
_LOCK_MARGIN = 0.5
_WORKERS = "FUNCTIONS_WORKER_PROCESS_COUNT"
# The app's code changes the folder, and -P decides where modules are looked for.
_STARTED_IN = Path.cwd()
_INTERPRETER_OPTIONS = ["-P"] if sys.flags.safe_path else []


class _Ending(Enum):
    CLEAN = "everything has ended"
    ABANDONED = "invocations are still running"
    ANEW = "the worker is gone"


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit status, 1 with one line if the host cannot start.

    `engine` and `front` as the first word start what several instances share.
    """
    given = list(arguments)
    try:
        if given[:1] == ["engine"]:
            # Imported here: a host that runs alone needs neither.
            from infra.local.functions_host import engine_process

            return engine_process.run(given[1:])
        if given[:1] == ["front"]:
            from infra.local.functions_host import front

            return front.run(given[1:])
        return _run(cli.parse(given))
    except StartupError as error:
        if "--verbose" in given and error.details:
            print(error.details, file=sys.stderr)
        print(f"Cannot start: {error}", file=sys.stderr, flush=True)
        return 1


def _run(options: Options) -> int:
    host_config = config.load_host_config(options.app)
    settings = config.load_local_settings(options.app)
    config.apply_settings(settings, os.environ)
    for stream in (sys.stdout, sys.stderr):
        # Output of the app is seen when it is written, also when it goes to a file.
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logs.configure(host_config.log_levels, current_function, verbose=options.verbose)
    if host_config.passed_over:
        HOST.warning("host.json asks for what this host does not do: %s", ", ".join(host_config.passed_over))
    if os.environ.get(_WORKERS, "1").strip() not in {"", "1"}:
        HOST.warning("%s is passed over: host and worker are one process here", _WORKERS)
    if options.ignored:
        HOST.warning("Passed over, they mean nothing to this host: %s", " ".join(options.ignored))
    allow_many_connections()
    port = options.port if options.port is not None else settings.port or DEFAULT_PORT
    with bound(port, options.listener) as listener, locked(_lock_of(options), options.drain + _LOCK_MARGIN):
        _set_host_variables(options.app, listener.getsockname()[1])
        # The server closes its socket. The duplicate keeps the port open while this process restarts.
        spare = listener.dup()
        ending = asyncio.run(_serve(options, host_config, settings, listener, spare))
        if ending is _Ending.ANEW:
            _restart(spare)
    logs.HOST.info("Host stopped")
    if ending is _Ending.ABANDONED:
        # Threads that run abandoned functions would keep the interpreter from ending.
        sys.stdout.flush()
        end_process(0)
    return 0


async def _serve(
    options: Options,
    host_config: HostConfig,
    settings: LocalSettings,
    listener: socket.socket,
    spare: socket.socket,
) -> _Ending:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _on_signal, stop, number)
    keys = load_keys(options.state, enforced=options.enable_auth)
    cors = options.cors if options.cors is not None else settings.cors
    host = Host(
        options,
        host_config,
        keys,
        [origin.strip() for origin in cors.split(",") if origin.strip()],
        options.cors_credentials or settings.cors_credentials,
    )
    try:
        functions = await host.start(listener)
    except BaseException as error:
        await host.stop()
        if isinstance(error, OSError):
            raise StartupError(str(error)) from error
        raise
    _announce(functions, host, listener.getsockname()[1])

    catch(lambda status: host.worker_exited(status, loop))
    waits = [asyncio.create_task(event.wait()) for event in (stop, host.worn_out)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if host.worn_out.is_set() and not stop.is_set():
        await host.abandon()
        # A request to end that came in between is honoured.
        return _Ending.ABANDONED if stop.is_set() else _Ending.ANEW
    spare.close()
    return _Ending.CLEAN if await host.stop() else _Ending.ABANDONED


def _restart(listener: socket.socket) -> NoReturn:
    """Becomes a new host in the same process and port. It also answers connections made in between."""
    listener.set_inheritable(True)
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [part for part in sys.argv[1:] if not part.startswith("--listener=")]
    command = [sys.executable, *_INTERPRETER_OPTIONS, "-m", "infra.local.functions_host", *arguments]
    os.chdir(_STARTED_IN)
    os.execv(sys.executable, [*command, f"--listener={listener.fileno()}"])  # noqa: S606 # nosec B606 - ourselves


def _on_signal(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        # Asked twice: the person does not want to wait for what still runs.
        end_process(128 + number)
    HOST.info("Stopping: waiting for running invocations to end")
    stop.set()


def _announce(functions: Sequence[Function], host: Host, port: int) -> None:
    lines = ["", "Functions:", ""]
    for function in functions:
        if function.is_http:
            methods = f"[{','.join(function.methods)}] " if function.methods else ""
            lines.append(
                f"\t{function.name}: {methods}http://localhost:{port}/{host.route_paths[function.name]}"
            )
        else:
            lines.append(f"\t{function.name}: {function.trigger.properties['type']}")
        lines.append("")
    print("\n".join(lines), flush=True)
    for name, reason in host.errors.items():
        HOST.error("The '%s' function is in error: %s", name, reason)
    for function in functions:
        for warning in warnings_about(function):
            HOST.warning("%s", warning)
    HOST.info("Host started on http://127.0.0.1:%d", port)


def _lock_of(options: Options) -> Path:
    """The file that one host holds; instances that share a state folder hold one each."""
    if options.instance is None:
        return options.state / "lock"
    return options.state / "instances" / f"{options.instance}.lock"


def _set_host_variables(app: Path, port: int) -> None:
    """Variables that `func start` gives to the app; what is set already stays."""
    given: Mapping[str, str] = {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(app),
        "FUNCTIONS_EXTENSION_VERSION": "~4",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "WEBSITE_HOSTNAME": f"localhost:{port}",
    }
    for name, value in given.items():
        os.environ.setdefault(name, value)
    runtime = os.environ["FUNCTIONS_WORKER_RUNTIME"]
    if runtime.lower() != "python":
        raise StartupError(f"FUNCTIONS_WORKER_RUNTIME is '{runtime}'; this host serves only 'python'")
