"""An app with a function for everything that HTTP triggers can do."""

APP = r'''
import asyncio, contextvars, json, logging, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def told(name, req):
    body = json.dumps({"by": name, "params": dict(req.route_params)})
    return func.HttpResponse(body, mimetype="application/json")


def serve(name, route):
    @app.function_name(name)
    @app.route(route=route)
    def f(req: func.HttpRequest) -> func.HttpResponse:
        return told(name, req)


for name, route in {
    "literal": "things/new", "number": "things/{id:int}", "other": "things/{id}",
    "long_": "long/{v:long}", "guid_": "guid/{v:guid}", "bool_": "bool/{v:bool}", "alpha_": "alpha/{v:alpha}",
    "length_": "length/{v:length(3)}", "length_range": "lengths/{v:length(2,4)}", "min_": "min/{v:min(10)}",
    "max_": "max/{v:max(10)}", "range_": "range/{v:range(5,7)}",
    "regex_": r"regex/{v:regex(^\d{{3}}-\d{{4}}$)}", "both": "both/{v:int:min(3)}",
    "optional": "optional/{v?}", "optional_number": "optional-number/{v:int?}",
    "default": "default/{v=seven}", "rest": "files/{*path}", "mixed": "mixed/{name}.{ext}",
    "two": "{area}/of/{place}",
}.items():
    serve(name, route)


@app.route(methods=["GET"])
def unrouted(req: func.HttpRequest) -> str:
    return "plain grüße"


@app.route(route="methods", methods=["GET", "PUT"])
def only_get_and_put(req: func.HttpRequest) -> str:
    return req.method


@app.route(route="methods", methods=["DELETE"])
def only_delete(req: func.HttpRequest) -> str:
    return "deleted"


@app.route(route="echo")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    headers = {
        "Content-Type": "application/x-thing",
        "X-Seen-Type": req.headers.get("content-type", "none"),
        "X-Encoding": req.headers.get("content-encoding", ""),
    }
    return func.HttpResponse(req.get_body(), headers=headers)


@app.route(route="look")
async def look(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = {
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "trace": context.trace_context.Traceparent,
        "id": context.invocation_id,
        "name": context.function_name,
    }
    return func.HttpResponse(json.dumps(seen))


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    r = func.HttpResponse("x", status_code=201)
    r.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=60")
    r.headers.add("Set-Cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Domain=example.org")
    return r


@app.route(route="status/{code}")
def status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=int(req.route_params["code"]), headers={"Location": "/elsewhere"})


@app.route(route="fail")
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    raise LookupError("the drawer is empty")


@app.route(route="nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None


@app.route(route="leave")
async def leave(req: func.HttpRequest) -> func.HttpResponse:
    raise SystemExit(3)


@app.route(route="break-header")
def break_header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", status_code="teapot")


@app.function_name("inside")
@app.generic_trigger(arg_name="req", type="httpTrigger", route="output", authLevel="anonymous")
@app.generic_output_binding(arg_name="res", type="http")
def inside(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    res.set(func.HttpResponse("through the output", status_code=202))


arrived = 0
everyone = None


@app.route(route="meet/{n:int}")
async def meet(req: func.HttpRequest) -> str:
    """Answers only when n callers are here at once."""
    global arrived, everyone
    everyone = everyone or asyncio.Event()
    arrived += 1
    if arrived == int(req.route_params["n"]):
        everyone.set()
    await everyone.wait()
    return "met"


gate = None
left = []


@app.route(route="slow")
async def slow(req: func.HttpRequest) -> str:
    global gate
    gate = asyncio.Event()
    await gate.wait()
    left.append("finished")
    return "late"


@app.route(route="slow/began")
async def slow_began(req: func.HttpRequest) -> str:
    return "yes" if gate else "no"


@app.route(route="slow/release")
async def slow_release(req: func.HttpRequest) -> str:
    gate.set()
    return "ok"


@app.route(route="slow/left")
async def slow_left(req: func.HttpRequest) -> str:
    return ",".join(left)


@app.route(route="hold")
async def hold(req: func.HttpRequest) -> str:
    """Blocks the app's event loop until the file named in the query exists."""
    import pathlib
    print("holding the loop", flush=True)
    while not pathlib.Path(req.params["until"]).exists():
        time.sleep(0.01)
    return "held"


seen = contextvars.ContextVar("seen", default="nothing")


@app.route(route="context")
async def context(req: func.HttpRequest) -> str:
    before = seen.get()
    seen.set("mine")
    return before


@app.route(route="talk")
def talk(req: func.HttpRequest) -> str:
    logging.getLogger("my.app").info("information of talk")
    logging.getLogger("my.app").warning("warning of talk")
    return ""
'''
