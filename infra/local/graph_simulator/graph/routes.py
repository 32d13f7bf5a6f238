"""The wire: which path and method leads to which handler, and who may call it."""

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.categories import serve_categories
from infra.local.graph_simulator.graph.groups import Groups
from infra.local.graph_simulator.graph.mail import list_messages, send_mail
from infra.local.graph_simulator.graph.resources import Resources
from infra.local.graph_simulator.graph.users import get_settings, get_user, translate_ids, update_settings
from infra.local.graph_simulator.state.model import Calendar, Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError, bad_request, item_not_found

_CALENDARS = "Calendars.ReadWrite"
_MAILBOX_SETTINGS = "MailboxSettings.ReadWrite"
#: What the right to write includes for reading.
_TO_READ = {_CALENDARS: "Calendars.Read", _MAILBOX_SETTINGS: "MailboxSettings.Read"}
#: First path segment under a user -> permission that allows it (reads also accept the read-only one).
_PERMISSIONS = {
    "sendmail": "Mail.Send",
    "messages": "Mail.ReadBasic",
    "mailboxsettings": _MAILBOX_SETTINGS,
    "outlook": _MAILBOX_SETTINGS,
}


class Routes:
    """Finds the mailbox of a call, checks access and dispatches to the resource's handler."""

    def __init__(self, state: State, settings: Settings, resources: Resources) -> None:
        self._state = state
        self._settings = settings
        self._resources = resources
        self._groups = Groups(state)

    def locate(self, call: Call) -> None:
        """Set the call's mailbox if its path names one; ``/me`` is the token's user."""
        segments = call.segments
        if segments and segments[0].lower() == "me" and call.caller.user is not None:
            call.segments = segments = ["users", call.caller.user, *segments[1:]]
        if len(segments) >= 2 and segments[0].lower() == "users":
            call.mailbox = self._state.find_mailbox(segments[1])

    def handle(self, call: Call) -> Answer:
        """The answer to a call, effects included; raises ``GraphError``."""
        segments = call.segments
        if segments and segments[0].lower() == "groups":
            return self._group(call, segments[1:])
        if not segments or segments[0].lower() not in ("users", "me"):
            raise bad_request(f"Resource not found for the segment '{segments[0] if segments else ''}'.")
        if segments[0].lower() == "me":
            raise bad_request("/me request is only valid with delegated authentication flow.")
        if len(segments) < 2:
            raise _no_such_method(call)
        rest = segments[2:]
        area = rest[0].lower() if rest else ""
        self._authorize(call, area)
        if not rest:
            found = self._state.find_mailbox(segments[1])
            if found is None:
                raise GraphError(
                    404,
                    "Request_ResourceNotFound",
                    f"Resource '{segments[1]}' does not exist or one of its queried reference-property "
                    "objects are not present.",
                )
            return get_user(_read_only(call), found)
        mailbox = self._state.mailbox(segments[1])
        match area:
            case "calendar":
                return self._calendar(call, mailbox.default_calendar, rest[1:])
            case "calendars":
                return self._calendars(call, mailbox, rest[1:])
            case "events":
                return self._events(call, mailbox, None, rest[1:])
            case "calendarview" if len(rest) == 1:
                return self._resources.calendar_view(_read_only(call), mailbox.default_calendar)
        return self._other(call, mailbox, [part.lower() for part in rest])

    def _group(self, call: Call, rest: list[str]) -> Answer:
        if {"GroupMember.Read.All", "Group.Read.All"}.isdisjoint(call.caller.permissions):
            raise GraphError(
                403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
            )
        if [part.lower() for part in rest[1:]] == ["transitivemembers", "microsoft.graph.user"]:
            return self._groups.transitive_users(_read_only(call), rest[0])
        raise bad_request(f"Resource not found for the segment '{rest[-1] if rest else 'groups'}'.")

    def _authorize(self, call: Call, area: str) -> None:
        caller, mailbox, settings = call.caller, call.mailbox, self._settings
        needed = "User.Read.All" if not area else _PERMISSIONS.get(area, _CALENDARS)
        held = caller.permissions
        own = caller.user is not None and mailbox is not None and mailbox.oid == caller.user
        readable = call.method == "GET" and _TO_READ.get(needed) in held
        if needed not in held and not readable and not (own and not area):
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if caller.user is not None and mailbox is not None and not own and area:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        allowed = settings.allowed_mailboxes
        if allowed is not None and area and mailbox is not None:
            names = {name.casefold() for name in allowed}
            if names.isdisjoint({mailbox.oid.casefold(), mailbox.address.casefold()}):
                raise GraphError(
                    403,
                    "ErrorAccessDenied",
                    "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy "
                    "settings.",
                )

    def _calendars(self, call: Call, mailbox: Mailbox, rest: list[str]) -> Answer:
        if rest:
            return self._calendar(call, self._state.calendar(mailbox, rest[0]), rest[1:])
        if call.method == "GET":
            return self._resources.list_calendars(call, mailbox)
        if call.method == "POST":
            return self._resources.create_calendar(call, mailbox)
        raise _no_such_method(call)

    def _calendar(self, call: Call, calendar: Calendar, rest: list[str]) -> Answer:
        resources = self._resources
        if not rest:
            match call.method:
                case "GET":
                    return resources.get_calendar(call, calendar)
                case "PATCH":
                    return resources.update_calendar(call, calendar)
                case "DELETE":
                    return resources.delete_calendar(calendar)
            raise _no_such_method(call)
        area = rest[0].lower()
        if area == "calendarview" and len(rest) == 1:
            return resources.calendar_view(_read_only(call), calendar)
        if area == "events":
            return self._events(call, calendar.mailbox, calendar, rest[1:])
        raise bad_request(f"Resource not found for the segment '{rest[0]}'.")

    def _events(self, call: Call, mailbox: Mailbox, calendar: Calendar | None, rest: list[str]) -> Answer:
        resources = self._resources
        if not rest:
            if call.method == "GET":
                events = (calendar or mailbox).events.values()
                return resources.list_events(call, events)
            if call.method == "POST":
                return resources.create_event(call, calendar or mailbox.default_calendar)
            raise _no_such_method(call)
        item = self._state.item(mailbox, rest[0])
        if calendar is not None and item.master.calendar is not calendar:
            raise item_not_found()
        if len(rest) == 1:
            match call.method:
                case "GET":
                    return resources.get_event(call, item)
                case "PATCH":
                    return resources.update_event(call, item)
                case "DELETE":
                    return resources.delete_event(call, item)
            raise _no_such_method(call)
        area = rest[1].lower()
        if area == "instances" and len(rest) == 2:
            return resources.instances(_read_only(call), item)
        if area == "calendar" and len(rest) == 2:
            return resources.calendar_of(_read_only(call), item)
        if area == "attachments" and len(rest) == 2:
            return resources.attachments(_read_only(call), item)
        raise bad_request(f"Resource not found for the segment '{rest[1]}'.")

    def _other(self, call: Call, mailbox: Mailbox, rest: list[str]) -> Answer:
        state = self._state
        match (call.method, *rest):
            case ("GET", "mailboxsettings") | ("GET", "mailboxsettings", "timezone"):
                return get_settings(call, mailbox)
            case ("PATCH", "mailboxsettings"):
                return update_settings(call, mailbox, state)
            case ("POST", "sendmail" | "microsoft.graph.sendmail"):
                return send_mail(call, mailbox, state)
            case ("GET", "messages"):
                return list_messages(call, mailbox)
            case (_, "outlook", "mastercategories", *below):
                return serve_categories(call, mailbox, state, below)
            case ("POST", "translateexchangeids"):
                return translate_ids(call, mailbox, state)
        raise bad_request(f"Resource not found for the segment '{rest[-1]}'.")


def _no_such_method(call: Call) -> GraphError:
    return GraphError(
        405,
        "Request_BadRequest",
        f"Specified HTTP method '{call.method}' is not allowed for the request target.",
    )


def _read_only(call: Call) -> Call:
    if call.method != "GET":
        raise _no_such_method(call)
    return call
