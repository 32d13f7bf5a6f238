"""Normal forms of any text take time in proportion to its length: no run of marks is long."""

import ast
import unicodedata
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.categories.category import customer_key
from shared.domain.categories.suggestions import Relation, trait_key
from shared.domain.normal_form import LONGEST_RUN, normal_form
from shared.domain.planning.travel import is_travel

ROOT = Path(__file__).parents[3]
#: Marks of two classes in the order that sorting must reverse, some of which compose with a letter.
MARKS = "\u0301\u0323\u0344\u0345\u093c"
TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(f"aeé{MARKS}")), max_size=200
)


def longest_run(text: str) -> int:
    runs = groupby(unicodedata.normalize("NFD", text), key=lambda each: unicodedata.combining(each) > 0)
    return max((len(list(run)) for marks, run in runs if marks), default=0)


@given(TEXT)
@example("a" + "\u0301\u0323" * 15)
def test_a_text_with_short_runs_is_in_the_normal_form_of_the_standard(text: str) -> None:
    if longest_run(text) <= LONGEST_RUN:
        for form in ("NFC", "NFD"):
            assert normal_form(form, text) == unicodedata.normalize(form, text)


@given(st.text(st.sampled_from(f"a{MARKS}"), max_size=300))
def test_no_run_is_long(text: str) -> None:
    for form in ("NFC", "NFD"):
        # U+0344 is one mark that becomes two.
        assert longest_run(normal_form(form, text)) <= 2 * LONGEST_RUN
        assert normal_form(form, text).replace("\u034f", "") or not text


@pytest.mark.parametrize("relation", [Relation.SUBJECT, Relation.LOCATION, Relation.DOMAIN])
def test_keys_of_a_text_of_marks_have_no_long_run(relation: Relation) -> None:
    text = "a" + "\u0301\u0323" * 20_000
    assert longest_run(customer_key(text)) <= 2 * LONGEST_RUN
    assert longest_run(trait_key(relation, text)) <= 2 * LONGEST_RUN
    assert not is_travel(text, [text])


def test_nothing_else_in_the_product_normalises() -> None:
    callers = {
        path.name
        for path in (ROOT / "shared").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "normalize"
    }
    assert callers == {"normal_form.py"}
