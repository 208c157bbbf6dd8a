"""Reads a request's body within a size and a time. Decodes nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from ...core.errors import InvalidRequest, RequestTimeout, RequestTooLarge
from ..hosts import Headers, Named
from ..responses import Receive

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
IDLE_SECONDS: Final = 25.0
"""Below what the connection's own guard waits for, so that a client reads why before it is cut off."""
WHOLE_SECONDS: Final = 60.0
BYTES_A_SECOND: Final = 16 * 1024
"""A body has a minute, and a second more for each 16 KiB that came: slow lines are served, a drip is not."""


class ClientGone(Exception):
    """The client left before it had sent its request."""


async def read_body(receive: Receive, headers: Headers, named: Named, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. `named`: the headers by name.

    Raises RequestTooLarge over `limit` bytes, RequestTimeout for one that stalls or drips, InvalidRequest for one that
    is encoded.
    """
    _check_headers(headers, named, limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    return await _read_on(receive, body, limit)


async def has_left(receive: Receive) -> bool:
    """Waits for the client to leave and says whether it did; no when the wait is cancelled.

    To be a task: one that ends by an error keeps it, the frames that it came through, and so the call that watches,
    in a circle.
    """
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except asyncio.CancelledError:
        return False
    return True


async def _read_on(receive: Receive, first: bytes, limit: int) -> bytes:
    clock = asyncio.get_running_loop().time
    began_at = clock()
    parts, size = [first], len(first)
    try:
        async with asyncio.timeout(None) as patience:
            while True:
                patience.reschedule(min(clock() + IDLE_SECONDS, began_at + WHOLE_SECONDS + size / BYTES_A_SECOND))
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise _too_large(limit)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise RequestTimeout("The request's body did not arrive in time. Please send it again.") from None


def _check_headers(headers: Headers, named: Named, limit: int) -> None:
    length = named.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    if b"content-encoding" in named:
        encodings = [value for name, value in headers if name == b"content-encoding"]
        if any(value.strip().lower() != b"identity" for value in encodings):
            raise InvalidRequest(
                "Compressed request bodies are not accepted. Send plain JSON.", param="content-encoding"
            )


def _too_large(limit: int) -> RequestTooLarge:
    most = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    return RequestTooLarge(f"The request is larger than {most}.")
