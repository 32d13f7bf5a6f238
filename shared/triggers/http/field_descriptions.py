"""Gives each property in the API's description its text."""

from typing import Any, Final

from shared.triggers.http.field_texts import FIELDS
from shared.triggers.http.model_field_texts import KINDS, MODEL_FIELDS

_KIND: Final = "kind"


def describe_fields(model: str, schema: dict[str, Any]) -> None:
    """Describe each property of a model's schema that has no description at the model.

    An unknown property stays without one, which the lint of the description refuses.
    """
    own = MODEL_FIELDS.get(model, {})
    for name, described in schema.get("properties", {}).items():
        if "description" in described:
            continue
        text = own.get(name) or _text(model, name)
        if text is not None:
            described["description"] = text


def _text(model: str, name: str) -> str | None:
    if name == _KIND:
        return next((text for begin, text in KINDS.items() if model.startswith(begin)), None)
    return FIELDS.get(name)
