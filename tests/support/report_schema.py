"""The JSON schema of ``./dev run --json``, out of the API's models; run as a module it writes the file."""

import json
from pathlib import Path
from typing import Any

from shared.schemas.category_reports import StatisticsResource
from shared.schemas.months import MonthResource

PATH = Path(__file__).parents[2] / "docs" / "run-report.schema.json"
_COUNTS = (
    *("source", "archived", "unchanged", "updated", "merged", "consumed", "left_out", "flagged", "locked"),
    *("conflict", "failed", "missing", "doubled", "graph_requests", "round_trips", "seconds"),
)
_NUMBER = {"type": "number", "minimum": 0}
_INTEGER = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_ENTRY_LISTS = ("unrepresentable", "older_versions", "left_to_another", "notes")


def report_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    definitions: dict[str, Any] = {}
    for name, model in (("month", MonthResource), ("hours", StatisticsResource)):
        schema = model.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {}) | {name: schema}
    definitions["entry"] = _object(
        {
            "summary": _TEXT,
            "start": {"type": ["string", "null"]},
            "reason": _TEXT,
            "line": _INTEGER,
            "file": _TEXT,
        },
        whole=False,
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The report of ./dev run --json",
        **_object(
            {
                "mailboxes": {
                    "type": "object",
                    "additionalProperties": _object(dict.fromkeys(_COUNTS, _NUMBER)),
                },
                "configurations": {"type": "array", "items": _configuration()},
                "needs": {
                    "type": "object",
                    "additionalProperties": _object(
                        {"name": _TEXT, "overlaps": _INTEGER, "questions": _INTEGER, "trouble": _INTEGER}
                    ),
                },
                "another_mailbox": {"type": "object"},
                "calendars": {"type": "array", "items": _calendar()},
            },
            required=["mailboxes", "configurations", "needs"],
        ),
        "$defs": definitions,
    }


def _configuration() -> dict[str, Any]:
    event = _object({"subject": _TEXT, "start": _TEXT, "end": _TEXT, "copies": _INTEGER})
    return _object(
        {
            **dict.fromkeys(("mailbox", "name", "purpose", "overlap_policy", "archive"), _TEXT),
            **dict.fromkeys(_COUNTS, _NUMBER),
            "missing_events": {"type": "array", "items": event},
            "doubled_events": {"type": "array", "items": event},
        },
        whole=False,
    )


def _calendar() -> dict[str, Any]:
    week = _object({"monday": _TEXT, "events": _INTEGER, "hours": _NUMBER, "net_hours": _NUMBER})
    return _object(
        {
            **dict.fromkeys(("file", "mailbox", "zone", "from", "to", "month"), _TEXT),
            "events": _INTEGER,
            "series": _INTEGER,
            "weeks": {"type": "array", "items": week},
            "hours": {"anyOf": [{"$ref": "#/$defs/hours"}, {"type": "null"}]},
            "months": {"type": "array", "items": {"$ref": "#/$defs/month"}},
            "entries": {"type": "object", "additionalProperties": _INTEGER},
            "outside_range": {"type": "object"},
            **{name: {"type": "array", "items": {"$ref": "#/$defs/entry"}} for name in _ENTRY_LISTS},
        },
        whole=False,
    )


def _object(
    properties: dict[str, Any], *, whole: bool = True, required: list[str] | None = None
) -> dict[str, Any]:
    """An object of these members, all of them needed; ``whole``: and of no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        **({"additionalProperties": False} if whole else {}),
    }


def text() -> str:
    """As it stands in ``docs/``."""
    return json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
