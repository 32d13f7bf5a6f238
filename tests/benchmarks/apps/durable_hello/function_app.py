"""The durable app of the tutorials: what indexing costs in this host at any rate."""

from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello", methods=["GET"])
@app.durable_client_input(client_name="client")
async def hello(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """Says hello."""
    return func.HttpResponse('{"hello": "world"}', mimetype="application/json")


@app.orchestration_trigger(context_name="context")
def say_hello(context: Any) -> Any:
    """Says hello through an activity."""
    return (yield context.call_activity("greet", "world"))


@app.activity_trigger(input_name="name")
async def greet(name: str) -> str:
    """One greeting."""
    return f"hello {name}"
