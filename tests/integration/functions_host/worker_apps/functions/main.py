"""What the Python worker's own tests try, in functions of our own; the file has a name of its own, too."""

import asyncio
import contextvars
import hashlib
import json
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import azure.functions as func
from parts.registered import bp as registered
from parts.registered import second
from parts.unregistered import bp as unregistered

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(registered)
app.register_functions(second)
LOGGER = logging.getLogger("mine.own")
NOT_USED = unregistered


@app.route(route="text")
def text(req: func.HttpRequest) -> str:
    return "plain"


@app.route(route="async-text")
async def async_text(req: func.HttpRequest) -> str:
    await asyncio.sleep(0)
    return "plain, too"


@app.route(route="untyped")
def untyped(req):
    return "without types"


@app.route(route="out", binding_arg_name="answer")
def out(req: func.HttpRequest, answer: func.Out[func.HttpResponse]):
    answer.set(func.HttpResponse("made", status_code=201))


@app.route(route="bytes")
def returns_bytes(req: func.HttpRequest):
    return b"raw"


@app.route(route="nothing")
def nothing(req: func.HttpRequest):
    LOGGER.info("did nothing")


@app.route(route="page")
def page(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("<h1>Grüße</h1>", mimetype="text/html")


@app.route(route="empty")
def empty(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()


@app.route(route="gone")
def gone(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("gone", status_code=404)


@app.route(route="redirect")
def redirect(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=302, headers={"location": "page"})


class Healthy(func.HttpResponse):
    """An answer of a class of the app's own."""

    def __init__(self, **more: str) -> None:
        super().__init__(json.dumps({"status": "healthy", **more}), mimetype="application/json")


@app.route(route="own-class")
def own_class(req: func.HttpRequest) -> func.HttpResponse:
    return Healthy(**req.params)


@app.function_name("generic")
@app.generic_trigger(arg_name="req", type="httpTrigger", route="generic", authLevel="anonymous")
@app.generic_output_binding(arg_name="$return", type="http")
def generic(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"hello {req.params.get('name') or req.get_json()['name']}")


@app.route(route="request")
def request(req: func.HttpRequest) -> str:
    body = req.get_body()
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "body": body.decode(),
        "hash": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(seen)


@app.route(route="json")
def takes_json(req: func.HttpRequest) -> str:
    return json.dumps(req.get_json())


@app.route(route="form")
def form(req: func.HttpRequest) -> str:
    return json.dumps(dict(req.form))


@app.route(route="binary")
def binary(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(body, headers={"X-Length": str(len(body))})


@app.route(route="params/{first}/{second}")
def params(req: func.HttpRequest) -> str:
    return json.dumps(dict(req.route_params))


@app.route(route="context")
def context(req: func.HttpRequest, context: func.Context) -> str:
    trace = context.trace_context
    told = [context.function_name, context.function_directory, context.invocation_id, trace.Traceparent]
    return json.dumps([*told, trace.Tracestate])


@app.route(route="environment/{name}")
def environment(req: func.HttpRequest) -> str:
    return os.environ.get(req.route_params["name"], "")


@app.route(route="fails")
def fails(req: func.HttpRequest) -> str:
    return str(1 / 0)


@app.route(route="fails-outside")
def fails_outside(req: func.HttpRequest) -> str:
    return urlopen("http://127.0.0.1:9/none").read().decode()


class Untold(Exception):
    """An error that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@app.route(route="fails-untold")
def fails_untold(req: func.HttpRequest) -> str:
    raise Untold


@app.route(route="cookies/{kind}")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x")
    for value in {
        "two": ["a=1; Max-Age=10; Path=/; Secure", "a=2; Path=/x; HttpOnly"],
        "plain": ["foo=bar"],
        "empty": [""],
        "malformed": ["a=1; Max-Age=10; SecureFalse; HttpOnly"],
        "time": ["a=1; Expires=Dummy"],
        "number": ["a=1; Max-Age=Dummy"],
    }[req.route_params["kind"]]:
        response.headers.add("Set-Cookie", value)
    return response


@app.route(route="own-loop")
def own_loop(req: func.HttpRequest) -> str:
    async def told() -> None:
        LOGGER.info("in a loop of its own")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(told())
    loop.close()
    return "looped"


@app.route(route="tasks")
async def tasks(req: func.HttpRequest) -> str:
    async def told(what: str) -> None:
        await asyncio.sleep(0.01)
        LOGGER.info("task %s", what)

    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon_threadsafe(future.set_result, "called soon")
    await asyncio.wait([loop.create_task(told(each)) for each in ("one", "two", "three")])
    LOGGER.info(await future)
    return "waited"


@app.route(route="levels")
def levels(req: func.HttpRequest) -> str:
    LOGGER.setLevel(logging.DEBUG)
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(LOGGER, level)("%s of mine", level)
        getattr(logging.getLogger(), level)("%s of the root", level)
    return "logged"


@app.route(route="handled")
async def handled(req: func.HttpRequest) -> str:
    try:
        1 / 0  # noqa: B018 - it is meant to fail
    except ZeroDivisionError:
        LOGGER.exception("handled with grace")
    return "handled"


@app.route(route="prints")
def prints(req: func.HttpRequest) -> str:
    print("printed plainly")
    print("printed and flushed", flush=True)
    print("printed as an error", file=sys.stderr)
    return "printed"


@app.route(route="lines")
def lines(req: func.HttpRequest) -> str:
    LOGGER.info("line one\nline two\r\nline three")
    return "logged"


@app.route(route="threads")
def threads(req: func.HttpRequest, context: func.Context) -> str:
    def work(number: int) -> None:
        context.thread_local_storage.invocation_id = context.invocation_id
        LOGGER.info("thread %d at work", number)

    started = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for each in started:
        each.start()
    for each in started:
        each.join()
    return "joined"


@app.route(route="async-threads")
async def async_threads(req: func.HttpRequest) -> str:
    await asyncio.gather(*(asyncio.to_thread(LOGGER.info, "async thread %d", each) for each in (1, 2)))
    return "joined"


@app.route(route="pool")
def pool(req: func.HttpRequest) -> str:
    with ThreadPoolExecutor() as executor:
        executor.submit(LOGGER.info, "pool at work").result()
    return "joined"


BOTH = threading.Barrier(2, timeout=10)


@app.route(route="meets")
def meets(req: func.HttpRequest) -> str:
    """Two callers of a function that blocks its thread meet only if each has a thread."""
    BOTH.wait()
    return "met"


SEEN = contextvars.ContextVar("SEEN", default="nothing")


@app.route(route="task-context")
async def task_context(req: func.HttpRequest) -> str:
    async def look() -> str:
        return SEEN.get()

    SEEN.set("set before")
    inherited = await asyncio.create_task(look())
    own = await asyncio.create_task(look(), context=contextvars.Context())
    return f"{inherited}, {own}"
