"""The least a function can do: what an HTTP function costs in this host at any rate."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello", methods=["GET"])
async def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Says hello."""
    return func.HttpResponse('{"hello": "world"}', mimetype="application/json")
