"""Inline constraints of route parameters, as ASP.NET Core defines them.

Source: ASP.NET Core docs, "Routing in ASP.NET Core", section "Route constraints"; the Functions host uses the
same router.
"""

import math
import re
import uuid
from collections.abc import Callable
from datetime import datetime

Constraint = Callable[[str], bool]

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_INTEGER = re.compile(r"[+-]?[0-9]+")
_ALPHA = re.compile(r"[A-Za-z]*")
_DECIMAL = re.compile(r"[+-]?([0-9][0-9,]*+(\.[0-9]*)?|\.[0-9]+)")
_GUID = re.compile(r"[({]?[0-9A-Fa-f]{8}(-?)([0-9A-Fa-f]{4}\1){3}[0-9A-Fa-f]{12}[)}]?")
# Python refuses to read longer ones, and none of these fits the types.
_MOST_DIGITS = 4000
_LONGEST_DATE = 64


def build(name: str, argument: str | None) -> Constraint:
    """The check for `{parameter:name(argument)}`. Raises ValueError for an unknown name or a bad argument."""
    if argument is None:
        simple = _SIMPLE.get(name.lower())
        if simple is not None:
            return simple
    else:
        parametric = _PARAMETRIC.get(name.lower())
        if parametric is not None:
            return parametric(argument)
    raise ValueError(f"The constraint reference '{name}' could not be resolved to a type.")


def _integer(bounds: tuple[int, int]) -> Constraint:
    def check(value: str) -> bool:
        if len(value) > _MOST_DIGITS or _INTEGER.fullmatch(value) is None:
            return False
        return bounds[0] <= int(value) <= bounds[1]

    return check


def _is_guid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    # uuid.UUID also takes "urn:uuid:" and hyphens anywhere; a .NET Guid does not.
    return _GUID.fullmatch(value) is not None


def _is_float(value: str) -> bool:
    try:
        return not math.isnan(float(value.replace(",", "")))
    except ValueError:
        return False


def _is_datetime(value: str) -> bool:
    if len(value) > _LONGEST_DATE:
        return False
    for pattern in ("%m/%d/%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M%p"):
        try:
            datetime.strptime(value, pattern)  # noqa: DTZ007 - only its form matters
        except ValueError:
            continue
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _has_extension(value: str) -> bool:
    return "." in value.rsplit("/", 1)[-1].rstrip(".")


def _numbers(argument: str, count: int) -> list[int]:
    numbers = [int(part) for part in argument.split(",")]
    if len(numbers) != count:
        raise ValueError(f"expected {count} numbers, got '{argument}'")
    return numbers


def _length(argument: str) -> Constraint:
    low, high = _numbers(argument, 2) if "," in argument else _numbers(argument, 1) * 2
    return lambda value: low <= len(value) <= high


def _compare(
    count: int, test: Callable[[int, list[int]], bool], *, of_length: bool
) -> Callable[[str], Constraint]:
    is_long = _integer(_INT64)

    def make(argument: str) -> Constraint:
        numbers = _numbers(argument, count)
        if of_length:
            return lambda value: test(len(value), numbers)
        return lambda value: is_long(value) and test(int(value), numbers)

    return make


def _regex(argument: str) -> Constraint:
    try:
        pattern = re.compile(argument, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"the regular expression '{argument}' is not valid: {error}") from None
    return lambda value: pattern.search(value) is not None


_SIMPLE: dict[str, Constraint] = {
    "int": _integer(_INT32),
    "long": _integer(_INT64),
    "guid": _is_guid,
    "bool": lambda value: value.lower() in {"true", "false"},
    "alpha": lambda value: _ALPHA.fullmatch(value) is not None,
    "decimal": lambda value: _DECIMAL.fullmatch(value) is not None,
    "double": _is_float,
    "float": _is_float,
    "datetime": _is_datetime,
    "required": bool,
    "file": _has_extension,
    "nonfile": lambda value: not _has_extension(value),
}
_PARAMETRIC: dict[str, Callable[[str], Constraint]] = {
    "length": _length,
    "minlength": _compare(1, lambda n, bound: n >= bound[0], of_length=True),
    "maxlength": _compare(1, lambda n, bound: n <= bound[0], of_length=True),
    "min": _compare(1, lambda n, bound: n >= bound[0], of_length=False),
    "max": _compare(1, lambda n, bound: n <= bound[0], of_length=False),
    "range": _compare(2, lambda n, bound: bound[0] <= n <= bound[1], of_length=False),
    "regex": _regex,
}
