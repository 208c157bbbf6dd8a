"""Visits a storefront's hosts as a stranger would: where the name leads, which certificate is shown, whose page.

For the operator's `doctor` alone. Changes nothing.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Iterable
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from ...core.domain import Found
from ...core.tenant import is_loopback_host
from ...dns import Resolver

_SECONDS: Final = 10
_MOST_BYTES: Final = 1_000_000
_LOOPBACK: Final = "127.0.0.1"


class Wrong(Struct, frozen=True):
    """What a visit met with: a rule of `doctor`, and what is to be said."""

    code: str
    message: str
    fix: str


async def visit(resolver: Resolver, origin: str, *, own: str, foreign: Iterable[str]) -> list[Wrong]:
    """What is wrong at the origin of a host. `own`: the brand that has to show; `foreign`: names that must not."""
    host = urlsplit(origin).hostname or ""
    address = await _address(resolver, host)
    if address is None:
        fix = "Set its DNS records; `domain list` and `domain check` tell which."
        return [Wrong("DR224", f"{host} has no address.", fix)]
    try:
        page = await asyncio.to_thread(_fetch, origin, address)
    except ssl.SSLError as error:
        fix = (
            "Look at the log of what is in front; it has to be told the host's name, and to ask /internal/tls-allowed."
        )
        return [Wrong("DR224", f"{host} shows no certificate that is to be trusted: {error.reason}.", fix)]
    except (OSError, http.client.HTTPException) as error:
        fix = "Start the server and what is in front of it, or point the host there."
        return [Wrong("DR224", f"{host} does not answer at {address}: {type(error).__name__}.", fix)]
    return list(_look(host, page, own, foreign))


def _look(host: str, page: str, own: str, foreign: Iterable[str]) -> Iterable[Wrong]:
    shown = unescape(page)
    if own not in shown:
        yield Wrong("DR225", f"The page at {host} is not {own}'s.", "Point the host at this installation.")
    for name in foreign:
        if name in shown and name not in own:
            fix = "Look for it in the brand's texts; nothing of the kind is there by itself."
            yield Wrong("DR226", f"The page at {host} names {name}.", fix)


async def _address(resolver: Resolver, host: str) -> str | None:
    if is_loopback_host(host):
        return _LOOPBACK if host.endswith("localhost") else host
    found: Found = await resolver.find(host)
    return next(iter((*(found.a or ()), *(found.aaaa or ()))), None)


def _fetch(origin: str, address: str) -> str:
    parts = urlsplit(origin)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=_SECONDS)
    with socket.create_connection((address, port), timeout=_SECONDS) as plain:
        context = ssl.create_default_context() if secure else None
        connection.sock = plain if context is None else context.wrap_socket(plain, server_hostname=parts.hostname)
        try:
            connection.request("GET", "/", headers={"host": parts.netloc, "accept-language": "en"})
            return connection.getresponse().read(_MOST_BYTES).decode("utf-8", "replace")
        finally:
            connection.close()
