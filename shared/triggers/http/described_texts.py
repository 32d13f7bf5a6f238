"""Texts of the code for clients, without the citations that only readers of the code can follow."""

import re
from typing import Any, Final

# "(domain.md 2.12)", "(6.3)", "(2.16 d, e)", "(domain.md 3.1 to 3.4)", "(domain.md 2.18, 3.5)".
_CITATION: Final = re.compile(
    r" ?\((?:\w[\w-]{0,40}\.md )?\d+(?:\.\d+)?(?:(?:, | to | and | )(?:\d+(?:\.\d+)?|[a-e]))*\)"
)
#: Names in the code's notation. Clients read Markdown.
_CODE: Final = re.compile(r"``([^`]+)``")
_TEXTS: Final = ("description", "summary")


def without_citations(described: Any) -> Any:
    """A part of the OpenAPI document without citations of our documents."""
    if isinstance(described, dict):
        return {
            name: _CODE.sub(r"`\1`", _CITATION.sub("", value))
            if name in _TEXTS and isinstance(value, str)
            else without_citations(value)
            for name, value in described.items()
        }
    if isinstance(described, list):
        return [without_citations(each) for each in described]
    return described
