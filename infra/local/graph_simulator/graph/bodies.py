"""Event bodies: the HTML document Exchange makes of what it is given, its text, its preview."""

import re
from html import escape, unescape
from typing import Any

# What is not closed hides the rest, as in a browser. It is also what keeps the search linear.
_HIDDEN = re.compile(r"<(style|script|head)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6])\s*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_DOCUMENT = re.compile(r"\s*(?:<!doctype[^>]*>\s*)?<html[\s>]", re.IGNORECASE)
_PREVIEW_LENGTH = 255
_HEAD = (
    '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n</head>\r\n'
)


def normalised(content_type: str, content: str, *, wrap: bool) -> dict[str, Any]:
    """The HTML body Exchange stores; ``wrap`` makes fragments whole documents, as it does."""
    if content_type == "text":
        content = escape(content, quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")
        if content:
            content = f'<div class="PlainText">{content}</div>'
    if wrap and content and _DOCUMENT.match(content) is None:
        content = f"{_HEAD}<body>\r\n{content}\r\n</body>\r\n</html>\r\n"
    return {"contentType": "html", "content": content}


def text_of(html: str) -> str:
    """Plain text of an HTML body."""
    if "<" not in html:
        return unescape(html)
    text = _TAG.sub("", _BREAK.sub("\n", _HIDDEN.sub("", html)))
    return unescape(text).replace("\r\n", "\n").replace("\n\n", "\n").strip().replace("\n", "\r\n")


def preview_of(html: str) -> str:
    """The first 255 characters of the text, Graph's ``bodyPreview``."""
    return text_of(html)[:_PREVIEW_LENGTH]
