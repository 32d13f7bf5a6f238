"""Gives each model and property of the API's description its text."""

import re
from typing import Any, Final

from shared.triggers.http.field_texts import FIELDS
from shared.triggers.http.model_field_texts import KINDS, MODEL_FIELDS, MODELS, NOUNS, PARAMETERS

_KIND: Final = "kind"
_WORD: Final = re.compile(r"[A-Z][a-z]*")
#: What models of one thing add to its name.
_SUFFIXES: Final = ("Resource", "Summary", "Create", "Update", "Wish", "Query")
_PAGE: Final = "One page of the list, in the order that `x-order` of the operation tells."


def describe_model(name: str, schema: dict[str, Any]) -> None:
    """Describe a model, and each property of it, that the code of the model does not describe.

    An unknown property stays without one, which the lint of the description refuses.
    """
    if not schema.get("description"):
        text = _PAGE if name.endswith("Page") else MODELS.get(name)
        if text is not None:
            schema["description"] = text
    _describe(name, schema, {})


def describe_query(name: str, schema: dict[str, Any]) -> None:
    """Describe the query parameters of a list. Unlike a model's field, one says what is wanted."""
    _describe(name, schema, PARAMETERS)


def noun_of_path(segment: str) -> str:
    """What one of a list is: "archive run" for ``archive-runs``."""
    words = segment.replace("-", " ").replace("break glass", "emergency")
    if words.endswith("ies"):
        return f"{words[:-3]}y"
    return words[:-2] if words.endswith("sses") else words.removesuffix("s")


def _describe(model: str, schema: dict[str, Any], first: dict[str, str]) -> None:
    own = MODEL_FIELDS.get(model, {})
    for name, described in schema.get("properties", {}).items():
        if "description" in described:
            continue
        text = own.get(name) or first.get(name) or _text(model, name)
        if text is not None:
            described["description"] = text.format(it=_noun(model))


def _text(model: str, name: str) -> str | None:
    if name == _KIND:
        return next((text for begin, text in KINDS.items() if model.startswith(begin)), None)
    return FIELDS.get(name)


def _noun(model: str) -> str:
    """What a model is about, in words: "archive run" for ``ArchiveRunSummary``."""
    if model in NOUNS:
        return NOUNS[model]
    for suffix in _SUFFIXES:
        model = model.removesuffix(suffix)
    return " ".join(_WORD.findall(model)).lower()
