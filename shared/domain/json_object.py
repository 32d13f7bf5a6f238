"""JSON whose fields the product does not fix, or that another side fixes."""

from collections.abc import Mapping
from typing import Any

#: Three kinds of values have no fixed fields here. The details of an audit entry depend on its action. The
#: receiver of a body defines it. The input of a codec is not validated yet.
type JsonObject = Mapping[str, Any]
