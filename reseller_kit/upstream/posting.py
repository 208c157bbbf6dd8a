"""One POST to an address that a reseller gave. Follows no redirect, repeats nothing, keeps no connection.

A name is looked up once, and what is connected to is what was judged: a name that changes meanwhile leads nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from socket import SOCK_STREAM, gaierror, getaddrinfo
from typing import Final

from msgspec import Struct

from ..core.deadlines import Deadlines
from ..core.hook_address import HookAddress
from ..core.public_addresses import is_public
from .connection import READ_BYTES, Connection
from .endpoint import Endpoint
from .faults import TransportFailed
from .response import Response

MAX_ANSWER: Final = 64 * 1024
"""What is read of an answer; the connection is cut behind it."""
_KEPT: Final = 1024
"""Of it, what is kept to be looked at."""
_CONNECT_SECONDS: Final = 5.0
_LOOK_UPS: Final = ThreadPoolExecutor(max_workers=16, thread_name_prefix="hook-names")
"""Their own threads: a reseller's slow name server holds up nobody else's work."""


class Answer(Struct, frozen=True):
    """What came back: its status, its headers in lower case, and how its body began."""

    status: int
    headers: dict[bytes, bytes]
    beginning: bytes


async def post(
    address: HookAddress, headers: Iterable[tuple[str, str]], body: bytes, *, private: bool, seconds: float
) -> Answer:
    """Send a body to an address within so many seconds in all; `private`: also one that is not on the internet.

    Raises TransportFailed. `headers` are the caller's to vouch for.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(address, _request(address, headers, body), private=private, seconds=seconds)
    except TimeoutError:
        raise TransportFailed("timeout", f"no answer within {seconds:g} s") from None


async def _exchange(address: HookAddress, request: bytes, *, private: bool, seconds: float) -> Answer:
    limits = Deadlines(connect=_CONNECT_SECONDS, first_byte=seconds, idle=seconds, total=seconds)
    connection = await _connected(address, limits, private=private)
    response = connection.start(request, limits)
    try:
        await response.head()
        return Answer(response.status, response.headers, await _beginning(response))
    finally:
        response.abort()
        connection.close()


async def _connected(address: HookAddress, limits: Deadlines, *, private: bool) -> Connection:
    try:
        async with asyncio.timeout(limits.connect):
            found = await _addresses(address, private=private)
            connection = await _first_of(found, address, limits)
    except TimeoutError:
        raise TransportFailed("connect", f"no connection within {limits.connect:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise TransportFailed("connect", f"the certificate is not good: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise TransportFailed("connect", f"no TLS: {error.reason}") from error
    except (OSError, UnicodeError) as error:
        raise TransportFailed("connect", f"no connection: {_plain(error)}") from error
    if not connection.usable:
        raise TransportFailed("connect", "the connection was closed at once")
    return connection


async def _addresses(address: HookAddress, *, private: bool) -> list[str]:
    look_up = partial(getaddrinfo, address.host, address.port, type=SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOK_UPS, look_up)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not (private or all(map(is_public, addresses))):
        raise TransportFailed("connect", "the host's address is not a public one")
    return addresses


async def _first_of(addresses: list[str], address: HookAddress, limits: Deadlines) -> Connection:
    loop, tls = asyncio.get_running_loop(), _tls() if address.scheme == "https" else None
    target = Endpoint(
        name="hook", scheme=address.scheme, host=address.host, port=address.port, prefix="", deadlines=limits
    )
    for position, one in enumerate(addresses, 1):
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(target, _Owner(), loop),
                one,
                address.port,
                ssl=tls,
                server_hostname=address.host if tls else None,
            )
        except OSError:
            if position == len(addresses):
                raise
        else:
            return connection
    raise OSError("no address")


async def _beginning(response: Response) -> bytes:
    """The body's first bytes; a body that is too long or breaks off is none the less an answer."""
    kept, size = b"", 0
    try:
        while piece := await response.chunk():
            kept = (kept + piece)[:_KEPT]
            size += len(piece)
            if size > MAX_ANSWER:
                break
    except TransportFailed as error:
        if error.kind == "timeout":
            raise
    return kept


def _request(address: HookAddress, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    host = Endpoint(name="hook", scheme=address.scheme, host=address.host, port=address.port, prefix="").authority
    lines = [
        f"POST {address.target} HTTP/1.1",
        f"host: {host}",
        *(f"{name}: {value}" for name, value in headers),
        "connection: close",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _plain(error: Exception) -> str:
    """What the machine says of it, without the address that was tried."""
    number = getattr(error, "errno", None)
    if isinstance(error, gaierror):
        return "the host's name leads nowhere"
    return os.strerror(number).lower() if number else type(error).__name__


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Owner:
    """Of one connection, which serves once."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """The exchange is over."""
        if reusable:
            connection.close()

    def gone(self, connection: Connection) -> None:
        """The transport is closed."""
