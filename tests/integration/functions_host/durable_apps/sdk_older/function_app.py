"""What the public end-to-end suite of the Durable SDK tries, in an app of our own; the style of version 1."""

import azure.durable_functions as df
import azure.functions as func
from client_routes import bp as client_routes
from orchestrators import bp as orchestrators

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(orchestrators)
app.register_functions(client_routes)


@app.route(route="ping")
def ping(req: func.HttpRequest) -> str:
    return "pong"


@app.route(route="echo", methods=["POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), mimetype="application/json")


@app.route(route="fails")
def fails(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("not today", status_code=500)
