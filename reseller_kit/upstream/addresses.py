"""Looks up where a host is, and refuses what is not on the public internet. Opens no connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ..core.public_addresses import is_public
from .faults import TransportFailed

_LOOK_UP_SECONDS: Final = 5.0
_AT_ONCE: Final = 16


async def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them public: connect to one of these, not to the name again.

    A name may change what it stands for between a check and a connection, so both go by one answer. One address that
    is not public refuses them all. Raises TransportFailed for that, and OSError for a name that does not resolve.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(map(is_public, addresses)):
        raise TransportFailed("connect", "the host's address is not a public one", before_bytes=True)
    return addresses


def look_up(hosts: Iterable[str]) -> Mapping[str, list[str]]:
    """The addresses of each host as this machine resolves it now, none for one that can't be told within seconds."""
    wanted = list(dict.fromkeys(hosts))
    if not wanted:
        return {}
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
    try:
        asked = {host: pool.submit(_addresses, host) for host in wanted}
        found = {}
        for host, answer in asked.items():
            try:
                found[host] = answer.result(timeout=_LOOK_UP_SECONDS)
            except (OSError, UnicodeError, TimeoutError):
                found[host] = []
        return found
    finally:
        # A resolver that hangs must not hang the command as well.
        pool.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))
