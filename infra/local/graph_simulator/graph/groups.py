"""Entra groups: their members, users and other groups, as deep as they are nested.

``GET /groups/{id}/transitiveMembers/microsoft.graph.user`` is an advanced query: casting to a type needs the
header ``ConsistencyLevel: eventual`` and ``$count=true``
(https://learn.microsoft.com/graph/aad-advanced-queries). Groups and membership may form circles.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.query import as_page, read_query
from infra.local.graph_simulator.graph.rendering import user_json
from infra.local.graph_simulator.state.model import Json, Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError, LoadError, bad_request

#: Properties of a user that may be selected here.
USER_PROPERTIES = frozenset({"id", "displayName", "mail", "userPrincipalName", "userType", "accountEnabled"})
_DEFAULT_TOP = 100
_MAX_TOP = 999
_MEMBERS = frozenset({"id", "name", "members"})


@dataclass(slots=True)
class Group:
    """A group; ``members`` are object ids of users and of groups, in order."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)


class Groups:
    """All groups by object id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def load(self, wish: Any) -> Json:
        """Create or replace a group; a member is an address, an object id, or a group's name.

        Raises ``LoadError`` for one that is not there.
        """
        if not isinstance(wish, dict) or not isinstance(wish.get("name"), str):
            raise LoadError("a group needs a name")
        unknown = wish.keys() - _MEMBERS
        if unknown:
            raise LoadError(f"group {wish['name']}: unknown member {min(unknown)!r}")
        name = wish["name"]
        known = self._named(name)
        group_id = known.id if known else str(wish.get("id") or uuid5(NAMESPACE_URL, f"group:{name}"))
        members = [self._member(name, each) for each in wish.get("members") or []]
        self._state.put_group(group_id, {"name": name, "members": members})
        return {"id": group_id, "name": name, "members": len(members)}

    def transitive_users(self, call: Call, group_id: str) -> Answer:
        """A page of the users in the group and in the groups within it, each once."""
        query = read_query(call.query, call.headers)
        eventual = call.headers.get("ConsistencyLevel", "").lower() == "eventual"
        if not eventual or query.options.get("count") != "true":
            raise GraphError(
                400,
                "Request_UnsupportedQuery",
                "OData cast requires the header ConsistencyLevel: eventual and $count=true.",
            )
        if re.fullmatch(r"[0-9a-fA-F-]{36}", group_id) is None:
            raise bad_request(f"Invalid object identifier '{group_id}'.", "Request_BadRequest")
        group = self._group(group_id.lower())
        if group is None:
            raise GraphError(
                404,
                "Request_ResourceNotFound",
                f"Resource '{group_id}' does not exist or one of its queried reference-property objects are "
                "not present.",
            )
        select = query.select(USER_PROPERTIES)
        users = [self._shown(mailbox, select) for mailbox in self._users(group, set())]
        top, offset = _top(query.options.get("top")), query.offset()
        link = query.next_link(call.base, call.path, offset + top) if offset + top < len(users) else None
        page = as_page(users[offset : offset + top], f"{call.base}/$metadata#users", link)
        if offset == 0:
            page["@odata.count"] = len(users)
        return Answer(200, page)

    def _users(self, group: Group, seen: set[str]) -> Iterator[Mailbox]:
        seen.add(group.id)
        for member in group.members:
            if member in seen:
                continue
            mailbox = self._state.mailboxes.get(member)
            if mailbox is not None:
                seen.add(member)
                yield mailbox
            elif (inner := self._group(member)) is not None:
                yield from self._users(inner, seen)

    def _shown(self, mailbox: Mailbox, select: tuple[str, ...] | None) -> Json:
        user = user_json(mailbox)
        return {"@odata.type": "#microsoft.graph.user"} | {
            name: user[name] for name in select or ("id", "displayName", "mail", "userPrincipalName")
        }

    def _group(self, group_id: str) -> Group | None:
        found = self._state.groups.get(group_id)
        return None if found is None else Group(group_id, found["name"], found["members"])

    def _named(self, name: str) -> Group | None:
        folded = name.casefold()
        for group_id, found in self._state.groups.items():
            if found["name"].casefold() == folded:
                return self._group(group_id)
        return None

    def _member(self, group: str, wish: Any) -> str:
        if not isinstance(wish, str):
            raise LoadError(f"group {group}: a member is an address, an object id or a group's name")
        mailbox = self._state.find_mailbox(wish)
        if mailbox is not None:
            return mailbox.oid
        inner = self._named(wish)
        if inner is not None:
            return inner.id
        if wish in self._state.groups:
            return wish
        raise LoadError(f"group {group}: no member {wish!r}")


def _top(text: str | None) -> int:
    if text is None:
        return _DEFAULT_TOP
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_TOP:
        raise bad_request(
            f"Invalid page size specified: '{text}'. Must be between 1 and {_MAX_TOP} inclusive."
        )
    return int(text)
