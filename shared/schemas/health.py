"""Health of the running system, for probes."""

from typing import Literal

from shared.schemas.base import Resource


class Live(Resource):
    """The process answers."""

    status: Literal["live"] = "live"


class Check(Resource):
    """One dependency; ``detail`` names the reason of a failure without secrets."""

    name: str
    ok: bool
    milliseconds: float
    detail: str | None = None


class Ready(Resource):
    """Whether requests can be served now."""

    status: Literal["ready", "not_ready"]
    checks: tuple[Check, ...]
