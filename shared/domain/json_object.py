"""JSON whose fields the product does not fix, or that another side fixes."""

from collections.abc import Mapping
from typing import Any

#: Three kinds of values are open by nature. What an audit entry says differs by action. The form of a body
#: that is sent is the receiver's. What a codec reads is not yet known to be what it expects.
type JsonObject = Mapping[str, Any]
