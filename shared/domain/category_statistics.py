"""Counts and hours by customer and billing type over a range (domain.md 3.5)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from shared.domain.categories import BillingType, Category, CategoryState, CategoryStatus, Special

_HOUR = Decimal(3_600_000_000)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of events and their time together."""

    count: int = 0
    time: timedelta = timedelta()

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.count + other.count, self.time + other.time)

    @property
    def hours(self) -> Decimal:
        """The time in hours, two places, half-even."""
        return (Decimal(self.time // timedelta(microseconds=1)) / _HOUR).quantize(_CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class CustomerTally:
    """The events of one customer and billing type; ``customer`` in the spelling used most."""

    customer: str
    billing_type: BillingType
    tally: Tally
    special: Special | None = None


@dataclass(frozen=True, slots=True)
class CategoryStatistics:
    """``lines``, ``personal`` and ``invalid`` add up to ``total``.

    ``ambiguous`` events are counted in ``lines`` under their provisional category too, and so are
    ``special`` ones (admin and break time): both say how much of the lines they are.
    """

    lines: tuple[CustomerTally, ...]
    personal: Tally
    invalid: Tally
    ambiguous: Tally
    special: Tally
    total: Tally

    @property
    def uncategorised(self) -> Tally:
        """Events without any valid category."""
        return self.personal + self.invalid


def category_statistics(events: Iterable[tuple[CategoryStatus, timedelta]]) -> CategoryStatistics:
    """Add up events by their categories, lines sorted by customer and billing type.

    The caller gives a time of zero for what never counts as time: cancelled and declined (domain.md 2.1).
    """
    return statistics_of_groups((status, Tally(1, time)) for status, time in events)


def statistics_of_groups(groups: Iterable[tuple[CategoryStatus, Tally]]) -> CategoryStatistics:
    """As ``category_statistics``, of events that are added up already by what their categories say.

    The order of the groups never matters.
    """
    lines: dict[str, _Line] = {}
    states = dict.fromkeys(CategoryState, Tally())
    special = total = Tally()
    for status, tally in groups:
        total += tally
        states[status.state] += tally
        category = status.category
        if category is None:
            continue
        lines.setdefault(category.identity, _Line()).add(category, tally)
        if category.special is not None:
            special += tally
    return CategoryStatistics(
        tuple(line.result() for _, line in sorted(lines.items())),
        personal=states[CategoryState.PERSONAL],
        invalid=states[CategoryState.INVALID],
        ambiguous=states[CategoryState.AMBIGUOUS],
        special=special,
        total=total,
    )


@dataclass(slots=True)
class _Line:
    tally: Tally = Tally()
    spellings: Counter[Category] = field(default_factory=Counter)

    def add(self, category: Category, tally: Tally) -> None:
        self.tally += tally
        self.spellings[category] += tally.count

    def result(self) -> CustomerTally:
        used_most = min(self.spellings.items(), key=lambda item: (-item[1], item[0].customer))[0]
        return CustomerTally(used_most.customer, used_most.billing_type, self.tally, used_most.special)
