"""What belongs to a user beside calendars: the directory entry, mailbox settings."""

from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.query import as_page, read_query
from infra.local.graph_simulator.graph.rendering import user_json
from infra.local.graph_simulator.state.model import Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import bad_request, invalid_value
from infra.local.graph_simulator.values.zones import find_zone

_USER_DEFAULTS = ("id", "displayName", "mail", "userPrincipalName")
_USER_PROPERTIES = frozenset({*_USER_DEFAULTS, "userType", "accountEnabled"})


def get_user(call: Call, mailbox: Mailbox) -> Answer:
    """``GET /users/{id}``."""
    select = read_query(call.query, call.headers).select(_USER_PROPERTIES)
    user = user_json(mailbox)
    shown = {name: user[name] for name in select or _USER_DEFAULTS}
    return Answer(200, {"@odata.context": f"{call.base}/$metadata#users/$entity", **shown})


def get_settings(call: Call, mailbox: Mailbox) -> Answer:
    """``GET /users/{id}/mailboxSettings`` and ``.../timeZone``."""
    if call.segments[-1].lower() == "timezone":
        return Answer(
            200, {"@odata.context": f"{call.base}/$metadata#Edm.String", "value": mailbox.time_zone}
        )
    return Answer(
        200,
        {
            "@odata.context": f"{call.base}/$metadata#users('{mailbox.oid}')/mailboxSettings",
            "timeZone": mailbox.time_zone,
            "userPurpose": mailbox.purpose,
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
            "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
            "workingHours": {
                "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
                "startTime": "08:00:00.0000000",
                "endTime": "17:00:00.0000000",
                "timeZone": {"name": mailbox.time_zone},
            },
        },
    )


def update_settings(call: Call, mailbox: Mailbox, state: State) -> Answer:
    """``PATCH /users/{id}/mailboxSettings``; only the time zone can be changed here."""
    body = call.json()
    zone = body.get("timeZone") if isinstance(body, dict) else None
    if not isinstance(zone, str) or find_zone(zone) is None:
        raise invalid_value("timeZone must be a known time zone.")
    mailbox.time_zone = zone
    state.touch_mailbox(mailbox)
    return get_settings(call, mailbox)


def translate_ids(call: Call, mailbox: Mailbox, state: State) -> Answer:
    """``POST /users/{id}/translateExchangeIds``, at most 1000 at a time (graph.md, Immutable ids)."""
    given = call.json()
    body = {name.lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    wanted, target = body.get("inputids"), body.get("targetidtype")
    if not isinstance(wanted, list) or len(wanted) > 1000:
        raise bad_request("InputIds must be a list of at most 1000 ids.")
    if target not in ("restId", "restImmutableEntryId"):
        raise bad_request(f"TargetIdType '{target}' is not supported.")
    value = []
    for source in wanted:
        item = state.item(mailbox, source)
        value.append({"sourceId": source, "targetId": item.id(immutable=target == "restImmutableEntryId")})
    return Answer(200, as_page(value, f"{call.base}/$metadata#convertIdResult", None))
