"""Two blueprints in another folder that the app registers."""

import azure.functions as func

bp = func.Blueprint()
second = func.Blueprint()


@bp.route(route="from-blueprint")
def from_blueprint(req: func.HttpRequest) -> str:
    return "of the blueprint"


@second.route(route="from-second")
def from_second(req: func.HttpRequest) -> str:
    return "of the second"
