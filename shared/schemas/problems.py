"""RFC 9457 problem details: the body of every error answer."""

from shared.schemas.base import Resource


class FieldProblem(Resource):
    """One invalid field. ``field`` is a dotted path in the body, or a parameter's name."""

    field: str
    message: str
    code: str


class ReachedLimit(Resource):
    """A limit that was reached, and its value."""

    name: str
    value: int | float


class Problem(Resource):
    """``type``, ``title``, ``status``, ``detail`` and ``instance`` as in RFC 9457. The rest is ours.

    ``limit`` is present if ``code`` is ``limit_reached`` or ``rate_limited``.
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
