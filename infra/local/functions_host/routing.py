"""ASP.NET Core's route templates, tried one after another.

The syntax is that of ASP.NET Core (its docs, "Routing in ASP.NET Core", section "Route templates"; Functions
docs, "Azure Functions HTTP trigger", section "Customize the HTTP endpoint"). The precedence is not: the
Functions host puts its routes into a plain list and takes the first one that matches. So a literal does not
win over a parameter, nor a long route over a short one (Azure/azure-functions-host,
`WebScriptHostHttpRoutesManager` and issues 3153, 6062 and 9876). A method that no function takes at a path is
404, as in the real host, never 405.
"""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

from infra.local.functions_host import constraints
from infra.local.functions_host.constraints import Constraint

_PARAMETER_NAME = re.compile(r"[^/{}?*:=]+")
_NAME_AND_EXTENSION = 3
_ESCAPED_SLASH = re.compile(r"%2f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `{name:constraint=default?}` of a template."""

    name: str
    checks: Sequence[Constraint] = ()
    default: str | None = None
    optional: bool = False
    rest: bool = False
    """True for `{*name}`, which takes the rest of the path."""

    def accepts(self, value: str) -> bool:
        """True if every constraint holds."""
        return all(check(value) for check in self.checks)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A path segment: a literal, one parameter, or text and parameters mixed (`mixed`, in order)."""

    literal: str | None
    parameters: Sequence[Parameter] = ()
    mixed: "Sequence[str | Parameter]" = ()

    @property
    def may_be_absent(self) -> bool:
        parameter = self.parameters[0] if self.parameters else None
        return (
            parameter is not None
            and not self.mixed
            and (parameter.optional or parameter.default is not None or parameter.rest)
        )


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed route template."""

    text: str
    segments: Sequence[_Segment]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Parses `text`; raises ValueError with ASP.NET's reason if it is not a template."""
        if text.startswith(("/", "~")):
            raise ValueError("The route template cannot start with a '/' or '~' character.")
        segments = [_parse_segment(part) for part in _split(text)]
        for segment in segments[:-1]:
            if any(parameter.rest for parameter in segment.parameters):
                raise ValueError(
                    "A catch-all parameter can only appear as the last segment of the route template."
                )
        names = [parameter.name.lower() for segment in segments for parameter in segment.parameters]
        if len(set(names)) != len(names):
            raise ValueError(f"A route parameter name appears more than one time in '{text}'.")
        return cls(text, segments)

    @property
    def start(self) -> tuple[str, ...]:
        """The literal segments before the first that is none, in lower case."""
        literals = itertools.takewhile(lambda segment: segment.literal is not None, self.segments)
        return tuple(segment.literal or "" for segment in literals)

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Values of the parameters if the decoded segments of a path fit, else None."""
        values: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if index >= len(path):
                if not segment.may_be_absent:
                    return None
                parameter = segment.parameters[0]
                if parameter.default is not None:
                    values[parameter.name] = parameter.default
                continue
            if segment.parameters and segment.parameters[0].rest:
                text = "/".join(path[index:])
                values[segment.parameters[0].name] = text
                return values if segment.parameters[0].accepts(text) else None
            if not _match_segment(segment, path[index], values):
                return None
        return values if len(path) <= len(self.segments) else None


class _Route[Target](NamedTuple):
    place: int
    template: Template
    methods: Collection[str]
    target: Target


class Router[Target]:
    """Routes to targets. Of several that match a request, the one that was added first takes it."""

    def __init__(self) -> None:
        self._added = itertools.count()
        # By the literal segments they start with, in lower case: of a large app few routes remain to try.
        self._routes: dict[tuple[str, ...], list[_Route[Target]]] = {}

    def add(self, template: Template, methods: Collection[str], target: Target) -> None:
        """Adds a route behind those that are there; no methods means every method."""
        route = _Route(next(self._added), template, frozenset(methods), target)
        self._routes.setdefault(template.start, []).append(route)

    def find(self, method: str, raw_path: str) -> tuple[Target, dict[str, str]] | None:
        """Target and parameter values for a request, or None. `raw_path` is still percent-encoded."""
        path = split_path(raw_path)
        lowered = tuple(segment.lower() for segment in path)
        starts = (lowered[:length] for length in range(len(lowered) + 1))
        possible = [route for start in starts for route in self._routes.get(start, ())]
        for route in sorted(possible, key=lambda route: route.place):
            if route.methods and method not in route.methods:
                continue
            values = route.template.match(path)
            if values is not None:
                return route.target, values
        return None


def split_path(raw_path: str) -> list[str]:
    """Decoded segments of a path; an escaped slash stays escaped, as the real host's server leaves it."""
    path = raw_path.strip("/")
    if not path:
        return []
    if "%" not in path:
        return path.split("/")
    return [
        "%2F".join(unquote(part) for part in _ESCAPED_SLASH.split(segment)) for segment in path.split("/")
    ]


def _match_segment(segment: _Segment, text: str, values: dict[str, str]) -> bool:
    if segment.literal is not None:
        return text.lower() == segment.literal
    if not segment.mixed:
        parameter = segment.parameters[0]
        if not text and not parameter.optional:
            return False
        values[parameter.name] = text
        return parameter.accepts(text)
    found = _divide(segment.mixed, text)
    if found is None:
        return False
    for parameter, value in zip(segment.parameters, found, strict=True):
        if value is not None:
            if not parameter.accepts(value):
                return False
            values[parameter.name] = value
        elif parameter.default is not None:
            values[parameter.name] = parameter.default
    return True


def _divide(pieces: Sequence[str | Parameter], text: str) -> list[str | None] | None:
    """The value of each parameter of a mixed segment, from the left; None if the text does not fit.

    It goes from the right to the left and never back, as ASP.NET does (`RoutePatternMatcher`,
    `MatchComplexSegment`): a text between parameters is where it occurs last. So it takes linear time.
    """
    last = pieces[-1]
    if isinstance(last, Parameter) and last.optional and pieces[-2] == "." and "." not in text[1:-1]:
        # "{name}.{extension?}": without the extension the dot goes too.
        found = [text] if len(pieces) == _NAME_AND_EXTENSION else _divide(pieces[:-2], text)
        return None if not text or found is None else [*found, None]
    lowered, end, waiting = text.lower(), len(text), False
    values: list[str | None] = []
    for piece in reversed(pieces):
        if isinstance(piece, Parameter):
            waiting = True
            continue
        # A parameter has one character at least.
        at = lowered.rfind(piece.lower(), 0, end - waiting)
        if at < 0 or (not waiting and at + len(piece) != end):
            return None
        if waiting:
            values.append(text[at + len(piece) : end])
        end, waiting = at, False
    if waiting and end:
        values.append(text[:end])
    elif waiting or end:
        return None
    return values[::-1]


def _split(text: str) -> list[str]:
    """Segments of a template; slashes inside braces (of a regular expression) do not separate."""
    parts, depth, start = [], 0, 0
    stripped = text.rstrip("/")
    for index, character in enumerate(stripped):
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        elif character == "/" and depth == 0:
            parts.append(stripped[start:index])
            start = index + 1
    if depth:
        raise ValueError(
            "There is an incomplete parameter in the route template. Check that each '{' has a '}'."
        )
    if stripped:
        parts.append(stripped[start:])
    if not all(parts):
        raise ValueError("The route template separator character '/' cannot appear consecutively.")
    return parts


@cache
def _parse_segment(text: str) -> _Segment:
    """A segment; the routes of an app have most of theirs in common."""
    pieces = _pieces(text)
    parameters = [piece for piece in pieces if isinstance(piece, Parameter)]
    if not parameters:
        return _Segment("".join(piece for piece in pieces if isinstance(piece, str)).lower())
    if len(pieces) == 1:
        return _Segment(None, parameters)
    if any(parameter.rest for parameter in parameters):
        raise ValueError(f"A catch-all parameter cannot be mixed with text in '{text}'.")
    if any(isinstance(one, Parameter) and isinstance(two, Parameter) for one, two in pairwise(pieces)):
        raise ValueError(f"A path segment cannot contain two consecutive parameters: '{text}'.")
    return _Segment(None, parameters, pieces)


def _pieces(text: str) -> list[str | Parameter]:
    """Text and parameters of a segment in order; `{{` and `}}` outside of parameters are braces."""
    pieces: list[str | Parameter] = []
    index, literal = 0, ""
    while index < len(text):
        character = text[index]
        if text[index : index + 2] in {"{{", "}}"}:
            literal += character
            index += 2
        elif character == "{":
            end = _closing_brace(text, index)
            if literal:
                pieces.append(literal)
            literal = ""
            pieces.append(_parse_parameter(text[index + 1 : end].replace("{{", "{").replace("}}", "}")))
            index = end + 1
        elif character in "}?":
            raise ValueError(f"The literal section '{text}' is invalid: it cannot contain '{character}'.")
        else:
            literal += character
            index += 1
    if literal:
        pieces.append(literal)
    return pieces


def _closing_brace(text: str, opening: int) -> int:
    index = opening + 1
    while index < len(text):
        if text[index : index + 2] in {"{{", "}}"}:
            index += 2
        elif text[index] == "}":
            return index
        else:
            index += 1
    raise ValueError("There is an incomplete parameter in the route template. Check that each '{' has a '}'.")


def _parse_parameter(text: str) -> Parameter:
    stars = len(text) - len(text.lstrip("*"))
    body = text[stars:]
    optional = body.endswith("?")
    body = body.removesuffix("?")
    match = _PARAMETER_NAME.match(body)
    if match is None or stars > 2:
        raise ValueError(f"The route parameter name '{text}' is invalid.")
    rest = body[match.end() :]
    checks: list[Constraint] = []
    while rest.startswith(":"):
        check, rest = _take_constraint(rest[1:])
        checks.append(check)
    default = rest[1:] if rest.startswith("=") else None
    if rest and default is None:
        raise ValueError(f"The route parameter name '{text}' is invalid.")
    if optional and default is not None:
        raise ValueError("An optional parameter cannot have default value.")
    return Parameter(match[0], checks, default, optional, stars > 0)


def _take_constraint(text: str) -> tuple[Constraint, str]:
    """The first constraint of `name(argument):next=default` and what follows it."""
    name = re.match(r"[^:=(]*", text)
    assert name is not None  # noqa: S101 - the pattern matches the empty text
    rest = text[name.end() :]
    if not rest.startswith("("):
        return constraints.build(name[0], None), rest
    for end in range(1, len(rest)):
        # The argument ends where only another constraint, a default or nothing can follow.
        if rest[end] == ")" and (end + 1 == len(rest) or rest[end + 1] in ":="):
            return constraints.build(name[0], rest[1:end]), rest[end + 1 :]
    raise ValueError(f"The constraint '{text}' has no closing parenthesis.")
