"""Every text that a caller sends is refused if it carries control characters or bidi overrides."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import function_app  # noqa: F401 - declares the operations
from shared.triggers.http.registry import OPERATIONS

#: A cursor is compared with a digest, so no other text passes for one.
EXEMPT = {"cursor"}
BAD = ("a\u202eb", "a\u2066b", "a\x00b", "a\x1bb", "a\x85b")


def _unwrapped(annotation: Any) -> Any:
    while hasattr(annotation, "__value__"):
        annotation = annotation.__value__
    return annotation


def _texts(name: str, annotation: Any) -> Iterator[tuple[str, Any]]:
    """Every text within a type, with the constraints that stand at it."""
    annotation = _unwrapped(annotation)
    inner = annotation
    while get_origin(inner) is Annotated:
        inner = _unwrapped(get_args(inner)[0])
    if inner is str:
        yield name, annotation
    elif isinstance(inner, type) and issubclass(inner, BaseModel):
        yield from _texts_of(inner)
    elif get_origin(inner) is not None:
        for argument in get_args(inner):
            if argument is not Ellipsis and not isinstance(argument, str):
                yield from _texts(name, argument)


def _texts_of(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        # The constraints of a field that is a text itself stand in its metadata.
        yield from _texts(f"{model.__name__}.{name}", _rebuilt(field))


def _rebuilt(field: Any) -> Any:
    annotation = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation


MODELS = {model for each in OPERATIONS.values() for model in (each.body, each.query) if model is not None}
TEXTS = {
    name: annotation
    for model in sorted(MODELS, key=lambda each: each.__name__)
    for name, annotation in _texts_of(model)
    if name.rpartition(".")[2] not in EXEMPT
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_refuses_what_cannot_be_seen(name: str) -> None:
    adapter = TypeAdapter(TEXTS[name])
    for bad in BAD:
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


def test_the_texts_are_found() -> None:
    assert {"LocalEventCreate.location", "LocalEventCreate.body", "AppointmentUpdate.subject"} <= set(TEXTS)
    assert len(TEXTS) > 40
