"""What a category means and what an event's categories make of it (domain.md 3)."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.categories.category import (
    BillingType,
    Category,
    CategoryIssue,
    CategoryState,
    IssueKind,
    Special,
    classify,
    customer_key,
    parse_category,
)

CUSTOMERS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip(" -–—\u00a0\t") and text == text.strip() and "\t" not in text
)


@pytest.mark.parametrize(
    ("text", "customer", "billing_type"),
    [
        ("Acme - billable", "Acme", "billable"),
        ("Acme - non-billable", "Acme", "non-billable"),
        ("ACME - Billable", "ACME", "billable"),
        ("  Acme  -  NON-BILLABLE ", "Acme", "non-billable"),
        ("Billable - Acme", "Acme", "billable"),
        ("Non-billable - Acme", "Acme", "non-billable"),
        ("Smith - Jones LLP - billable", "Smith - Jones LLP", "billable"),
        ("Billable - Smith - Jones LLP", "Smith - Jones LLP", "billable"),
        ("Acme – billable", "Acme", "billable"),
        ("Acme — non–billable", "Acme", "non-billable"),
        ("Smith – Jones - billable", "Smith – Jones", "billable"),
        ("Acme\u00a0- billable", "Acme", "billable"),
        ("Acme-West - billable", "Acme-West", "billable"),
        ("billable - billable", "billable", "billable"),
    ],
)
def test_a_category_names_customer_and_billing_type(text: str, customer: str, billing_type: str) -> None:
    assert parse_category(text) == Category(customer, BillingType(billing_type), customer_key(customer))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Acme", IssueKind.MISSING_SEPARATOR),
        ("Acme-billable", IssueKind.MISSING_SEPARATOR),
        ("billable", IssueKind.MISSING_SEPARATOR),
        (" - billable", IssueKind.EMPTY_CUSTOMER),
        ("- billable", IssueKind.EMPTY_CUSTOMER),
        ("Billable -", IssueKind.EMPTY_CUSTOMER),
        ("- - non-billable", IssueKind.EMPTY_CUSTOMER),
        ("Acme - paid", IssueKind.UNKNOWN_BILLING_TYPE),
        ("Acme - nonbillable", IssueKind.UNKNOWN_BILLING_TYPE),
        ("Acme -", IssueKind.UNKNOWN_BILLING_TYPE),
        ("-", IssueKind.UNKNOWN_BILLING_TYPE),
    ],
)
def test_what_is_wrong_with_a_category_is_told_with_its_text(text: str, kind: IssueKind) -> None:
    assert parse_category(text) == CategoryIssue(kind, text)


@settings(deadline=None, max_examples=60)
@given(customer=CUSTOMERS, billing_type=st.sampled_from(BillingType), dash=st.sampled_from("-–—"))
def test_any_customer_name_comes_back_as_typed(customer: str, billing_type: BillingType, dash: str) -> None:
    parsed = parse_category(f"{customer} {dash} {billing_type.upper()}")
    assert isinstance(parsed, Category)
    assert (parsed.customer, parsed.billing_type) == (customer, billing_type)


def test_the_same_customer_in_another_spelling_is_one_customer() -> None:
    composed, decomposed = "Café - billable", unicodedata.normalize("NFD", " CAFÉ - Billable")
    status = classify([composed, decomposed, "billable - café"])
    assert (status.state, len(status.valid)) == (CategoryState.VALID, 1)
    assert customer_key("STRASSE") == customer_key("straße")


@pytest.mark.parametrize("text", ["Admin - non-billable", "BREAK - non-billable"])
def test_admin_and_break_are_special(text: str) -> None:
    status = classify([text])
    assert status.state is CategoryState.VALID
    assert status.special in (Special.ADMIN, Special.BREAK)
    assert classify(["Admin - billable"]).special is None


def test_online_alone_is_personal_and_beside_others_changes_nothing() -> None:
    assert parse_category(" online ") is Special.ONLINE
    alone = classify(["Online"])
    assert (alone.state, alone.online) == (CategoryState.PERSONAL, True)
    beside = classify(["Online", "Acme - billable"])
    assert (beside.state, beside.online, beside.category) == (
        CategoryState.VALID,
        True,
        classify(["Acme - billable"]).category,
    )
    assert classify(["Online", "Red"]).state is CategoryState.INVALID


def test_no_category_is_personal_and_no_issue_to_attend_to() -> None:
    status = classify([])
    assert status.state is CategoryState.PERSONAL
    assert [issue.kind for issue in status.issues] == [IssueKind.NONE]
    assert not status.needs_attention


def test_only_invalid_categories_make_an_event_invalid_each_with_its_issue() -> None:
    status = classify(["Red", "Acme - paid"])
    assert status.state is CategoryState.INVALID
    assert [issue.text for issue in status.issues] == ["Red", "Acme - paid"]
    assert status.needs_attention
    beside = classify(["Red", "Acme - billable"])
    assert (beside.state, beside.issues) == (CategoryState.VALID, ())


@pytest.mark.parametrize("other", ["Beta - billable", "Acme - non-billable", "Break - non-billable"])
def test_two_different_valid_categories_are_ambiguous_and_neither_counts(other: str) -> None:
    status = classify(["Red", "Acme - billable", other])
    assert status.state is CategoryState.AMBIGUOUS
    assert (status.category, status.special) == (None, None)
    assert [category.text for category in status.valid] == ["Acme - billable", other]
    assert status.issues == (CategoryIssue(IssueKind.AMBIGUOUS, f"Acme - billable; {other}"),)


@settings(deadline=None, max_examples=60)
@given(categories=st.lists(st.text(max_size=20), max_size=4))
def test_any_text_is_classified(categories: list[str]) -> None:
    status = classify(categories)
    assert (status.category is None) == (status.state is not CategoryState.VALID)
    assert bool(status.issues) == (status.state is not CategoryState.VALID)
