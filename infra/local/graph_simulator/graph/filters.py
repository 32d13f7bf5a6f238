"""$filter: the part of OData that Graph documents for events and calendars, compiled to a predicate."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from infra.local.graph_simulator.graph.event_fields import extended_id
from infra.local.graph_simulator.state.model import Item
from infra.local.graph_simulator.values.errors import GraphError, bad_request


class Row(Protocol):
    """What a filter judges: the properties, computed only if asked for, and the event itself if it is one."""

    @property
    def data(self) -> dict[str, Any]:
        """The properties as JSON."""
        ...

    @property
    def item(self) -> Item | None:
        """The event, for its extended properties."""
        ...


type Predicate = Callable[[Row], bool]
type Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?![\d\-T:]))"
    r"|(?P<instant>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<name>[A-Za-z_@][\w.@]*(?:/[A-Za-z_@][\w.@]*)*)|(?P<mark>[(),:]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a is not None and a > b,
    "ge": lambda a, b: a is not None and a >= b,
    "lt": lambda a, b: a is not None and a < b,
    "le": lambda a, b: a is not None and a <= b,
}
_TEXT_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda text, part: part in text,
}
#: Properties events may be filtered by; transactionId is not among them (graph.md, Extended property).
FILTERABLE = frozenset(
    [
        "id",
        "subject",
        "importance",
        "sensitivity",
        "showAs",
        "isAllDay",
        "isCancelled",
        "isOrganizer",
        "isReminderOn",
        "hasAttachments",
        "type",
        "iCalUId",
        "seriesMasterId",
        "createdDateTime",
        "lastModifiedDateTime",
        "start/dateTime",
        "end/dateTime",
        "start/timeZone",
        "location/displayName",
        "organizer/emailAddress/address",
        "responseStatus/response",
        "isOnlineMeeting",
        "name",
        "isDefaultCalendar",
    ]
)
_TIMES = frozenset({"start/dateTime", "end/dateTime", "createdDateTime", "lastModifiedDateTime"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _refuse(message: str) -> GraphError:
    return bad_request(f"Invalid filter clause: {message}", "BadRequest")


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _refuse(f"Syntax error at position {position} in '{text}'.")
        yield _Token(match.lastgroup, match.group(match.lastgroup))
        position = match.end()


def compile_filter(text: str) -> Predicate:
    """The predicate of a $filter; raises 400 for bad syntax, unknown and unfilterable properties."""
    return _compiled(text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Predicate:
    parser = _Parser(list(_tokens(text)))
    predicate = parser.either()
    parser.finish()
    return predicate


class _Parser:
    """Recursive descent over one expression: or, and, not, parentheses, comparisons, functions, lambdas."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def finish(self) -> None:
        if self._at != len(self._tokens):
            raise _refuse(f"Unexpected '{self._tokens[self._at].text}'.")

    def either(self) -> Predicate:
        left = self._both()
        while self._word("or"):
            left = _either(left, self._both())
        return left

    def _both(self) -> Predicate:
        left = self._single()
        while self._word("and"):
            left = _both(left, self._single())
        return left

    def _single(self) -> Predicate:
        if self._word("not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._mark("("):
            result = self.either()
            self._need(")")
            return result
        name = self._take("name")
        if name in _TEXT_FUNCTIONS:
            return self._function(name)
        collection, _, quantifier = name.rpartition("/")
        if quantifier.lower() == "any" and collection:
            return self._any(collection)
        return self._comparison(_property(name), name)

    def _comparison(self, value: Value, name: str) -> Predicate:
        operator = self._take("name")
        if operator not in _COMPARE:
            raise _refuse(f"Unknown operator '{operator}'.")
        compare = _COMPARE[operator]
        literal = self._literal(as_time=name in _TIMES)

        def check(row: Row) -> bool:
            try:
                return compare(value(row), literal)
            except TypeError:
                raise _refuse(f"'{name}' cannot be compared with that value.") from None

        return check

    def _function(self, name: str) -> Predicate:
        function = _TEXT_FUNCTIONS[name]
        self._need("(")
        value = _property(self._take("name"))
        self._need(",")
        literal = str(self._literal(as_time=False)).casefold()
        self._need(")")
        return lambda row: function(str(value(row) or "").casefold(), literal)

    def _any(self, collection: str) -> Predicate:
        self._need("(")
        variable = self._take("name")
        self._need(":")
        if collection == "singleValueExtendedProperties":
            result = self._extended(variable)
        elif collection == "categories":
            result = self._category(variable)
        else:
            raise _refuse(f"'{collection}/any' is not supported.")
        self._need(")")
        return result

    def _extended(self, variable: str) -> Predicate:
        parts: dict[str, str] = {}
        while True:
            name = self._take("name")
            if name not in (f"{variable}/id", f"{variable}/value") or self._take("name") != "eq":
                raise _refuse("An extended property is found by 'id eq' and 'value eq'.")
            parts[name.rpartition("/")[2]] = str(self._literal(as_time=False))
            if not self._word("and"):
                break
        if "id" not in parts:
            raise _refuse("An extended property's id is required.")
        wanted = extended_id(parts["id"])
        if "value" not in parts:
            return lambda row: row.item is not None and wanted in row.item.extended
        # The value filter is case-insensitive (graph.md, Extended property).
        value = parts["value"].casefold()
        return lambda row: row.item is not None and row.item.extended.get(wanted, "").casefold() == value

    def _category(self, variable: str) -> Predicate:
        if self._take("name") != variable or self._take("name") != "eq":
            raise _refuse("categories/any supports 'eq' only.")
        wanted = str(self._literal(as_time=False))
        return lambda row: wanted in row.data.get("categories", ())

    def _literal(self, *, as_time: bool) -> Any:
        token = self._next()
        if token.kind == "string":
            text = token.text[1:-1].replace("''", "'")
            return _time_text(text) if as_time else text
        if token.kind == "instant" and as_time:
            return _time_text(token.text)
        if token.kind == "number":
            return int(token.text)
        if token.kind == "name" and token.text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token.text]
        raise _refuse(f"'{token.text}' is not a value.")

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise _refuse("Unexpected end.")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, kind: str) -> str:
        token = self._next()
        if token.kind != kind:
            raise _refuse(f"Unexpected '{token.text}'.")
        return token.text

    def _word(self, word: str) -> bool:
        return self._accept("name", word)

    def _mark(self, mark: str) -> bool:
        return self._accept("mark", mark)

    def _accept(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == _Token(kind, text):
            self._at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._mark(mark):
            raise _refuse(f"'{mark}' expected.")


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) or right(row)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) and right(row)


def _time_text(text: str) -> str:
    """Times compare as text once both have the same form: seven digits, no zone."""
    bare = re.sub(r"Z$|[+-]\d\d:\d\d$", "", text)
    whole, _, fraction = bare.partition(".")
    if "T" not in whole:
        whole += "T00:00:00"
    elif whole.count(":") == 1:
        whole += ":00"
    return f"{whole}.{fraction.ljust(7, '0')[:7]}"


def _property(name: str) -> Value:
    if name not in FILTERABLE:
        raise GraphError(
            400, "ErrorInvalidUrlQueryFilter", f"The property '{name}' is not supported in $filter."
        )
    path = name.split("/")
    is_time = name in _TIMES

    def read(row: Row) -> Any:
        value: Any = row.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return _time_text(value) if is_time and isinstance(value, str) else value

    return read
