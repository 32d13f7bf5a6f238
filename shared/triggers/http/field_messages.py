"""Our own messages for invalid fields. pydantic's are for programmers."""

import re
from collections.abc import Mapping
from typing import Any, Final

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?")
#: How "+01:00" is read if it is in a query unencoded.
_UNESCAPED_PLUS: Final = re.compile(r"([0-9T:.-]{16,30}) ([0-9]{2}:?[0-9]{2})")
_INSTANT: Final = "2026-11-01T00:00:00Z"
_DAY: Final = "2026-11-01"
_SOME_ID: Final = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"

#: By pydantic's error type. ``{name}`` is a value of the error's context.
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_pattern_mismatch": "does not have the right form, which is the pattern {pattern}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "enum": "must be one of: {expected}",
    "literal_error": "must be one of: {expected}",
    "union_tag_invalid": "must have a {discriminator} that is one of: {expected_tags}",
    "union_tag_not_found": "must name its {discriminator}",
    "uuid_type": f"must be an id such as {_SOME_ID}",
    "uuid_parsing": f"must be an id such as {_SOME_ID}",
    "date_type": f"must be a date such as {_DAY}",
    "date_parsing": f"must be a date such as {_DAY}",
    "date_from_datetime_parsing": f"must be a date such as {_DAY}",
    "date_from_datetime_inexact": f"must be a date without a time, such as {_DAY}",
    "datetime_type": f"must be a date and time such as {_INSTANT}",
    "datetime_parsing": f"must be a date and time such as {_INSTANT}",
    "datetime_object_invalid": f"must be a date and time such as {_INSTANT}",
    "datetime_from_date_parsing": f"must be a date and time such as {_INSTANT}",
}
#: By the pattern: what has that form, with an example. A person does not read patterns.
_FORMS: Final[Mapping[str, str]] = {
    r"^[^@\s/\\]+@[^@\s/\\]+$": "must be a mail address such as ada@example.com",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "must be a time of the day such as 02:00",
    r"^([01]\d|2[0-3]):[0-5]\d$": "must be a time of the day such as 02:00",
    r"^(none|preset([0-9]|1[0-9]|2[0-4]))$": "must be none or one of preset0 to preset24",
    "^(mon|tue|wed|thu|fri|sat|sun)(,(mon|tue|wed|thu|fri|sat|sun))*$": "must be days such as mon,tue,wed",
    r'^"[0-9]{1,18}"$': 'must be an ETag as it was answered, such as "7"',
    r"^[0-9a-f]{64}$": "must be 64 hexadecimal digits in lower case",
}
#: Their meaning depends on the input.
_TIMES: Final = frozenset(
    {"timezone_aware", "datetime_parsing", "datetime_from_date_parsing", "instant_invalid", "datetime_type"}
)
#: Our codes for what pydantic finds, by how its types begin or by the whole type; the first that fits.
_CODES: Final = (
    ("uuid_", "id_invalid"),
    ("datetime_", "instant_invalid"),
    ("date_", "date_invalid"),
    ("timezone_aware", "time_zone_missing"),
    ("extra_forbidden", "unknown_field"),
    ("enum", "not_one_of"),
    ("literal_error", "not_one_of"),
    ("union_tag_invalid", "not_one_of"),
    ("union_tag_not_found", "missing"),
    ("string_pattern_mismatch", "wrong_form"),
    ("string_too_", "length"),
    ("too_", "length"),
    ("string_unicode", "control_character"),
    ("greater_than", "out_of_range"),
    ("less_than", "out_of_range"),
    *((kind, "wrong_type") for kind in ("string_", "list_", "tuple_", "dict_", "model_", "bool_", "int_")),
    *((kind, "wrong_type") for kind in ("float_", "finite_number")),
)
#: The code for a + in a query that should be %2B.
_PLUS: Final = "plus_not_escaped"


def message_of(error: Mapping[str, Any], *, in_query: bool) -> str:
    """What is wrong with the field of a pydantic error (type, msg, ctx, input), and how to fix it.

    Only a date and time is ever shown in the message.
    """
    kind, given = str(error["type"]), error.get("input")
    if kind in _TIMES and isinstance(given, str) and (told := _time_message(kind, given, in_query)):
        return told
    if kind in ("too_short", "too_long") and isinstance(given, str):
        kind = f"string_{kind}"
    if kind == "string_pattern_mismatch" and (
        form := _FORMS.get((error.get("ctx") or {}).get("pattern", ""))
    ):
        return form
    template = _MESSAGES.get(kind)
    if template is None:
        # Our own rules have clear messages.
        return str(error["msg"]).removeprefix("Value error, ")
    context = {name: _plain(value) for name, value in (error.get("ctx") or {}).items()}
    return template.format_map(_Named(context))


def code_of(error: Mapping[str, Any], *, in_query: bool) -> str:
    """The code of a pydantic error, the same whatever version of pydantic found it."""
    kind, given = str(error["type"]), error.get("input")
    if in_query and kind in _TIMES and isinstance(given, str) and _UNESCAPED_PLUS.fullmatch(given):
        return _PLUS
    return next((code for begin, code in _CODES if kind.startswith(begin)), kind)


def codes() -> frozenset[str]:
    """Every code that ``code_of`` gives in place of pydantic's."""
    return frozenset({_PLUS, *(code for _, code in _CODES)})


def _time_message(kind: str, given: str, in_query: bool) -> str | None:
    if in_query and (found := _UNESCAPED_PLUS.fullmatch(given)):
        return f"a + in a query means a space, so write %2B: {found[1]}%2B{found[2]}"
    if kind != "timezone_aware":
        return None
    example = _INSTANT
    if _DATE.fullmatch(given):
        example = f"{given}T00:00:00Z"
    elif _LOCAL.fullmatch(given):
        example = f"{given}Z"
    return f"needs a time zone, such as {example}"


def _plain(value: Any) -> str:
    """Lists of values without pydantic's quotes and its "or"."""
    text = str(value)
    return text.replace("' or '", "', '").replace("'", "") if text.startswith("'") else text


class _Named(dict[str, str]):
    """A context with a default for every name."""

    def __missing__(self, key: str) -> str:
        return "what the description of the API says"
