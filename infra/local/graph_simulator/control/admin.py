"""The admin routes under ``/_simulator``: loading, reading back, owner edits, counters, settings, faults."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.graph_simulator.control.admin_index import index
from infra.local.graph_simulator.control.owner_actions import OwnerActions
from infra.local.graph_simulator.entra.identity import Identity
from infra.local.graph_simulator.graph.calls import Answer
from infra.local.graph_simulator.graph.event_fields import read_event
from infra.local.graph_simulator.graph.groups import Groups
from infra.local.graph_simulator.graph.query import split_target
from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.graph.service import Service
from infra.local.graph_simulator.loading.files import import_calendar
from infra.local.graph_simulator.loading.mailboxes import EXTRA, Loader
from infra.local.graph_simulator.state.model import Event, Item, Json, Mailbox, Occurrence
from infra.local.graph_simulator.values.errors import GraphError, LoadError
from infra.local.graph_simulator.values.times import microseconds, parse_window


class Admin:
    """Answers the admin routes; they need no token and count as nothing."""

    def __init__(self, service: Service, identity: Identity) -> None:
        self._service = service
        self._identity = identity
        self._loader = Loader(service.state, service.settings)
        self._groups = Groups(service.state)
        self._actions = OwnerActions(service.state, self._loader)

    def answer(self, method: str, target: str, query: Mapping[str, str], raw: bytes, parsed: Any) -> Answer:
        """The answer to one request; wrong input gives 400 or 404 with a message."""
        segments, _ = split_target(target)
        try:
            return self._route(method, segments[1:], query, raw, parsed)
        except LookupError as error:
            return Answer(404, {"error": {"code": "NotFound", "message": str(error.args[0])}})
        except GraphError as error:
            return Answer(error.status, {"error": {"code": error.code, "message": error.message}})
        except (LoadError, ValueError, TypeError) as error:
            # A TypeError is a member of the wrong JSON type, in a load or a wish for a token.
            return Answer(400, {"error": {"code": "BadInput", "message": str(error)}})

    def _route(self, method: str, path: list[str], query: Mapping[str, str], raw: bytes, body: Any) -> Answer:
        service = self._service
        match (method, *path):
            case ("GET",):
                return Answer(200, index(self._identity.base_url))
            case ("GET", "health"):
                return Answer(200, {"status": "ok", "mailboxes": len(service.state.mailboxes)})
            case ("GET", "counters"):
                return Answer(200, service.counters.as_dict())
            case ("POST", "counters", "reset"):
                service.counters.reset()
                return Answer(204)
            case ("GET", "settings"):
                return Answer(200, service.settings.as_dict())
            case ("PATCH", "settings"):
                service.settings.update(_object(body))
                return Answer(200, service.settings.as_dict())
            case ("GET", "faults"):
                return Answer(200, {"value": [rule.as_dict() for rule in service.faults.rules]})
            case ("POST", "faults"):
                rules = body if isinstance(body, list) else [_object(body)]
                return Answer(201, {"value": [service.faults.add(_object(rule)).as_dict() for rule in rules]})
            case ("DELETE", "faults"):
                service.faults.clear()
                return Answer(204)
            case ("POST", "tokens"):
                return Answer(200, {"token": self._identity.mint(_object(body))})
            case ("POST", "keys", "rotate"):
                kid = self._identity.keys.rotate().kid
                service.state.on_change()
                return Answer(200, {"kid": kid})
            case ("POST", "groups"):
                wishes = body if isinstance(body, list) else [_object(body)]
                return Answer(200, {"groups": [self._groups.load(wish) for wish in wishes]})
            case (_, "mailboxes", *rest):
                return self._mailboxes(method, rest, query, raw, body)
        raise LookupError(f"no admin route {method} /{'/'.join(path)}")

    def _mailboxes(
        self, method: str, path: list[str], query: Mapping[str, str], raw: bytes, body: Any
    ) -> Answer:
        state = self._service.state
        if not path:
            if method == "GET":
                return Answer(200, {"value": [_summary(mailbox) for mailbox in state.all_mailboxes()]})
            wishes = body.get("mailboxes", [body]) if isinstance(body, dict) else body
            if method != "POST" or not isinstance(wishes, list):
                raise ValueError("POST a list of mailboxes")
            return Answer(200, {"mailboxes": [self._loader.load_mailbox(wish) for wish in wishes]})
        mailbox = state.find_mailbox(path[0])
        if mailbox is None:
            raise LookupError(f"no mailbox {path[0]!r}")
        match (method, *path[1:]):
            case ("GET", "events"):
                return Answer(200, {"value": self._read_back(mailbox, query)})
            case ("GET", "mail"):
                return Answer(200, {"value": mailbox.sent})
            case ("GET", "inbox"):
                return Answer(200, {"value": mailbox.inbox})
            case ("POST", "events"):
                calendar = self._loader.calendar(
                    mailbox, query.get("calendar") or mailbox.default_calendar.name
                )
                return Answer(201, raw_json(self._loader.load_event(calendar, _object(body))))
            case ("POST", "calendars", name, "ics"):
                calendar = self._loader.calendar(mailbox, name)
                report = import_calendar(self._loader, calendar, raw, query)
                return Answer(200, report)
            case ("DELETE", "calendars", name):
                return self._service.resources.delete_calendar(self._loader.calendar(mailbox, name))
            case ("POST" | "PATCH", "events", item_id, "edit"):
                return Answer(200, raw_json(self._edit(state.item(mailbox, item_id), _object(body))))
            case ("POST", "events", item_id, "move"):
                return Answer(
                    200, raw_json(self._actions.move(mailbox, state.item(mailbox, item_id), _object(body)))
                )
            case ("POST", "events", item_id, "invite-again"):
                again = self._actions.invite_again(state.item(mailbox, item_id), _object(body or {}))
                return Answer(201, raw_json(again))
            case ("POST", "events", item_id, "organizer"):
                item = self._actions.replace_organizer(state.item(mailbox, item_id), _object(body))
                return Answer(200, raw_json(item))
            case ("DELETE", "events", item_id):
                self._loader.store.delete(state.item(mailbox, item_id))
                return Answer(204)
        raise LookupError(f"no admin route {method} /mailboxes/{'/'.join(path)}")

    def _read_back(self, mailbox: Mailbox, query: Mapping[str, str]) -> list[Json]:
        """Every event expanded, without paging; with a window, those that intersect it."""
        name = query.get("calendar")
        calendars = [
            calendar
            for calendar in mailbox.calendars.values()
            if name is None or name in (calendar.id, calendar.name)
        ]
        if name is not None and not calendars:
            raise LookupError(f"no calendar {name!r} in {mailbox.address}")
        horizon = microseconds(datetime.now(UTC) + timedelta(days=366))
        start = parse_window(query["start"], "start") if "start" in query else -(10**18)
        end = parse_window(query["end"], "end") if "end" in query else horizon
        events = [event for calendar in calendars for event in calendar.events.values()]
        if "end" not in query:
            latest = max((event.span.end_us for event in events), default=0)
            end = max(end, latest + 1)
        found = self._service.resources.instances_in(events, start, end)
        found.sort(key=lambda item: item.span.start_us)
        return [raw_json(item) for item in found]

    def _edit(self, item: Item, body: Json) -> Item:
        """A change by the owner; also of what clients may not set, such as isCancelled."""
        settings = self._service.settings
        plain = {name: value for name, value in body.items() if name not in EXTRA}
        if plain:
            changes = read_event(plain, creating=False, wrap_bodies=settings.normalise_bodies)
            item = self._loader.store.update(item, changes)
        extra = {name: value for name, value in body.items() if name in EXTRA}
        if extra and isinstance(item, Event | Occurrence):
            self._loader.owner_edit(extra, item)
        event = item.master
        return event if item.day is None else event.occurrence(item.day)


def _object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise ValueError("a JSON object is needed")
    return body


def _summary(mailbox: Mailbox) -> Json:
    return {
        "address": mailbox.address,
        "oid": mailbox.oid,
        "display_name": mailbox.display_name,
        "time_zone": mailbox.time_zone,
        "enabled": mailbox.enabled,
        "calendars": [
            {
                "id": calendar.id,
                "name": calendar.name,
                "is_default": calendar.is_default,
                "events": len(calendar.events),
            }
            for calendar in mailbox.calendars.values()
        ],
    }
