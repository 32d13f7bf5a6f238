"""Events and copies compared field by field, from Graph's JSON alone."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.simulation.rules import Told, day_start, valid_categories
from tests.simulation.source_keys import Json, key_of

_STRICT = {"normal": 0, "personal": 1, "private": 2, "confidential": 3}
_TAGS = re.compile(r"<[^>]*>")


def is_recorded(version: Json, record: Mapping[str, Any]) -> bool:
    """Whether our record was made of this version, as far as times go.

    An occurrence may have kept the times that its event had before it became a series.
    """
    times = tuple(record[name] for name in ("source_start_at", "source_end_at"))
    became = (version["type"], record["source_type"]) == ("singleInstance", "occurrence")
    if None in times or not (became or record["source_type"] == version["type"]):
        return False
    said = tuple(f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in times)
    found = tuple(version[name]["dateTime"][:19] for name in ("start", "end"))
    zone = version["originalStartTimeZone"] == record["start_zone"]
    # An exception may have several versions. Their texts and states show which one was archived.
    told = (version["subject"], version["location"]["displayName"], version["isCancelled"], declines(version))
    names = ("subject", "location", "is_cancelled", "is_declined")
    alike = version["type"] != "exception" or told == tuple(record[name] for name in names)
    return said == found and zone and alike and version["showAs"] == record["source_show_as"]


def recorded_version(versions: Sequence[Json], record: Mapping[str, Any]) -> Json | None:
    """The version that our record was made of: the one that it says most of, the latest of several.

    A series may change an exception more than once before anybody reads it. The copy says none of that.
    """
    fit = [version for version in reversed(versions) if is_recorded(version, record)]
    return max(fit, key=lambda version: _agreement(version, record), default=None)


def _agreement(version: Json, record: Mapping[str, Any]) -> int:
    """How much of a version a record says. The owner may have edited the copy, so it need not say all."""
    categories = sorted(version["categories"]) == sorted(record["categories"])
    return sum(
        (
            2 * categories,
            # A valid category follows later where the version had none.
            not valid_categories(version),
            version["importance"] == record["importance"],
            _words(version["body"]["content"]) == _words(record["body"]),
        )
    )


def declines(item: Json) -> bool:
    """Whether the owner declined the event."""
    return (item.get("responseStatus") or {}).get("response") == "declined"


def as_archived(item: Json, then: Json) -> Json:
    """A plain occurrence whose copy had ended when it was archived as it was ``then`` (domain.md 2.17)."""
    if then["type"] == "exception":
        categories = item if not valid_categories(then) and valid_categories(item) else then
        stricter = _STRICT[item["sensitivity"]] > _STRICT[then["sensitivity"]]
        return then | {
            "categories": categories["categories"],
            "sensitivity": (item if stricter else then)["sensitivity"],
        }
    kept = ("start", "end", "isAllDay", "showAs", "originalStartTimeZone", "originalEndTimeZone")
    return item | {name: then[name] for name in kept}


def times_told(event: Told) -> tuple[str, str]:
    """Start and end as Graph writes them: changed by modifications, else as the source says."""
    if event.applied:
        return f"{event.start:%Y-%m-%dT%H:%M:%S}", f"{event.end:%Y-%m-%dT%H:%M:%S}"
    return event.item["start"]["dateTime"][:19], event.item["end"]["dateTime"][:19]


def archive_key(configuration_id: UUID, key: str) -> str:
    """What domain.md 2.6 says of ArchiveKey."""
    return hashlib.sha256(f"{configuration_id}|{key}".encode()).hexdigest()


def owning_start(item: Json, zone: ZoneInfo) -> datetime:
    """The instant that decides to which window an event belongs (domain.md 2.2)."""
    start = datetime.fromisoformat(item["start"]["dateTime"])
    return day_start(start, zone) if item["isAllDay"] else start.replace(tzinfo=UTC)


def content(item: Json) -> Json:
    """What source and copy must agree on."""
    return {
        "subject": item["subject"][:255].strip(),
        "body": _words(item["body"]["content"]),
        "start": item["start"]["dateTime"][:19],
        "end": item["end"]["dateTime"][:19],
        "isAllDay": item["isAllDay"],
        "location": (item["location"] or {}).get("displayName") or "",
        "categories": sorted(item["categories"]),
        "showAs": "busy" if item["showAs"] == "unknown" else item["showAs"],
        "importance": item["importance"],
        "sensitivity": item["sensitivity"],
        "zone": item["originalStartTimeZone"],
    }


def _words(body: str) -> str:
    return "".join(_TAGS.sub("", body).split())


def sameness(item: Json) -> tuple[Any, ...]:
    """Equal for duplicates (domain.md 2.9)."""
    organizer = (item.get("organizer") or {}).get("emailAddress", {}).get("address", "").casefold()
    return (
        item["subject"],
        item["start"]["dateTime"],
        item["end"]["dateTime"],
        item["isAllDay"],
        item["isCancelled"],
        declines(item),
        item["showAs"] == "free",
        organizer,
        tuple(
            sorted(category.casefold() for category in item["entered" if "entered" in item else "categories"])
        ),
        item["body"]["contentType"],
        item["body"]["content"].replace("\r\n", "\n"),
    )


def name(item: Json) -> str:
    """How a problem names an event."""
    return f"{item['subject']!r} at {item['start']['dateTime'][:16]} ({key_of(item)[-24:]})"
