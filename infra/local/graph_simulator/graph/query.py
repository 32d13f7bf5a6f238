"""Query options and Prefer: $select $top $orderby $filter $expand, paging with an opaque token."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus

from infra.local.graph_simulator.graph.event_fields import extended_id
from infra.local.graph_simulator.graph.rendering import View
from infra.local.graph_simulator.values.errors import GraphError, bad_request
from infra.local.graph_simulator.values.times import require_zone

_SYSTEM = ("select", "top", "orderby", "filter", "expand", "skip", "skiptoken", "count")
# Possessive quantifiers and the look-behind keep these linear on long runs of white space or of a name.
_EXPAND = re.compile(r"singleValueExtendedProperties\s*\(\s*\$?filter\s*=\s*+(.+)\)", re.DOTALL)
_OR = re.compile(r"(?<!\s)\s++or\s+")
_EXPAND_ID = re.compile(r"\s*(?:\w+/)?id\s+eq\s+'((?:[^']|'')*)'\s*")
_PREFER_PART = re.compile(r'(?<![\w.\-])([\w.\-]++)\s*+(?:=\s*+(?:"([^"]*+)"|([^,;\s"=]++))\s*+)?(?:[,;]|$)')
MAX_TOP = 1000
DEFAULT_TOP = 10
_TIME_SORTS = ("start/dateTime", "end/dateTime")
_SORTS = (*_TIME_SORTS, "subject", "createdDateTime", "lastModifiedDateTime")


@dataclass(slots=True)
class Query:
    """One request's query options, each by its name without ``$``, and its Prefer header's values."""

    options: dict[str, str]
    others: dict[str, str]
    prefer: dict[str, str]
    applied: list[str] = field(default_factory=list)

    def select(self, known: frozenset[str]) -> tuple[str, ...] | None:
        """The selected properties; raises 400 for one the resource does not have."""
        text = self.options.get("select")
        return None if text is None else _selected(text, known)

    def view(self, known: frozenset[str]) -> View:
        """How to show events. Raises 400 for unknown properties and zones."""
        zone_name = self.prefer.get("outlook.timezone")
        zone = None
        if zone_name is not None:
            zone = require_zone(zone_name)
            self.applied.append(f'outlook.timezone="{zone_name}"')
            if zone_name == "UTC":
                zone = None
        body_type = self.prefer.get("outlook.body-content-type")
        if body_type is not None:
            self.applied.append(f'outlook.body-content-type="{body_type}"')
        immutable = self.prefer.get("idtype", "").lower() == "immutableid"
        if immutable:
            self.applied.append('IdType="ImmutableId"')
        extended, exceptions = _expanded(self.options.get("expand") or "")
        select = self.select(known)
        if select is not None and "exceptionOccurrences" in select:
            # Selecting the relationship alone gives nothing without $expand.
            select = tuple(name for name in select if name != "exceptionOccurrences")
        return View(
            immutable=immutable,
            zone=zone,
            zone_name=zone_name or "UTC",
            text_body=body_type == "text",
            select=select,
            extended=extended,
            exceptions=exceptions,
        )

    def top(self) -> int:
        """The page size asked for, 10 without one; raises 400 outside 1..1000."""
        text = self.options.get("top") or self.prefer.get("odata.maxpagesize")
        if text is None:
            return DEFAULT_TOP
        if not text.isdecimal() or not 1 <= int(text) <= MAX_TOP:
            raise bad_request(
                f"The value '{text}' of $top must be from 1 to {MAX_TOP}.", "ErrorInvalidParameter"
            )
        return int(text)

    def offset(self) -> int:
        """Where the page starts; raises 400 for a token that is not ours."""
        token, skip = self.options.get("skiptoken"), self.options.get("skip")
        if token is not None:
            try:
                return int(urlsafe_b64decode(token.encode("ascii")).decode("ascii").removeprefix("page:"))
            except ValueError:
                raise bad_request("The skip token is malformed.", "ErrorInvalidUrlQuery") from None
        if skip is None:
            return 0
        if not skip.isdecimal():
            raise bad_request(f"Invalid value '{skip}' for $skip.")
        return int(skip)

    def order(self) -> tuple[str, bool] | None:
        """Property and whether descending; raises 400 for what cannot be sorted by."""
        text = self.options.get("orderby")
        if text is None:
            return None
        name, _, direction = text.strip().partition(" ")
        direction = direction.strip().lower()
        if name not in _SORTS or direction not in ("", "asc", "desc"):
            raise bad_request(f"Could not sort by '{text}'.", "ErrorInvalidUrlQueryOrderBy")
        return name, direction == "desc"

    def next_link(self, base: str, path: str, offset: int) -> str:
        """An absolute nextLink with an opaque token in place of the position."""
        token = urlsafe_b64encode(f"page:{offset}".encode()).decode("ascii")
        kept = {
            f"${name}": value for name, value in self.options.items() if name not in ("skiptoken", "skip")
        }
        pairs = {**self.others, **kept, "$skiptoken": token}
        text = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in pairs.items())
        return f"{base}{path}?{text}"


def read_query(text: str, headers: Mapping[str, str]) -> Query:
    """Parse a query string and the Prefer header; raises 400 for an unknown system option."""
    options: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        bare = name.removeprefix("$")
        if bare.lower() in _SYSTEM:
            options[bare.lower()] = value
        elif name.startswith("$"):
            raise bad_request(f"The query parameter '{name}' is not supported.")
        else:
            others[name] = value
    prefer = headers.get("Prefer")
    return Query(options, others, _preferences(prefer) if prefer else {})


def window_parameter(query: Query, name: str) -> str | None:
    """A parameter by name in any case, as Graph takes ``startDateTime``."""
    folded = name.lower()
    return next((value for key, value in query.others.items() if key.lower() == folded), None)


@lru_cache(maxsize=256)
def _preferences(text: str) -> dict[str, str]:
    found = {}
    for match in _PREFER_PART.finditer(text):
        name, quoted, bare = match.groups()
        found[name.lower()] = quoted if quoted is not None else (bare or "")
    return found


@lru_cache(maxsize=256)
def _selected(text: str, known: frozenset[str]) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise bad_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
                "'Microsoft.OutlookServices.Event'.",
                "RequestBroker--ParseUri",
            )
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=256)
def _expanded(text: str) -> tuple[frozenset[str], bool]:
    """The extended properties to bring, and whether to bring a master's exceptions.

    ``calendar`` cannot be expanded (event resource, annotations of its relationships): 400 as for any other.
    """
    wanted: set[str] = set()
    exceptions = False
    for part in _top_level(text):
        if part == "exceptionOccurrences":
            exceptions = True
            continue
        match = _EXPAND.fullmatch(part)
        if match is None:
            raise bad_request(f"Parsing OData Select and Expand failed: '{text}'.", "RequestBroker--ParseUri")
        for clause in _OR.split(match.group(1)):
            found = _EXPAND_ID.fullmatch(clause)
            if found is None:
                raise GraphError(400, "ErrorInvalidUrlQueryFilter", f"'{clause}' cannot be used in $expand.")
            wanted.add(extended_id(found.group(1).replace("''", "'")))
    return frozenset(wanted), exceptions


def _top_level(text: str) -> list[str]:
    """The parts of a list that commas outside parentheses divide."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def split_target(target: str) -> tuple[list[str], str]:
    """Decoded path segments and the raw query string of a request target; double slashes are tolerated."""
    path, _, query = target.partition("?")
    return [unquote_path(part) for part in path.split("/") if part], query


def unquote_path(text: str) -> str:
    """Percent-decoding of a path segment, where a plus is a plus."""
    return unquote_plus(text.replace("+", "%2B")) if "%" in text else text


def as_page(value: list[Any], context: str, next_link: str | None) -> dict[str, Any]:
    """A collection as Graph answers it."""
    page: dict[str, Any] = {"@odata.context": context, "value": value}
    if next_link:
        page["@odata.nextLink"] = next_link
    return page
