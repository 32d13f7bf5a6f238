"""Checks the names of given categories, and says what is wrong with them (domain.md 3.1, 3.4)."""

from typing import Final

from shared.domain.categories.category import (
    Category,
    CategoryIssue,
    IssueKind,
    Special,
    customer_key,
    parse_category,
)
from shared.errors import FieldError, ValidationFailed

_MESSAGES: Final = {
    IssueKind.MISSING_SEPARATOR: "must be <customer> - <billing type>: a hyphen between spaces is missing",
    IssueKind.EMPTY_CUSTOMER: "must name a customer",
    IssueKind.UNKNOWN_BILLING_TYPE: "must end in billable or non-billable",
}


def checked_category(field: str, text: str) -> str:
    """A category that makes an event valid, as typed. Raises ValidationFailed with the kind of issue."""
    found = parse_category(text)
    if isinstance(found, Category):
        return text.strip()
    if found is Special.ONLINE:
        message = "Online only says how people met: name a customer and billing type"
        raise ValidationFailed([FieldError(field, message, "modifier_only")])
    raise _invalid(field, found)


def checked_name(field: str, text: str) -> str:
    """The name of a category to keep: a valid one or Online. Raises ValidationFailed."""
    found = parse_category(text)
    if isinstance(found, CategoryIssue):
        raise _invalid(field, found)
    return text.strip()


def name_key(name: str) -> str:
    """The key for comparing and sorting category names. Outlook ignores case."""
    return " ".join(customer_key(name).split())


def _invalid(field: str, issue: CategoryIssue | Special) -> ValidationFailed:
    kind = issue.kind if isinstance(issue, CategoryIssue) else IssueKind.MISSING_SEPARATOR
    return ValidationFailed([FieldError(field, _MESSAGES[kind], kind.value)])
