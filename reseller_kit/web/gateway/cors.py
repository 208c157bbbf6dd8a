"""Lets pages of any origin call the API from a browser: a key in a header lets in, never a cookie.

Source: the Fetch standard, "CORS protocol".
"""

from __future__ import annotations

import re
from typing import Final

from ..hosts import Headers
from ..responses import Header, Message, Send

_READABLE: Final = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*"))
_NAMES: Final = re.compile(rb"[A-Za-z0-9-]{1,80}(?:, ?[A-Za-z0-9-]{1,80}){0,49}")
_USUAL_NAMES: Final = (
    b"authorization, x-api-key, api-key, x-goog-api-key, content-type, anthropic-version, anthropic-beta"
)


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks if it may send a request, which it does without the request's key."""
    return method == "OPTIONS" and any(name == b"access-control-request-method" for name, _ in headers)


def permission(headers: Headers) -> list[Header]:
    """The answer's headers: yes, with every header that it asks for."""
    asked = next((value for name, value in headers if name == b"access-control-request-headers"), b"")
    return [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", asked if _NAMES.fullmatch(asked) else _USUAL_NAMES),
        (b"access-control-max-age", b"86400"),
    ]


def readable(send: Send) -> Send:
    """`send`, letting the page that asked read what is sent."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_READABLE]}
        await send(message)

    return tell
