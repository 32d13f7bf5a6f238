"""Example values for the API's description, from a JSON schema. They validate against it."""

from collections.abc import Mapping
from typing import Any, Final

_PREFIX: Final = "#/components/schemas/"
#: Fields with a meaningful example. The rest follow from their types.
_BY_NAME: Final[dict[str, Any]] = {
    "address": "ada@example.com",
    "display_name": "Ada Lovelace",
    "name": "Nightly archive",
    "source": "msgraph://ada@example.com/calendar",
    "archive": "msgraph://ada@example.com/calendars/Archive",
    "time_zone": "Europe/Berlin",
    "start_zone": "Europe/Berlin",
    "end_zone": "Europe/Berlin",
    "archive_from": "2026-01-01",
    "window_start": "2026-01-01T00:00:00Z",
    "window_end": "2026-02-01T00:00:00Z",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-02-01T00:00:00Z",
    "subject": "Planning",
    "location": "Room 1",
    "correlation_id": "8f14e45f-ceea-467f-a0e6-0d4b0a5f1c55",
    "requested_by": "user:6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "actor": "user:6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "state": "completed",
    "kind": "manual",
    "mode": "normal",
    "outcome": "success",
    "field": "address",
    "version": 1,
    "at": "02:00",
    "next": None,
}
_BY_FORMAT: Final = {
    "uuid": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "date-time": "2026-01-15T02:00:00Z",
    "date": "2026-01-15",
}
_BY_TYPE: Final[dict[str, Any]] = {"boolean": True, "null": None, "string": "text"}


class Samples:
    """Makes examples. ``components`` are the named schemas of the document."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = components

    def of(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """An example of the schema. ``name`` is its field."""
        for told in ("const", "default"):
            if told in schema and schema[told] is not None:
                return schema[told]
        if schema.get("examples"):
            return schema["examples"][0]
        resolved = self._resolved(schema)
        if name in _BY_NAME and self._fits(_BY_NAME[name], resolved):
            return _BY_NAME[name]
        if resolved is not schema:
            return self.of(resolved, name)
        return self._made(schema, name)

    def _made(self, schema: Mapping[str, Any], name: str) -> Any:
        if schema.get("enum"):
            return schema["enum"][0]
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self.of(schema[choice][0], name)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            fields = schema.get("properties", {})
            return {field: self.of(inner, field) for field, inner in fields.items()}
        if kind == "array":
            return [self.of(schema.get("items", {}))]
        if kind in ("integer", "number"):
            return schema.get("minimum", 0)
        if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        return _BY_TYPE.get(str(kind), "text")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._components[schema["$ref"].removeprefix(_PREFIX)]
        return schema

    def _fits(self, value: Any, schema: Mapping[str, Any]) -> bool:
        """Whether one of our values matches the schema's type, because one name may have several types."""
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return any(self._fits(value, self._resolved(choice)) for choice in choices)
        if schema.get("enum"):
            return value in schema["enum"]
        kinds = {str: "string", int: "integer", type(None): "null"}
        if schema.get("type") != kinds[type(value)]:
            return False
        wanted = schema.get("format")
        return wanted is None or (wanted != "uuid" and ("T" in value) == (wanted == "date-time"))
