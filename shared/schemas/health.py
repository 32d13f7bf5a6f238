"""Health of the running system, for probes."""

from typing import Literal

from pydantic import Field

from shared.schemas.base import Resource


class Live(Resource):
    """The process answers."""

    status: Literal["live"] = "live"
    version: str = Field(description="What is deployed.")
    commit: str | None = Field(description="Commit of what is deployed; null if it does not know.")


class Check(Resource):
    """One dependency. ``reason`` says why it failed, without secrets."""

    name: str
    ok: bool
    milliseconds: float
    reason: str | None = None


class Ready(Resource):
    """Whether requests can be served now."""

    status: Literal["ready", "not_ready"]
    checks: tuple[Check, ...]
