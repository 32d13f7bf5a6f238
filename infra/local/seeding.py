"""A tenant put into a running system: mailboxes into the simulator, the rest through the API."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from infra.local import identities
from infra.local.api import Api
from infra.local.demonstration import EVERYTHING, DemoArchive, DemoMailbox
from infra.local.errors import LocalError
from infra.local.stack import Stack

#: Requests at a time: the host has the processors of a laptop.
_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to archive: a mailbox of the simulator, the zone of its days and the first date taken.

    The first of the archives is the default one.
    """

    address: str
    display_name: str
    time_zone: str
    archive_from: date
    #: Nightly, or only when asked for.
    nightly: bool = True
    archives: tuple[DemoArchive, ...] = (EVERYTHING,)


async def load_mailboxes(stack: Stack, mailboxes: Iterable[DemoMailbox]) -> set[str]:
    """Load those mailboxes that the simulator does not have; returns their addresses."""
    there = {entry["address"].casefold() for entry in (await stack.simulator("GET", "mailboxes"))["value"]}
    loaded: set[str] = set()
    for mailbox in mailboxes:
        if mailbox.address.casefold() not in there:
            await stack.simulator("POST", "mailboxes", [mailbox.as_load()])
            loaded.add(mailbox.address)
    return loaded


async def register(
    stack: Stack, api: Api, people: list[Person], progress: Callable[[str], None]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Create missing users and archive configurations. Returns all of them by address and archive name.

    The first of each archives, and it is the oldest. Others share its two calendars (domain.md 2.19). Raises
    :class:`LocalError` when the database of ``DATABASE_URL`` has one that this system did not create. It
    belongs to another system, so its archive would be compared with the wrong calendars.
    """
    users = {user["address"].casefold(): user["id"] async for user in api.items("users")}
    configured: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in await _configurations(api):
        configured.setdefault(_calendars(entry), []).append(entry)
    if stack.postgres.external:
        _claim(stack, people, {source for source, _ in configured})
    missing = [person for person in people if any(pair not in configured for pair in _wanted(person))]
    if missing:
        progress(f"registering {len(missing)} {'person' if len(missing) == 1 else 'people'} through the API")
    limit = asyncio.Semaphore(_AT_A_TIME)

    async def one(person: Person) -> None:
        async with limit:
            user_id = users.get(person.address.casefold()) or await _add_user(api, person)
            # In order: the first one made of a person is the default.
            for pair, archive in _wanted(person).items():
                if pair not in configured:
                    wish = _configuration(person, archive, user_id)
                    configured[pair] = [(await api.request("POST", "archive-configurations", wish)).json()]

    async with asyncio.TaskGroup() as group:
        for person in missing:
            group.create_task(one(person))
    everything = [entry for entries in configured.values() for entry in entries]
    return {
        (person.address, archive.name): _sharing(configured[pair], everything)
        for person in people
        for pair, archive in _wanted(person).items()
    }


async def _configurations(api: Api) -> list[dict[str, Any]]:
    """All there are, those that archive first, the oldest before the others."""
    found = [entry async for entry in api.items("archive-configurations")]
    return sorted(found, key=lambda entry: (not entry["active"], entry["created_at"], entry["id"]))


def _sharing(own: list[dict[str, Any]], everything: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of one pair of calendars, and those that name the same calendars otherwise."""
    pairs = {(entry["source_calendar_id"], entry["archive_calendar_id"]) for entry in own}
    others = [
        entry
        for entry in everything
        if entry not in own and (entry["source_calendar_id"], entry["archive_calendar_id"]) in pairs
    ]
    return [*own, *others]


def calendar_reference(address: str) -> str:
    """Reference of a mailbox's primary calendar (domain.md 1)."""
    return f"msgraph://{quote(address, safe='@.')}/calendar"


def archive_reference(address: str, archive: DemoArchive) -> str:
    """Reference of an archive calendar (domain.md 1)."""
    scheme = "local" if archive.store == "local" else "msgraph"
    return f"{scheme}://{quote(address, safe='@.')}/calendars/{quote(archive.calendar)}"


def _wanted(person: Person) -> dict[tuple[str, str], DemoArchive]:
    """The archives of a person by source and archive, as ``_calendars`` gives them."""
    source = calendar_reference(person.address).casefold()
    return {
        (source, archive_reference(person.address, archive).casefold()): archive
        for archive in person.archives
    }


def _calendars(configuration: dict[str, Any]) -> tuple[str, str]:
    return configuration["source"].casefold(), configuration["archive"].casefold()


def _claim(stack: Stack, people: list[Person], configured: Collection[str]) -> None:
    register_file = stack.state_dir / "registered.json"
    try:
        own = set(json.loads(register_file.read_text()))
    except (FileNotFoundError, ValueError):
        own = set()
    for person in people:
        if person.address not in own and calendar_reference(person.address).casefold() in configured:
            raise LocalError(
                f"the database knows {person.address} from another system; "
                "use an empty one or the --state it belongs to"
            )
    # Before anything is registered, so that an interrupted start recognises its own.
    register_file.write_text(json.dumps(sorted(own | {person.address for person in people})))


async def _add_user(api: Api, person: Person) -> str:
    wish = {
        "object_id": identities.object_id(person.address),
        "address": person.address,
        "display_name": person.display_name,
    }
    created = await api.request("POST", "users", wish)
    return str(created.json()["id"])


def _configuration(person: Person, archive: DemoArchive, user_id: str) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": archive.name,
        "source": calendar_reference(person.address),
        "archive": archive_reference(person.address, archive),
        "create_archive_calendar": True,
        "time_zone": person.time_zone,
        "purpose": archive.purpose,
        "overlap_policy": archive.overlap_policy,
        "archive_from": person.archive_from.isoformat(),
        "is_default": archive is person.archives[0],
        "schedule": {"kind": "daily", "at": "02:00"} if person.nightly else {"kind": "manual"},
    }
