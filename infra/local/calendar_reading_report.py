"""What became of every event of a calendar file: loaded or not, and why; for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

#: Lines of each list in the text; the JSON holds all.
_SHOWN = 12
_MEMBERS = (
    "entries",
    "outside_range",
    "unrepresentable",
    "older_versions",
    "left_to_another",
    "notes",
    "assumed_zones",
    "remarks",
    "owner",
)


def as_json(loaded: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All of it; ``events`` are those of the archived windows."""
    told = {name: loaded[name] for name in _MEMBERS}
    return told | {
        "declined": [
            {"subject": event["subject"], "start": event["start"], "end": event["end"]}
            for event in _declined(events)
        ]
    }


def as_lines(loaded: Mapping[str, Any], events: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> list[str]:
    """Sentences, lists cut where they become long; nothing that did not happen is mentioned."""
    lines = [_entries(loaded["entries"])]
    outside = loaded["outside_range"]
    if outside["count"]:
        lines.append(_outside(outside))
    lines += [
        f"Unknown time zone {each['name']!r}: read as {each['read_as']}"
        + (f" ({each['times']} times)." if each["times"] > 1 else ".")
        for each in loaded["assumed_zones"][:_SHOWN]
    ]
    lines += [f"{_sentence(remark)}." for remark in loaded["remarks"][:_SHOWN]]
    lines += _declined_lines(list(_declined(events)), loaded["owner"]["address"], zone)
    lines += _list("Not loaded:", loaded["unrepresentable"])
    lines += _list("Not loaded, older versions:", loaded["older_versions"])
    lines += _list("Not loaded, left to another:", loaded["left_to_another"])
    notable = [note for note in loaded["notes"] if not note["technical"]]
    return lines + _list("Read otherwise than written:", notable)


def why_empty(loaded: Mapping[str, Any]) -> str:
    """Why a file gives no event, as one message: what stands in the way, each on its line."""
    first, after = loaded["range"]["from"], loaded["range"]["to"]
    lines = [f"it holds no event that could be taken from {first} until before {after}"]
    if loaded["outside_range"]["count"]:
        lines.append(_outside(loaded["outside_range"]))
    elif not loaded["entries"]["total"]:
        lines.append("There is no VEVENT in it.")
    lines += _list("Not loaded:", loaded["unrepresentable"])
    lines += _list("Not loaded, left to another:", loaded["left_to_another"])
    return "\n  ".join(lines)


def _sentence(remark: str) -> str:
    """With a capital letter, unless it begins with the name of a file."""
    return remark if "." in remark.partition(" ")[0] else f"{remark[:1].upper()}{remark[1:]}"


def _entries(entries: Mapping[str, int]) -> str:
    total = entries["total"]
    noun = "entry" if total == 1 else "entries"
    if entries["loaded"] == total:
        return f"{total} {noun} in the file, all loaded."
    told = {
        "outside_range": "outside the range",
        "unrepresentable": "not representable",
        "older_version": "older versions of others",
        "left_to_another": "left to another",
    }
    rest = ", ".join(f"{entries[name]} {words}" for name, words in told.items() if entries[name])
    return f"{total} {noun} in the file: {entries['loaded']} loaded, {rest}."


def _outside(outside: Mapping[str, Any]) -> str:
    parts = [
        f"{part['count']} {words} ({_days(part)})"
        for part, words in ((outside["before"], "before it"), (outside["after"], "after it"))
        if part
    ]
    return f"Outside the range: {', '.join(parts)}. Choose other days with --from and --to."


def _days(part: Mapping[str, Any]) -> str:
    first, last = part["first"], part["last"]
    return str(first) if first == last else f"{first} to {last}"


def _declined(events: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (event for event in events if event.get("responseStatus", {}).get("response") == "declined")


def _declined_lines(declined: Sequence[Mapping[str, Any]], owner: str | None, zone: ZoneInfo) -> list[str]:
    if not declined:
        return []
    who = f"by {owner}" if owner else "by its owner"
    noun = "event" if len(declined) == 1 else "events"
    lines = [f"Declined {who}, so no time: {len(declined)} {noun}:"]
    lines += [f"  {_start(event, zone)}  {event['subject'] or '(no subject)'}" for event in declined[:_SHOWN]]
    return lines + _more(declined)


def _start(event: Mapping[str, Any], zone: ZoneInfo) -> str:
    start = datetime.fromisoformat(f"{event['start']['dateTime'][:19]}+00:00")
    return f"{start:%Y-%m-%d}" if event.get("isAllDay") else f"{start.astimezone(zone):%Y-%m-%d %H:%M}"


def _list(title: str, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    if not entries:
        return []
    return [title, *(_entry(each) for each in entries[:_SHOWN]), *_more(entries)]


def _entry(entry: Mapping[str, Any]) -> str:
    where = f"{entry['file']}, line {entry['line']}" if entry["file"] else f"line {entry['line']}"
    when = entry["start"] or "no start"
    return f"  {when}  {entry['summary'] or '(no summary)'}: {entry['reason']} ({where})"


def _more(entries: Sequence[object]) -> list[str]:
    return [f"  and {len(entries) - _SHOWN} more"] if len(entries) > _SHOWN else []
