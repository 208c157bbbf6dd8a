"""Reads a request's body within a size and a time. Decodes nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from ...core.errors import InvalidRequest, RequestTooLarge
from ..hosts import Headers
from ..responses import Receive

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_IDLE_SECONDS: Final = 30


class ClientGone(Exception):
    """The client left before it had sent its request."""


async def read_body(receive: Receive, headers: Headers, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. Raises RequestTooLarge over `limit` bytes, InvalidRequest for one that stalls or is encoded."""
    _check_headers(headers, limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [body], len(body)
    while True:
        try:
            message = await asyncio.wait_for(receive(), _IDLE_SECONDS)
        except TimeoutError:
            raise InvalidRequest("The request's body did not arrive in time.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)


def _check_headers(headers: Headers, limit: int) -> None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise InvalidRequest(
                "Compressed request bodies are not accepted. Send plain JSON.", param="content-encoding"
            )


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request is larger than {limit // (1024 * 1024)} MiB.")
