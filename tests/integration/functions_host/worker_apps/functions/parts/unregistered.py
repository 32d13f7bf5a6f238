"""A blueprint that the app imports and does not register."""

import azure.functions as func

bp = func.Blueprint()


@bp.route(route="from-unregistered")
def from_unregistered(req: func.HttpRequest) -> str:
    return "never"
