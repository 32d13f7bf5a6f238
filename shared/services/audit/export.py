"""Exports the audit as a file: CSV for spreadsheets, JSON Lines for programs (domain.md 7.4)."""

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from shared.schemas.audit import AuditEntryResource

COLUMNS: Final = (
    *("id", "occurred_at", "actor", "user_id", "action", "resource_type", "resource_id"),
    *(
        "appointment_id",
        "outcome",
        "correlation_id",
        "parent_correlation_id",
        "source_ip",
        "changes",
        "details",
    ),
)
#: A file of this size (bytes) gets no further page.
MOST_BYTES = 32 * 1024 * 1024
#: Spreadsheets treat a cell that begins with one of these as a formula. Some read full-width forms too.
_FORMULA = frozenset("=+-@|%＝＋－＠")
_WHITE = tuple("\t\r\n")
#: Categories of characters that spreadsheets skip at the start: control, format (U+200B, U+FEFF, U+202E) and
#: white space.
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A complete file."""

    content: bytes
    media_type: str
    name: str


class ExportWriter:
    """Collects rows as the bytes of a file."""

    def __init__(self, form: Literal["csv", "jsonl"]) -> None:
        self._form = form
        self._content = bytearray(csv_line(COLUMNS) if form == "csv" else b"")

    @property
    def full(self) -> bool:
        """True if the file is large enough."""
        return len(self._content) >= MOST_BYTES

    def write(self, rows: Iterable[AuditEntryResource]) -> None:
        """Append rows, one line each (in CSV one record)."""
        for row in rows:
            fields = row.model_dump(mode="json")
            if self._form == "csv":
                self._content += csv_line([safe_cell(_text(fields[column])) for column in COLUMNS])
            else:
                self._content += orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)

    def file(self) -> ExportFile:
        """What was written."""
        if self._form == "csv":
            media_type = "text/csv; charset=utf-8; header=present"
        else:
            media_type = "application/jsonl; charset=utf-8"
        return ExportFile(content=bytes(self._content), media_type=media_type, name=f"audit.{self._form}")


def safe_cell(text: str) -> str:
    """The text for a CSV cell, with an apostrophe before anything that a spreadsheet would run as a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    first = next((each for each in text if unicodedata.category(each) not in _INVISIBLE), "")
    dangerous = text.startswith(_WHITE) or first in _FORMULA
    return f"'{text}" if dangerous else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def csv_line(cells: Iterable[str]) -> bytes:
    """One record of a CSV file. Each cell must be a ``safe_cell``."""
    # RFC 4180: lines end with CRLF, quotes are doubled.
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
