"""Explains what is wrong with a category, and how to write it (domain.md 3.1, 3.4)."""

import difflib
from dataclasses import dataclass
from typing import Final

from shared.domain.categories.category import BillingType, Category, CategoryIssue, IssueKind, parse_category

_HYPHENS: Final = "-–—"
#: The longer one comes first, because the other is its ending.
_BILLING_TYPES: Final = (str(BillingType.NON_BILLABLE), str(BillingType.BILLABLE))
#: From this similarity on, a word counts as a misspelt billing type.
_LIKENESS: Final = 0.75
#: A longer text is never a misspelt billing type.
_LONGEST_WORD: Final = 30


@dataclass(frozen=True, slots=True)
class IssueWords:
    """The reason, and the category that was probably meant."""

    reason: str
    mended: str | None = None


def issue_words(issue: CategoryIssue) -> IssueWords:
    """Why the category is not valid. ``mended`` is None if the intended category is unclear."""
    match issue.kind:
        case IssueKind.NONE:
            return IssueWords("it has no category")
        case IssueKind.AMBIGUOUS:
            return IssueWords("its categories name more than one customer or billing type")
        case IssueKind.EMPTY_CUSTOMER:
            return IssueWords("the customer is missing")
        case IssueKind.UNKNOWN_BILLING_TYPE:
            return _of_unknown_type(issue.text)
        case IssueKind.MISSING_SEPARATOR:
            return _of_missing_separator(issue.text)


def _of_unknown_type(text: str) -> IssueWords:
    customer, _, typed = _plain(text).rpartition(" - ")
    typed = typed.strip()
    meant = _meant(typed)
    if meant is None:
        return IssueWords(f"“{typed}” is no billing type: that is billable or non-billable")
    # One character of the plain text corresponds to one character of the typed text.
    return IssueWords(f"“{typed}” is misspelt", _valid(text[: len(customer)].strip(), meant))


def _of_missing_separator(text: str) -> IssueWords:
    trimmed = text.strip()
    folded = _plain(trimmed).casefold()
    for billing_type in _BILLING_TYPES:
        # Case folding can change a text's length. Such a text has no billing type to cut off.
        if len(folded) != len(trimmed):
            break
        if folded.endswith(billing_type):
            return _before_type(trimmed[: -len(billing_type)], billing_type)
        if folded.startswith(billing_type):
            return _after_type(trimmed[len(billing_type) :], billing_type)
    return IssueWords("it names no billing type: add “ - billable” or “ - non-billable”")


def _before_type(rest: str, billing_type: str) -> IssueWords:
    """``rest`` is the text before the billing type, including the hyphen if there is one."""
    head = rest.rstrip()
    if not head.strip(_HYPHENS + " "):
        return IssueWords("the customer is missing")
    if head[-1] not in _HYPHENS:
        customer = head.rstrip(" :,;/_|")
        return IssueWords("the hyphen before the billing type is missing", _valid(customer, billing_type))
    customer = head[:-1]
    spaced = customer != customer.rstrip(), rest != head
    return IssueWords(_missing_spaces(*spaced), _valid(customer.strip(), billing_type))


def _after_type(rest: str, billing_type: str) -> IssueWords:
    """``rest`` is the text after the billing type of the reversed form."""
    tail = rest.lstrip()
    if not tail.strip(_HYPHENS + " "):
        return IssueWords("the customer is missing")
    if tail[0] not in _HYPHENS:
        if tail[0].isalnum() and tail == rest:
            return IssueWords("it names no billing type: add “ - billable” or “ - non-billable”")
        customer = tail.lstrip(" :,;/_|")
        return IssueWords("the hyphen behind the billing type is missing", _valid(customer, billing_type))
    customer = tail[1:]
    return IssueWords(
        _missing_spaces(rest != tail, customer != customer.lstrip()), _valid(customer.strip(), billing_type)
    )


def _missing_spaces(before: bool, after: bool) -> str:
    if not before and not after:
        return "the spaces around the hyphen are missing"
    return f"a space is missing {'after' if before else 'before'} the hyphen"


def _meant(typed: str) -> str | None:
    if len(typed) > _LONGEST_WORD:
        return None
    close = difflib.get_close_matches(typed.casefold(), _BILLING_TYPES, 1, _LIKENESS)
    return close[0] if close else None


def _valid(customer: str, billing_type: str) -> str | None:
    text = f"{customer} - {billing_type}"
    found = parse_category(text)
    return text if isinstance(found, Category) and found.customer == customer else None


def _plain(text: str) -> str:
    return text.translate({ord(each): "-" for each in _HYPHENS} | {0xA0: " ", 0x09: " "})
