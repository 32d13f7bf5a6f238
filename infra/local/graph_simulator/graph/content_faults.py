"""Reads that meet what Graph cannot read: corrupt and malformed events, ranges that take too long."""

from collections.abc import Sequence

from infra.local.graph_simulator.behaviour.faults import Rule
from infra.local.graph_simulator.state.model import Item, Json
from infra.local.graph_simulator.values.errors import GraphError, injected

_HOUR_US = 3_600_000_000
_CORRUPT = "ErrorCorruptData"
_DEFAULT_STATUS = 503


def refuse_corrupt(faults: Sequence[Rule], shown: Sequence[Item], select: Sequence[str] | None) -> None:
    """Raise what a read ends in that shows a corrupt event."""
    for rule in faults:
        if rule.kind != "corrupt_event":
            continue
        if select is not None and rule.properties is not None and not {*select} & {*rule.properties}:
            continue
        if any(rule.found(*_names(item)) for item in shown):
            status = 500 if rule.status == _DEFAULT_STATUS else rule.status
            raise injected(status, rule.code or _CORRUPT, rule.retry_after)


def refuse_long_range(faults: Sequence[Rule], start_us: int, end_us: int) -> None:
    """Raise 504 for a range that is longer than a rule lets pass."""
    for rule in faults:
        if rule.kind == "long_range" and end_us - start_us > rule.longest_hours * _HOUR_US:
            rule.struck += 1
            raise GraphError(504, "UnknownError", "")


def malformed(faults: Sequence[Rule], item: Item, shown: Json) -> Json:
    """The JSON of an event without the properties that a rule takes away."""
    for rule in faults:
        if rule.kind == "malformed_event" and rule.found(*_names(item)):
            shown = {name: value for name, value in shown.items() if name not in (rule.properties or ())}
    return shown


def _names(item: Item) -> tuple[str, ...]:
    return item.id(immutable=True), item.id(immutable=False), str(item.fields["subject"])
