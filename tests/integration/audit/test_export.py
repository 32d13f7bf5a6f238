"""The audit as a file: complete, in parts if it is long, and harmless in a spreadsheet (domain.md 7.4)."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.schemas.audit import AuditEntryResource, FieldChange
from shared.services.audit import export as audit_export
from shared.services.audit import trail as audit_trail
from shared.services.audit.export import COLUMNS, safe_cell
from tests.integration.api.caller import Caller as Client
from tests.integration.api.caller import problem
from tests.integration.api.conftest import People
from tests.integration.audit.conftest import Audit

CHANGES = {"after": {"subject": 'Über "Müller", GmbH\nline', "sensitivity": "normal", "n": 1}}


async def test_json_lines_hold_what_the_search_shows(api: Client, people: People, audit: Audit) -> None:
    await audit.write(people.ada.id, CHANGES, rows=3)
    answer = await api("GET", "v1/audit/export", token=people.auditor)
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    assert "x-next-cursor" not in answer.headers
    searched = (await api("GET", "v1/audit", token=people.auditor)).json["items"]
    assert [json.loads(line) for line in answer.body.decode().splitlines()] == searched
    assert len(searched) == 5


async def test_csv_holds_the_same(api: Client, people: People, audit: Audit) -> None:
    await audit.write(people.ada.id, CHANGES, rows=2)
    answer = await api("GET", "v1/audit/export", token=people.auditor, format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    header, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
    assert tuple(header) == COLUMNS
    searched = (await api("GET", "v1/audit", token=people.auditor)).json["items"]
    assert len(rows) == len(searched) == 4
    for row, item in zip(rows, searched, strict=True):
        fields = dict(zip(header, row, strict=True))
        for name in ("changes", "details"):
            assert json.loads(fields.pop(name)) == item.pop(name)
        assert fields == {name: "" if value is None else value for name, value in item.items()}


async def test_the_filters_of_the_search_apply(api: Client, people: People, audit: Audit) -> None:
    await audit.write(people.ada.id, action="user.updated")
    query: dict[str, Any] = {"action": "user.updated", "user_id": people.ada.id}
    lines = (await api("GET", "v1/audit/export", token=people.admin, **query)).body.splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["user.updated"]
    own = (await api("GET", "v1/audit/export", token=people.bob.token)).body.splitlines()
    assert [json.loads(line)["user_id"] for line in own] == [str(people.bob.id)]
    problem(await api("GET", "v1/audit/export", token=people.bob.token, user_id=people.ada.id), 404)
    refused = await api("GET", "v1/audit/export", token=people.admin, format="xlsx")
    problem(refused, 422)
    assert refused.fields == ["format"]


@pytest.mark.parametrize("rows", [3, 4, 50])
async def test_a_long_export_continues_where_it_ended(
    api: Client, people: People, audit: Audit, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(audit_trail, "EXPORT_PAGE_ROWS", 2)
    await audit.write(rows=9)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(11):
        answer = await api("GET", "v1/audit/export", token=people.auditor, rows=rows, **cursor)
        lines = answer.body.splitlines()
        assert len(lines) <= rows
        seen += [json.loads(line)["id"] for line in lines]
        if "x-next-cursor" not in answer.headers:
            break
        cursor = {"cursor": answer.headers["x-next-cursor"]}
    searched = (await api("GET", "v1/audit", token=people.auditor)).json["items"]
    assert seen == [item["id"] for item in searched]


async def test_a_file_ends_when_it_is_large_enough(
    api: Client, people: People, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "EXPORT_PAGE_ROWS", 2)
    monkeypatch.setattr(audit_export, "MOST_BYTES", 500)
    await audit.write(rows=9)
    answer = await api("GET", "v1/audit/export", token=people.auditor)
    assert len(answer.body.splitlines()) == 2
    cursor = answer.headers["x-next-cursor"]
    assert answer.headers["link"] == f'</api/v1/audit/export?cursor={quote(cursor)}>; rel="next"'
    narrowed = await api("GET", "v1/audit/export", token=people.auditor, window_start="2020-01-01T00:00:00Z")
    assert "window_start=2020-01-01T00%3A00%3A00Z&cursor=" in narrowed.headers["link"]


async def test_an_empty_export_is_an_empty_file(api: Client, people: People) -> None:
    query: dict[str, Any] = {"action": "user.erased"}
    assert (await api("GET", "v1/audit/export", token=people.admin, **query)).body == b""
    answer = await api("GET", "v1/audit/export", token=people.admin, format="csv", **query)
    assert answer.body.decode() == ",".join(COLUMNS) + "\r\n"


@pytest.mark.parametrize(
    "formula",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "|calc", "%0A=1"),
        *("\u200b=1", "\ufeff+1", "\u202e-1", "\ufeff \u200b\u202e@A", "\u2028=1"),
    ],
)
async def test_no_cell_is_a_formula(api: Client, people: People, audit: Audit, formula: str) -> None:
    assert safe_cell(formula) == f"'{formula}"
    await audit.write(resource_id=formula, action="user.updated")
    answer = await api("GET", "v1/audit/export", token=people.auditor, format="csv", action="user.updated")
    _, row = csv.reader(io.StringIO(answer.body.decode(), newline=""))
    assert row[COLUMNS.index("resource_id")] == f"'{formula}"


def test_a_nul_hides_no_formula() -> None:
    # PostgreSQL stores no NUL, so none comes out of the audit; other files are made of other texts.
    assert safe_cell("\0=1") == "'\0=1"


@pytest.mark.parametrize("text", ["", "a=1", "user:1", "{}", "1", "  ", "ü", "\u200b", "\ufeffa=1"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
@example(['"\r\n"', "\x85\u2028", "a\rb", ",;\t"])
def test_whatever_a_text_holds_it_stays_in_its_row(texts: list[str]) -> None:
    rows = [
        AuditEntryResource(
            id=UUID(int=number),
            occurred_at=datetime(2026, 3, 2, tzinfo=UTC),
            actor=text,
            user_id=None,
            action="user.updated",
            resource_type="calendar",
            resource_id=text,
            outcome="success",
            correlation_id="c",
            parent_correlation_id=None,
            source_ip=None,
            appointment_id=None,
            changes=[FieldChange(field="name", before=None, after=text)],
            details={},
        )
        for number, text in enumerate(texts)
    ]
    files = {}
    for form in ("csv", "jsonl"):
        writer = audit_export.ExportWriter(form)
        writer.write(rows)
        files[form] = writer.file().content.decode()
    _, *cells = csv.reader(io.StringIO(files["csv"], newline=""))
    assert [row[COLUMNS.index("resource_id")] for row in cells] == [safe_cell(text) for text in texts]
    assert {len(row) for row in cells} == {len(COLUMNS)}
    lines = files["jsonl"].split("\n")
    assert lines.pop() == ""
    assert [json.loads(each)["changes"][0]["after"] for each in lines] == texts
