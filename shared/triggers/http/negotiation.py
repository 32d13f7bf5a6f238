"""Which representation a caller wants (RFC 9110, 12.5.1)."""

from __future__ import annotations

from typing import Final, Literal

type Form = Literal["json", "html", "csv"]
_MEDIA_TYPES: Final[dict[Form, str]] = {"json": "application/json", "html": "text/html", "csv": "text/csv"}
#: A longer header counts as no preference.
_LONGEST: Final = 1000


def wants_csv(accept: str, form: Literal["json", "csv"] | None) -> bool:
    """Whether the answer is CSV. JSON wins if both are equally welcome. ``form`` decides if given."""
    return wanted_form(accept, form, ("json", "csv")) == "csv"


def wanted_form(accept: str, form: Form | None, offered: tuple[Form, ...]) -> Form:
    """The most welcome form, the first of equally welcome ones. ``form`` decides if given."""
    if form is not None:
        return form
    if not accept or len(accept) > _LONGEST:
        return offered[0]
    return max(offered, key=lambda each: _quality(accept, _MEDIA_TYPES[each]))


def _quality(accept: str, media_type: str) -> float:
    # By how exactly a range names the type: the most exact one decides.
    exactness = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
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
