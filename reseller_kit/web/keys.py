"""Finds the API key of a request, in whichever header its dialect uses. Checks nothing."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_plus

from ..core.errors import InvalidRequest
from .hosts import Headers, Named

_KEY_HEADERS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_QUERY_NAMES: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "x-api-key"})


def key_of(headers: Headers, named: Named) -> str | None:
    """The key of the headers that may hold one.

    Raises InvalidRequest when two headers hold different keys.
    """
    present = _KEY_HEADERS.intersection(named)
    if len(present) == 1 and len(named) == len(headers):
        (name,) = present
        return _key_in(name, named[name]) or None
    found: str | None = None
    for name, value in headers:
        if name not in _KEY_HEADERS:
            continue
        key = _key_in(name, value)
        if not key:
            continue
        if found is not None and key != found:
            raise InvalidRequest("The request carries two different API keys.", fix="Send one of them.")
        found = key
    return found


def has_key(headers: Headers) -> bool:
    """Whether a header that may hold a key is present."""
    return any(name in _KEY_HEADERS for name, _ in headers)


def refuse_key_in_query(query: bytes) -> None:
    """A key in the URL ends up in logs and histories. Raises InvalidRequest that says where it belongs."""
    if not query:
        return
    for part in query.decode("latin-1").split("&"):
        name = unquote_plus(part.partition("=")[0])
        if name.lower() in _QUERY_NAMES:
            raise InvalidRequest(
                "Do not send the API key in the URL. Send it in the Authorization header: Bearer YOUR_KEY.", param=name
            )


def _key_in(name: bytes, value: bytes) -> str:
    text = value.decode("latin-1").strip()
    if name != b"authorization":
        return text
    scheme, _, token = text.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
