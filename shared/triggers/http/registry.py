"""What every HTTP operation declares. The table of authorisation and the API's description come from it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Required, TypedDict, get_args, get_type_hints

from shared.domain.identity.roles import Role

if TYPE_CHECKING:
    from azure.functions import HttpResponse
    from pydantic import BaseModel

    from shared.schemas.base import Input
    from shared.triggers.http.messages import Handler

#: ``routePrefix`` of host.json.
PREFIX: Final = "api"
#: The function for requests without an operation. The host tries functions in the order of their names, in
#: upper case by code point, and takes the first match. So this name must be the last of all.
LAST: Final = "z_unserved"

EVERYONE: Final = frozenset(Role)
WRITERS: Final = frozenset({Role.USER, Role.ADMIN})


class Ownership(StrEnum):
    """Whose resources an operation can access. All others answer 404, as if they did not exist."""

    PUBLIC = "no personal data, no token"
    OWN = "User: own; Admin, Auditor: the tenant's"
    OWN_OR_ADMIN = "User: own; Admin: the tenant's"
    SELF = "the caller's alone"
    ADDRESSED = "own alone; Admin: also what is for the tenant's Admins"
    CONCERNED = "own, and about the caller's mailbox; Admin, Auditor: the tenant's"
    TENANT = "the tenant's"
    HOME = "the installation's, for the home tenant alone"


class AccessRule(NamedTuple):
    """Who may call an operation, and whose resources it reaches. ``roles`` None requires no token."""

    roles: frozenset[Role] | None
    ownership: Ownership


PUBLIC: Final = AccessRule(None, Ownership.PUBLIC)
READERS: Final = AccessRule(EVERYONE, Ownership.OWN)
OWNERS: Final = AccessRule(WRITERS, Ownership.OWN_OR_ADMIN)
ADMINS: Final = AccessRule(frozenset({Role.ADMIN}), Ownership.TENANT)
OVERSEERS: Final = AccessRule(frozenset({Role.ADMIN, Role.AUDITOR}), Ownership.TENANT)
HOME_ADMINS: Final = AccessRule(frozenset({Role.ADMIN}), Ownership.HOME)


class GraphAccess(StrEnum):
    """The permission with which an operation calls Microsoft Graph (design.md, Who may)."""

    NONE = "none"
    #: The application's permission, as for unattended runs.
    APPLICATION = "application"
    #: With the signed-in person's own on their mailbox; an Admin on another's with the application's.
    ON_BEHALF_OF = "on behalf of the caller"


class IfMatch(StrEnum):
    """How an operation uses If-Match."""

    UNUSED = "not used"
    HONOURED = "honoured if sent"
    REQUIRED = "required"


class Declaration(TypedDict, total=False):
    """What an operation declares beside its method and route. What it leaves out is as in ``Operation``."""

    summary: Required[str]
    access: Required[AccessRule]
    body_optional: bool
    #: Of a success.
    status: int
    #: The operation's own error statuses, for the description of the API.
    errors: tuple[int, ...]
    durable: bool
    #: Further methods of the same function (GET always has HEAD).
    also: tuple[str, ...]
    if_match: IfMatch
    media_type: str
    #: Other kinds of success, by ``Content-Type``.
    other_media_types: tuple[str, ...]
    #: The permission with which it calls Microsoft Graph.
    graph: GraphAccess
    #: Of a list: the properties that sort it, the most important first. ``-`` is descending.
    order: tuple[str, ...]
    #: Headers of a success besides the common ones, with their meaning.
    response_headers: "Mapping[str, str]"
    #: The route's text parameters, each with the regular expression of its values.
    texts: "Mapping[str, str]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation:
    """One HTTP function, as its ``Declaration`` says."""

    id: str
    method: str
    route: str
    summary: str
    description: str
    access: AccessRule
    body_optional: bool = False
    status: int = 200
    errors: tuple[int, ...] = ()
    durable: bool = False
    also: tuple[str, ...] = ()
    if_match: IfMatch = IfMatch.UNUSED
    media_type: str = "application/json"
    other_media_types: tuple[str, ...] = ()
    graph: GraphAccess = GraphAccess.NONE
    order: tuple[str, ...] = ()
    response_headers: "Mapping[str, str]" = field(default_factory=dict)
    texts: "Mapping[str, str]" = field(default_factory=dict)
    #: The handler. Its annotations name the models of body, query and answer.
    handler: "Handler[Any, Any, Any]"
    #: The function for the worker. It takes the HTTP request (and the durable client) and always answers.
    function: "Callable[..., Awaitable[HttpResponse]]"

    @property
    def roles(self) -> frozenset[Role] | None:
        """Who may call it. None if no token is required."""
        return self.access.roles

    @property
    def ownership(self) -> Ownership:
        """Whose resources it reaches."""
        return self.access.ownership

    @property
    def body(self) -> "type[Input] | None":
        """The model of the body. None without a body."""
        return _models(self.handler).body

    @property
    def query(self) -> "type[Input] | None":
        """The model of the query. None without a query."""
        return _models(self.handler).query

    @property
    def response(self) -> "type[BaseModel] | None":
        """The model of a success. None without a body, or with a body that is no JSON of a model."""
        return _models(self.handler).response

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method of the function."""
        return (self.method, *(("HEAD",) if self.method == "GET" else ()), *self.also)

    @property
    def changes(self) -> bool:
        """True if it is a change, which accepts Idempotency-Key."""
        return self.roles is not None and self.method in ("POST", "PUT", "PATCH", "DELETE")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the route's ids, in order, without text parameters (which have a constraint)."""
        names = (_id_name(part) for part in self.route.split("/"))
        return tuple(name for name in names if name and name not in self.texts)

    @property
    def template(self) -> str:
        """The route for the host. Each id is constrained, so that it does not match another route's path.

        A text is not constrained, so that the operation itself can say what is wrong with it. The host does
        not prefer literals over parameters: without the constraint, ``things/{id}`` may match ``things/new``
        (Azure/azure-functions-host, issue 9876).
        """
        return "/".join(
            f"{{{name}:guid}}" if (name := _id_name(part)) and name not in self.texts else part
            for part in self.route.split("/")
        )

    @property
    def is_described(self) -> bool:
        """True if it is part of the described API. Catch-alls and files of a page are not."""
        return all(not part.startswith("{") or _id_name(part) for part in self.route.split("/"))

    def serves(self, segments: Sequence[str]) -> bool:
        """True if a path (without prefix) has the route's form, with any text in place of ids."""
        parts = self.route.split("/")
        return (
            self.is_described
            and len(parts) == len(segments)
            and all(
                part.startswith("{") or part.lower() == segment.lower()
                for part, segment in zip(parts, segments, strict=True)
            )
        )

    def arguments(self, path: str) -> dict[str, str]:
        """The values of the ids in a path that the operation serves."""
        parts = zip(self.route.split("/"), path.strip("/").split("/"), strict=True)
        return {name: segment for part, segment in parts if (name := _id_name(part))}


class _Models(NamedTuple):
    body: "type[Input] | None"
    query: "type[Input] | None"
    response: "type[BaseModel] | None"


@cache
def _models(handler: "Handler[Any, Any, Any]") -> _Models:
    """Read on an operation's first use, which loads only the modules of its models (cold start)."""
    from shared.schemas import base

    hints = get_type_hints(handler)
    body, query = get_args(hints["request"]) or (base.NoBody, base.NoQuery)
    (response,) = get_args(hints["return"])
    return _Models(
        body=None if body is base.NoBody else body,
        query=None if query is base.NoQuery else query,
        response=None if response is type(None) else response,
    )


def _id_name(part: str) -> str | None:
    """The name of the id in a part of a route. None if it is something else."""
    return part[1:-1] if part.startswith("{") and not part.startswith("{*") and ":" not in part else None


OPERATIONS: Final[dict[str, Operation]] = {}
#: Their methods and routes.
_PLACES: Final[set[tuple[str, str]]] = set()


def register(operation: Operation) -> None:
    """Add an operation.

    Raises ValueError if its id, or its method and route, is taken, or if its id sorts after ``LAST``.
    """
    place = operation.method, operation.route
    if operation.id in OPERATIONS or place in _PLACES:
        raise ValueError(f"{operation.id} ({operation.method} {operation.route}) is declared twice")
    if operation.id.upper() > LAST.upper():
        raise ValueError(f"{operation.id} is never reached: its name sorts behind {LAST}")
    OPERATIONS[operation.id] = operation
    _PLACES.add(place)


def methods_of(path: str) -> list[str]:
    """The methods of operations at a path below the prefix, in alphabetical order."""
    return sorted({method for each in _meant_by(path) for method in each.methods})


def meant_by(method: str, path: str) -> Operation | None:
    """The operation for a method and a path below the prefix, with any text in place of ids."""
    return next((each for each in _meant_by(path) if method in each.methods), None)


def _meant_by(path: str) -> Sequence[Operation]:
    segments = path.strip("/").split("/")
    serving = [each for each in OPERATIONS.values() if each.serves(segments)]
    # A literal path wins over a parameter in its place.
    return [each for each in serving if not each.parameters] or serving


def authorisation_table() -> Iterator[dict[str, Any]]:
    """One row per operation: id, method, path, roles, resources, Graph permission."""
    for operation in sorted(OPERATIONS.values(), key=lambda each: (each.route, each.method)):
        roles = operation.roles
        yield {
            "operation": operation.id,
            "method": operation.method,
            "path": f"/{PREFIX}/{operation.route}",
            "roles": ["(no token)"] if roles is None else [role.value for role in Role if role in roles],
            "ownership": operation.ownership.value,
            "graph": operation.graph.value,
        }
