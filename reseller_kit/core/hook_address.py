"""Where a reseller's webhooks may go: the form of a URL, and what of it a connection needs. Resolves no name.

Where a name leads to is judged at each connection, not here (`upstream.posting`).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from .errors import InvalidRequest
from .public_addresses import is_address, is_public
from .tenant import is_loopback_host, normalise_host, url_host

MAX_URL: Final = 1_000
_TARGET: Final = re.compile(r"/[\x21\x22\x24-\x7e]*")
_HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80
_LOWEST_PORT: Final = 1024
"""Of those below it, only the one that web servers have: nothing else that listens there speaks HTTP."""
_FORM: Final = "Write it like https://example.com/webhooks, with port 443 or one from 1024 on, and without a user."


class HookAddress(Struct, frozen=True, kw_only=True):
    """A URL in parts. `target`: path and query, as they stand in the request line."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        """The URL in one spelling."""
        default = _HTTPS_PORT if self.scheme == "https" else _HTTP_PORT
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{url_host(self.host)}{port}{self.target}"


def hook_address(text: str, *, private: bool) -> HookAddress:
    """The parts of a URL that events may be sent to. `private`: inside this network, and on this machine by http.

    Raises InvalidRequest (`url`) for any other.
    """
    parts = _parts(text.strip())
    local = is_loopback_host(parts.host)
    if parts.scheme != "https" and not (parts.scheme == "http" and private and local):
        raise _refused("Events go out over https alone.")
    if not private and (local or (is_address(parts.host) and not is_public(parts.host))):
        raise _refused("The address is not on the public internet.")
    if not (parts.port == _HTTPS_PORT or _LOWEST_PORT <= parts.port <= 65535):
        raise _refused("Events are not sent to that port.")
    return parts


def _parts(text: str) -> HookAddress:
    if len(text) > MAX_URL or not text.isascii():
        raise _refused(f"The URL is too long, or not in ASCII; it may have {MAX_URL} characters.")
    try:
        url = urlsplit(text)
        port, host = url.port, normalise_host(url.hostname or "")
    except (ValueError, InvalidRequest):
        raise _refused("That is no URL.") from None
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if url.scheme not in {"http", "https"} or "@" in url.netloc or url.fragment or not _TARGET.fullmatch(target):
        raise _refused("That is no plain https URL.")
    if port is None:
        port = _HTTPS_PORT if url.scheme == "https" else _HTTP_PORT
    return HookAddress(scheme=url.scheme, host=host, port=port, target=target)


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="url", fix=_FORM)
