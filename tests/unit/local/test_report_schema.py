"""The schema of ``--json`` that stands in ``docs/`` is that of the API's own models."""

from tests.support.report_schema import PATH, text


def test_the_schema_in_the_docs_is_current() -> None:
    """``python -m tests.support.report_schema`` writes it again."""
    assert PATH.read_text(encoding="utf-8") == text()
