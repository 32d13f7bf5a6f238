"""How local calendars and events are named among Graph's."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.calendars.local_calendar import etag, is_local, local_id, local_row, name_key, version_of

ROW = UUID("6f1e5c0e-1111-4111-8111-111111111111")


@given(st.uuids())
def test_an_id_leads_back_to_its_row(row_id: UUID) -> None:
    assert is_local(local_id(row_id))
    assert local_row(local_id(row_id)) == row_id


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=", max_size=160))
def test_no_id_of_graphs_is_a_local_one(text: str) -> None:
    assert not is_local(text)
    assert local_row(text) is None


@pytest.mark.parametrize(
    "text", ["local:", "local:x", f"local:{{{ROW}}}", f"local:{ROW}".upper(), f"local:{ROW} "]
)
def test_one_row_has_one_id(text: str) -> None:
    assert local_row(text) is None


@given(st.integers(min_value=0, max_value=999_999_999))
def test_a_version_leads_to_its_tag_and_back(version: int) -> None:
    assert version_of(etag(version)) == version


@pytest.mark.parametrize("tag", ["", "*", '"1"', 'W/"DwAAABYAAA=="', 'W/"-1"', 'W/"1234567890"'])
def test_a_tag_of_graphs_is_no_version(tag: str) -> None:
    assert version_of(tag) is None


def test_names_are_the_same_in_whatever_letter_case_and_composition() -> None:
    assert name_key(" Café ") == name_key("CAFE\u0301")
    assert name_key("Straße") == name_key("STRASSE")
    assert name_key("A") != name_key("B")
