"""Categories: ``<customer> - <billing type>``, and what an event's categories mean (domain.md 3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from shared.domain.normal_form import normal_form

_SEPARATOR = " - "
# Each character is replaced by one character, so positions in both texts are equal.
_PLAIN = str.maketrans({"–": "-", "—": "-", "\u00a0": " ", "\t": " "})


class BillingType(StrEnum):
    """Whether the customer pays for the time."""

    BILLABLE = "billable"
    NON_BILLABLE = "non-billable"


class Special(StrEnum):
    """Categories with a special meaning (domain.md 3.2). ``online`` only says how people met."""

    ADMIN = "admin"
    BREAK = "break"
    ONLINE = "online"


class IssueKind(StrEnum):
    """What is wrong with a category. ``none``: the event has no category (domain.md 3.4)."""

    MISSING_SEPARATOR = "missing_separator"
    EMPTY_CUSTOMER = "empty_customer"
    UNKNOWN_BILLING_TYPE = "unknown_billing_type"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


class CategoryState(StrEnum):
    """The verdict on an event's categories (domain.md 3.3)."""

    PERSONAL = "personal"
    INVALID = "invalid"
    AMBIGUOUS = "ambiguous"
    VALID = "valid"


@dataclass(frozen=True, slots=True)
class CategoryIssue:
    """An issue with the offending text as typed. Several texts are joined with semicolons."""

    kind: IssueKind
    text: str


@dataclass(frozen=True, slots=True)
class Category:
    """A valid category."""

    #: As typed.
    customer: str
    billing_type: BillingType
    #: For comparison (domain.md 3.1).
    key: str

    @property
    def special(self) -> Special | None:
        """Admin or break time, which belongs to no customer (domain.md 3.2)."""
        if self.billing_type is BillingType.NON_BILLABLE and self.key in (Special.ADMIN, Special.BREAK):
            return Special(self.key)
        return None

    @property
    def text(self) -> str:
        """The category in standard spelling."""
        return f"{self.customer}{_SEPARATOR}{self.billing_type}"

    @property
    def identity(self) -> str:
        """Equal for categories with the same meaning."""
        return f"{self.key}{_SEPARATOR}{self.billing_type}"


@dataclass(frozen=True, slots=True)
class CategoryStatus:
    """The meaning of one event's categories."""

    state: CategoryState
    #: The distinct valid categories, in Outlook's order.
    valid: tuple[Category, ...] = ()
    #: Empty for a valid event, whatever other labels it has.
    issues: tuple[CategoryIssue, ...] = ()
    #: The event has the ``Online`` modifier.
    online: bool = False

    @property
    def category(self) -> Category | None:
        """The category that counts. An ambiguous event has none until someone decides (domain.md 3.3)."""
        return self.valid[0] if self.state is CategoryState.VALID else None

    @property
    def special(self) -> Special | None:
        """Admin or break time."""
        return self.category.special if self.category else None

    @property
    def needs_attention(self) -> bool:
        """Invalid or ambiguous: counts as a category issue. Personal time does not (domain.md 2.13)."""
        return self.state in (CategoryState.INVALID, CategoryState.AMBIGUOUS)


def customer_key(customer: str) -> str:
    """The customer name for comparison: trimmed, case-folded, Unicode-normalised (domain.md 3.1)."""
    return normal_form("NFC", normal_form("NFD", customer.strip()).casefold())


def parse_category(text: str) -> Category | Special | CategoryIssue:
    """Read one category: a valid one, the ``Online`` modifier, or an issue (domain.md 3.1).

    The billing type follows the last separator. In the reversed form it precedes the first one. En and em
    dashes count as hyphens. Case is ignored.
    """
    if customer_key(text) == Special.ONLINE:
        return Special.ONLINE
    # Padded, so that a separator at the edge is found: an empty customer is not a missing separator.
    typed = f" {text.strip()} "
    plain = typed.translate(_PLAIN)
    last = plain.rfind(_SEPARATOR)
    if last < 0:
        return CategoryIssue(IssueKind.MISSING_SEPARATOR, text)
    billing_type = _billing_type(plain[last + len(_SEPARATOR) :])
    customer = typed[:last]
    if billing_type is None:
        first = plain.find(_SEPARATOR)
        billing_type = _billing_type(plain[:first])
        customer = typed[first + len(_SEPARATOR) :]
    if billing_type is None:
        return CategoryIssue(IssueKind.UNKNOWN_BILLING_TYPE, text)
    customer = customer.strip()
    if not customer.translate(_PLAIN).strip("- "):
        return CategoryIssue(IssueKind.EMPTY_CUSTOMER, text)
    return Category(customer, billing_type, customer_key(customer))


def classify(categories: Sequence[str]) -> CategoryStatus:
    """Judge the categories of one event, in Outlook's order (domain.md 3.3).

    ``Online`` makes an event neither billable nor invalid. An event with no other category is personal.
    """
    return _classify(tuple(categories))


@lru_cache(maxsize=8192)
def _classify(categories: tuple[str, ...]) -> CategoryStatus:
    parsed = [parse_category(text) for text in categories if text.strip()]
    online = Special.ONLINE in parsed
    valid = _different(category for category in parsed if isinstance(category, Category))
    if len(valid) > 1:
        texts = "; ".join(category.text for category in valid)
        issue = CategoryIssue(IssueKind.AMBIGUOUS, texts)
        return CategoryStatus(CategoryState.AMBIGUOUS, valid, (issue,), online)
    if valid:
        return CategoryStatus(CategoryState.VALID, valid, (), online)
    issues = tuple(issue for issue in parsed if isinstance(issue, CategoryIssue))
    if issues:
        return CategoryStatus(CategoryState.INVALID, (), issues, online)
    return CategoryStatus(CategoryState.PERSONAL, (), (CategoryIssue(IssueKind.NONE, ""),), online)


def _different(categories: Iterable[Category]) -> tuple[Category, ...]:
    first: dict[str, Category] = {}
    for category in categories:
        first.setdefault(category.identity, category)
    return tuple(first.values())


def _billing_type(text: str) -> BillingType | None:
    folded = text.strip().casefold()
    return next((billing_type for billing_type in BillingType if billing_type == folded), None)
