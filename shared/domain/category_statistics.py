"""Counts and hours by customer and billing type over a range (domain.md 3.5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from shared.domain.categories import BillingType, Category, CategoryState, CategoryStatus

_HOUR = Decimal(3_600_000_000)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of events and their time together."""

    count: int = 0
    time: timedelta = timedelta()

    def plus(self, time: timedelta) -> "Tally":
        """One event more."""
        return Tally(self.count + 1, self.time + time)

    @property
    def hours(self) -> Decimal:
        """The time in hours, two places, half-even."""
        return (Decimal(self.time // timedelta(microseconds=1)) / _HOUR).quantize(_CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class CustomerTally:
    """The events of one customer and billing type; ``customer`` in the spelling met first."""

    customer: str
    billing_type: BillingType
    tally: Tally


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
        return Tally(self.personal.count + self.invalid.count, self.personal.time + self.invalid.time)


def category_statistics(events: Iterable[tuple[CategoryStatus, timedelta]]) -> CategoryStatistics:
    """Add up events by their categories, lines sorted by customer and billing type.

    The caller gives a time of zero for what never counts as time: cancelled and declined (domain.md 2.1).
    """
    lines: dict[str, tuple[Category, Tally]] = {}
    states = dict.fromkeys(CategoryState, Tally())
    special = total = Tally()
    for status, time in events:
        total = total.plus(time)
        states[status.state] = states[status.state].plus(time)
        category = status.category
        if category is None:
            continue
        first, tally = lines.get(category.identity, (category, Tally()))
        lines[category.identity] = first, tally.plus(time)
        if category.special is not None:
            special = special.plus(time)
    return CategoryStatistics(
        tuple(
            CustomerTally(category.customer, category.billing_type, tally)
            for _, (category, tally) in sorted(lines.items())
        ),
        personal=states[CategoryState.PERSONAL],
        invalid=states[CategoryState.INVALID],
        ambiguous=states[CategoryState.AMBIGUOUS],
        special=special,
        total=total,
    )
