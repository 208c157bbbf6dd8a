"""Keeps a test run on this machine: refuses connections and name look-ups that would leave it."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Sequence
from typing import Any

_WATCHED = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


class LeftTheMachine(AssertionError):
    """A test tried to reach an address that is not loopback."""


def install_guard() -> None:
    """Refuse everything but loopback and Unix sockets, for the rest of the process.

    An audit hook sees connections made from C as well (asyncio, database drivers) and cannot be taken out again.
    """
    sys.addaudithook(_refuse_foreign)


def is_local(host: object) -> bool:
    """Whether a host, as given to the socket module, stays on this machine without asking a name server."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if host is None or host == "":
        return True
    if not isinstance(host, str):
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_foreign(event: str, arguments: Sequence[Any]) -> None:
    if event not in _WATCHED:
        return
    target = arguments[1] if event in {"socket.connect", "socket.sendto"} else arguments[0]
    # A text or bytes address of connect() is the path of a Unix socket; an address pair is the network's.
    host = target[0] if isinstance(target, tuple) else None
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = target
    if not is_local(host):
        raise LeftTheMachine(f"{event} to {host!r}: tests stay on loopback and on Unix sockets")
