"""Where a list in another format than JSON continues: the next cursor in headers (RFC 8288)."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from shared.triggers.http.messages import Request
from shared.triggers.http.registry import PREFIX

#: Headers of a list that is sent as a file, for ``response_headers`` of its operation.
CONTINUED: Final[Mapping[str, str]] = {
    "X-Next-Cursor": "The cursor of the continuation; absent from the last part.",
    "Link": 'The same as a link: `</api/v1/…?cursor=…>; rel="next"`.',
}


def continued_at(request: Request[Any, Any], cursor: str) -> dict[str, str]:
    """The headers that lead to the next part with the same parameters."""
    sealed = request.listed.seal(cursor)
    given = request.query.model_dump(mode="json", exclude_unset=True) | {"cursor": sealed}
    query = urlencode({name: _text(value) for name, value in given.items() if value is not None})
    return {
        "X-Next-Cursor": sealed,
        "Link": f'</{PREFIX}/{request.relative_path}?{query}>; rel="next"',
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
