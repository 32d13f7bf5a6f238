"""RFC 9457 problem details: the body of every answer that is not a success."""

from shared.schemas.base import Resource


class FieldProblem(Resource):
    """One field that breaks a rule; ``field`` is a dotted path in the body, or a parameter's name."""

    field: str
    message: str
    code: str


class ReachedLimit(Resource):
    """A limit that was reached, and the value in force (domain.md 6.6)."""

    name: str
    value: int | float


class Problem(Resource):
    """``type``, ``title``, ``status``, ``detail`` and ``instance`` as in RFC 9457; the rest is ours.

    ``limit`` stands where ``code`` is ``limit_reached`` or ``rate_limited``.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    correlation_id: str
    errors: tuple[FieldProblem, ...] = ()
    limit: ReachedLimit | None = None
    resource_id: str | None = None
