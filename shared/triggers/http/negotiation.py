"""Which representation a caller wants (RFC 9110, 12.5.1)."""

from __future__ import annotations

from typing import Final, Literal

#: By how exactly a range names the type: the most exact one decides.
_EXACTNESS: Final = {"text/csv": 2, "text/*": 1, "*/*": 0}
_JSON_EXACTNESS: Final = {"application/json": 2, "application/*": 1, "*/*": 0}
#: Longer headers ask for nothing in particular.
_LONGEST: Final = 1000


def wants_csv(accept: str, form: Literal["json", "csv"] | None) -> bool:
    """Whether the answer is to be CSV; JSON where both are welcome alike. ``form`` decides if given."""
    if form is not None:
        return form == "csv"
    if not accept or len(accept) > _LONGEST:
        return False
    return _quality(accept, _EXACTNESS) > _quality(accept, _JSON_EXACTNESS)


def _quality(accept: str, exactness: dict[str, int]) -> float:
    best = (-1, 0.0)
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        if kind in exactness:
            best = max(best, (exactness[kind], _weight(parameters)))
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
