"""A mailbox's list of categories: names that never change, preset colours (graph.md, Mail and categories)."""

from uuid import UUID, uuid4

from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.query import as_page, read_query
from infra.local.graph_simulator.state.model import Json, Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import (
    GraphError,
    bad_request,
    invalid_body,
    invalid_value,
    read_only,
)

COLORS = frozenset({"none", *(f"preset{number}" for number in range(25))})
_PROPERTIES = frozenset({"id", "displayName", "color"})
_MAX_NAME = 255


def serve_categories(call: Call, mailbox: Mailbox, state: State, rest: list[str]) -> Answer:
    """``/users/{id}/outlook/masterCategories`` and what is below it; raises 405 for other methods."""
    match (call.method, *rest):
        case ("GET",):
            return _list(call, mailbox)
        case ("POST",):
            return _create(call, mailbox, state)
        case ("GET", wanted):
            return Answer(200, _entity(call, mailbox, _found(mailbox, wanted)))
        case ("PATCH", wanted):
            return _recolour(call, mailbox, state, _found(mailbox, wanted))
        case ("DELETE", wanted):
            mailbox.categories.remove(_found(mailbox, wanted))
            state.touch_mailbox(mailbox)
            return Answer(204)
        case (_, *more) if len(more) < 2:
            raise GraphError(
                405,
                "Request_BadRequest",
                f"Specified HTTP method '{call.method}' is not allowed for the request target.",
            )
    raise bad_request(f"Resource not found for the segment '{rest[-1]}'.")


def _list(call: Call, mailbox: Mailbox) -> Answer:
    query = read_query(call.query, call.headers)
    select, offset = query.select(_PROPERTIES), query.offset()
    asked = query.options.get("top") is not None
    # Without $top the whole list comes at once.
    end = offset + query.top() if asked else len(mailbox.categories)
    shown = [
        entry if select is None else {name: entry[name] for name in select}
        for entry in mailbox.categories[offset:end]
    ]
    more = query.next_link(call.base, call.path, end) if end < len(mailbox.categories) else None
    return Answer(200, as_page(shown, _context(call, mailbox), more))


def _create(call: Call, mailbox: Mailbox, state: State) -> Answer:
    body = _body(call)
    name = body.get("displayName")
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
        raise invalid_value(f"displayName must have 1 to {_MAX_NAME} characters.")
    color = _color(body.get("color", "none"))
    if any(entry["displayName"].casefold() == name.casefold() for entry in mailbox.categories):
        raise GraphError(409, "CategoryNameDuplicate", "A category with this name exists.")
    entry: Json = {"id": str(uuid4()), "displayName": name, "color": color}
    mailbox.categories.append(entry)
    state.touch_mailbox(mailbox)
    return Answer(201, _entity(call, mailbox, entry))


def _recolour(call: Call, mailbox: Mailbox, state: State, entry: Json) -> Answer:
    body = _body(call)
    if "displayName" in body:
        raise read_only("displayName")
    if "color" in body:
        entry["color"] = _color(body["color"])
    state.touch_mailbox(mailbox)
    return Answer(200, _entity(call, mailbox, entry))


def _body(call: Call) -> Json:
    body = call.json()
    if not isinstance(body, dict):
        raise invalid_body("A category must be an object.")
    known = {name: value for name, value in body.items() if not name.startswith("@odata.")}
    for name in known:
        if name == "id":
            raise read_only(name)
        if name not in _PROPERTIES:
            raise invalid_body(
                f"The property '{name}' does not exist on type 'Microsoft.OutlookServices.OutlookCategory'."
            )
    return known


def _color(value: object) -> str:
    if not isinstance(value, str) or value not in COLORS:
        raise invalid_body(f"Requested value '{value}' was not found for 'color'.")
    return value


def _found(mailbox: Mailbox, wanted: str) -> Json:
    try:
        category_id = str(UUID(wanted))
    except ValueError:
        raise GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.") from None
    for entry in mailbox.categories:
        if entry["id"] == category_id:
            return entry
    raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def _context(call: Call, mailbox: Mailbox) -> str:
    return f"{call.base}/$metadata#users('{mailbox.oid}')/outlook/masterCategories"


def _entity(call: Call, mailbox: Mailbox, entry: Json) -> Json:
    return {"@odata.context": f"{_context(call, mailbox)}/$entity", **entry}
