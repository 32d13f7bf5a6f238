"""Runs the app's code with the real Python worker library, on a thread and an event loop of its own.

A function that blocks its loop delays other functions, as in Azure, but never the host. The library keeps
its state in module globals, so there is one worker per process.
"""

import asyncio
import contextlib
import contextvars
import logging
import os
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.local.functions_host import functions, logs
from infra.local.functions_host.errors import StartupError
from infra.local.functions_host.functions import Function
from infra.local.functions_host.invocation import FunctionFailed, InvocationResult, RetryContext, TraceContext
from infra.local.functions_host.protos import (
    PROTOS,
    InvocationResponse,
    ParameterBinding,
    RpcException,
    StatusResult,
    TypedData,
)

_function_name: contextvars.ContextVar[str | None] = contextvars.ContextVar("function_name", default=None)
_names_by_invocation: dict[str, str] = {}
_NO_RETRY = RetryContext()


def current_function() -> str | None:
    """Name of the function whose code calls this, from its loop or from its thread; None outside of one."""
    name = _function_name.get()
    if name is None and (runtime := sys.modules.get("azure_functions_runtime")) is not None:
        # Synchronous functions run in the library's thread pool, which knows only the invocation id.
        name = _names_by_invocation.get(runtime.invocation_id_cv.get() or "")
    return name


class Worker:
    """The language worker of one app.

    Call `start()` once, then `invoke()` from any event loop, and `stop()` at the end.
    """

    def __init__(self, app: Path, timeout: float | None = None) -> None:
        """`timeout` is how many seconds an invocation may take."""
        self._app = app
        self._timeout = timeout
        #: Called with the reason when the worker must restart.
        self.on_broken: Callable[[str], None] = lambda reason: None
        #: Set, from any thread, when the app's code has ended its process.
        self.exited = False
        self._waiting: dict[str, tuple[str, Callable[[InvocationResult], None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="functions-worker", daemon=True)
        self._by_name: dict[str, Function] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._outstanding = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Number of invocations that have begun and not ended."""
        return self._outstanding

    async def start(self) -> Sequence[Function]:
        """Loads the app and returns its functions in order of name.

        Raises StartupError with one line if there is no app or it cannot be loaded.
        """
        self._thread.start()
        indexed = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._index(), self._loop))
        found = await indexed
        self._by_name = {function.name: function for function in found}
        return sorted(found, key=lambda function: function.name.lower())

    async def invoke(
        self,
        function_name: str,
        inputs: Mapping[str, TypedData],
        *,
        trigger_metadata: Mapping[str, TypedData] | None = None,
        trace_context: TraceContext | None = None,
        retry_context: RetryContext = _NO_RETRY,
    ) -> InvocationResult:
        """Runs one function with its arguments by parameter name and waits for its end.

        A failure of the function is part of the result. Cancelling the wait does not cancel the function.
        Call it from the host's loop only. Raises KeyError for a name that the app does not have.
        """
        function = self._by_name[function_name]
        invocation_id = str(uuid.uuid4())
        message = SimpleNamespace(
            invocation_id=invocation_id,
            function_id=function.function_id,
            input_data=[ParameterBinding(name=name, data=data) for name, data in inputs.items()],
            trigger_metadata=trigger_metadata or {},
            trace_context=trace_context or TraceContext.continuing(),
            retry_context=retry_context,
        )
        request = SimpleNamespace(request=SimpleNamespace(invocation_request=message), properties={})
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[InvocationResult] = loop.create_future()

        def deliver(result: InvocationResult) -> None:
            if self._waiting.pop(invocation_id, None) is None:
                return
            self._outstanding -= 1
            if not self._outstanding:
                self._idle.set()
            if not ended.done():
                ended.set_result(result)

        self._outstanding += 1
        self._idle.clear()
        self._waiting[invocation_id] = function_name, deliver
        limit = (
            None if self._timeout is None else loop.call_later(self._timeout, self._too_long, invocation_id)
        )
        self._post(lambda: self._begin(function_name, request, loop, deliver))
        try:
            return await ended
        finally:
            if limit is not None:
                limit.cancel()

    def fail_all(self, reason: str, exception_type: str) -> None:
        """Ends the wait for every invocation: the worker is gone."""
        for invocation_id in list(self._waiting):
            self._give_up(invocation_id, reason, exception_type)

    def _too_long(self, invocation_id: str) -> None:
        name = self._waiting[invocation_id][0]
        reason = f"Timeout value of {self._timeout:g} s was exceeded by function: Functions.{name}"
        self._give_up(invocation_id, reason, "FunctionTimeoutException")
        self.on_broken(reason)

    def _give_up(self, invocation_id: str, reason: str, exception_type: str) -> None:
        name, deliver = self._waiting[invocation_id]
        deliver(
            InvocationResult(invocation_id, name, 0.0, failure=FunctionFailed(reason, exception_type, reason))
        )

    async def wait_idle(self, seconds: float) -> bool:
        """Waits until no invocation runs, at most `seconds`; answers whether it is so."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Cancels what still runs on the loop and ends the thread; waits at most 3 seconds for it."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 3.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            pending = asyncio.all_tasks(self._loop)
            for task in pending:
                task.cancel()
            if pending:
                self._loop.run_until_complete(asyncio.wait(pending, timeout=2.0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _post(self, begin: Callable[[], None]) -> None:
        """Hands work to the worker's loop; a burst of calls wakes it once."""
        self._inbox.append(begin)
        if len(self._inbox) == 1:
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        # The length seen by _post is only zero again after the last entry was taken, so none is left behind.
        while self._inbox:
            try:
                self._inbox[0]()
            finally:
                self._inbox.popleft()

    def _begin(
        self,
        name: str,
        request: SimpleNamespace,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[InvocationResult], None],
    ) -> None:
        # A fresh context: nothing of the caller or of an earlier invocation leaks into the function.
        context = contextvars.Context()
        context.run(_function_name.set, name)
        task = self._loop.create_task(self._execute(name, request, loop, deliver), context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _execute(
        self,
        name: str,
        request: SimpleNamespace,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[InvocationResult], None],
    ) -> None:
        import azure_functions_runtime as runtime

        invocation_id: str = request.request.invocation_request.invocation_id
        _names_by_invocation[invocation_id] = name
        started = time.perf_counter()
        response: InvocationResponse
        try:
            response = await runtime.invocation_request(request)
        except BaseException as error:
            # SystemExit in a function would otherwise end the worker's loop, and with it every function.
            response = _failed_response(error)
        finally:
            _names_by_invocation.pop(invocation_id, None)
        result = _result(invocation_id, name, time.perf_counter() - started, response)
        failure = result.failure
        logs.executed(name, invocation_id, result.duration, (failure and failure.stack_trace) or "")
        # What a worker says whose process has ended is not heard.
        if not self.exited and not loop.is_closed():
            loop.call_soon_threadsafe(deliver, result)

    async def _index(self) -> Sequence[Function]:
        script = self._app / os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
        if not script.is_file():
            raise StartupError(
                f"{self._app} has no {script.name}: nothing to serve (only v2 apps are served)"
            )
        os.chdir(self._app)
        _prefer_packages_of(self._app)
        sys.path.insert(0, str(self._app))
        import azure_functions_runtime as runtime

        init = SimpleNamespace(capabilities={}, function_app_directory=str(self._app))
        request = SimpleNamespace(
            request=SimpleNamespace(worker_init_request=init),
            properties={"host": "127.0.0.1", "protos": PROTOS},
        )
        runtime.start_threadpool_executor()
        try:
            with _quiet_library():
                answer = await runtime.worker_init_request(request)
        except (SystemExit, KeyboardInterrupt) as error:
            raise StartupError(f"{script} ended the process while it was loaded ({error!r})") from None
        if answer.result.status != StatusResult.Success:
            raise _load_error(script, answer.result.exception)
        if "HttpUri" in answer.capabilities:
            raise StartupError(f"{script} uses HTTP streaming, which this host does not have")
        metadata = (await runtime.functions_metadata_request(request)).function_metadata_results or []
        disabled = functions.disabled_names(os.environ)
        made = (functions.from_metadata(entry, disabled) for entry in metadata)
        return [function for function in made if function is not None]


def _prefer_packages_of(app: Path) -> None:
    """Puts what the app brings along before our own: `.python_packages` of a built zip, or its environment.

    What this process has imported already, such as `azure.functions`, stays as it is.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = (
        app / ".python_packages" / "lib" / "site-packages",
        *(app / name / "lib" / version / "site-packages" for name in (".venv", "venv", "env")),
    )
    known = {Path(entry).resolve() for entry in sys.path if entry}
    for folder in reversed(folders):
        if folder.is_dir() and folder.resolve() not in known:
            sys.path.insert(0, str(folder))


def _result(invocation_id: str, name: str, duration: float, response: InvocationResponse) -> InvocationResult:
    if response.result.status == StatusResult.Success:
        return InvocationResult(
            invocation_id,
            name,
            duration,
            return_value=response.return_value,
            outputs={output.name: output.data for output in response.output_data},
        )
    return InvocationResult(invocation_id, name, duration, failure=_failure(response.result.exception))


def _failure(exception: RpcException) -> FunctionFailed:
    kind, separator, text = exception.message.partition(": ")
    if not separator:
        kind, text = "Exception", exception.message
    return FunctionFailed(text, kind, exception.stack_trace or exception.message)


def _failed_response(error: BaseException) -> InvocationResponse:
    text = f"{type(error).__name__}: {error}"
    exception = RpcException(message=text, stack_trace=text)
    return InvocationResponse(
        result=StatusResult(status=StatusResult.Failure, exception=exception),
        return_value=None,
        output_data=(),
    )


@contextlib.contextmanager
def _quiet_library() -> Iterator[None]:
    """Keeps the library from logging what a failed load is about to say in one line."""
    library = logging.getLogger("azure.functions")
    level = library.level
    if level != logging.DEBUG:
        library.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        library.setLevel(level)


def _load_error(script: Path, exception: RpcException) -> StartupError:
    """One line with the place in the app where loading failed; the traceback goes into the details."""
    # The library appends the whole sys.path and a link to import errors.
    reason = exception.message.split(". Cannot find module.")[0].strip().splitlines()
    place = ""
    for line in exception.stack_trace.splitlines():
        text = line.strip()
        if text.startswith(f'File "{script.parent}') and ", line " in text:
            file, _, rest = text.removeprefix('File "').partition('", line ')
            place = f" ({Path(file).name} line {rest.split(',')[0]})"
    first: Any = " ".join(reason) if reason else "unknown reason"
    return StartupError(f"{script} cannot be loaded: {first}{place}", exception.stack_trace)
