"""Answers packed by gzip for browsers that take it. No streams, and no page with secrets beside words of others.

A page of somebody who is logged in holds an address, names, beginnings of keys, amounts, and once a key itself. How
well they pack together with words that somebody else chose tells of them (BREACH), and a link chooses words: those of
the address that it opens. So of such pages those alone are packed in which nobody else has a word, see `own_words`.
The guard of forms is hidden behind a new mask in every answer (`cookies.masked`), packed or not. What strangers get
holds no secret that is worth it.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from .cookies import Connection
from .responses import Message, Send

_PACKED: Final = re.compile(rb"text/(html|css|javascript|plain|markdown)|image/svg\+xml|application/(manifest\+)?json")
_TAKES: Final = re.compile(
    rb"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?=,|$)", re.IGNORECASE
)
OWN_WORDS: Final = "reseller_kit.own_words"
"""In the scope of a request whose page is as `own_words` says."""
_SHOWN: Final = frozenset({200, 422})  # other pages repeat the address, whatever is in it
_LEAST_BYTES: Final = 800
_QUICK: Final = 5
_BEST: Final = 9
_GZIP: Final = 31  # zlib's window bits for gzip
_KEPT_FILES: Final = 256


def takes_gzip(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the client says so (RFC 9110, section 12.5.3)."""
    return any(name == b"accept-encoding" and _TAKES.search(value) for name, value in headers)


def own_words(request: Connection) -> None:
    """Say of the page that answers a request that it repeats nothing of its address but what it offered itself.

    For handlers that know what they repeat, and for forms that proved to come from a page of ours.
    """
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]
    scope[OWN_WORDS] = True


def has_own_words(scope: Mapping[str, Any], status: int) -> bool:
    """Whether `own_words` was said of the page that is answered with this status."""
    return OWN_WORDS in scope and status in _SHOWN


def packing(send: Send, *, wanted: bool, allowed: Callable[[int], bool]) -> Send:
    """`send` for one answer, packed where that is `wanted` and of use, and `allowed` with its status.

    Says in either case that the answer depends on what the client takes.
    """
    held: list[Message] = []

    async def packed(message: Message) -> None:
        if message["type"] == "http.response.start":
            if _fit(message):
                held.append(message)
            else:
                await send(message)
            return
        if not held:
            await send(message)
            return
        start, body = held.pop(), bytes(message.get("body", b""))
        headers = [*start["headers"], (b"vary", b"accept-encoding")]
        if wanted and allowed(start["status"]) and not message.get("more_body") and len(body) >= _LEAST_BYTES:
            lasting = any(name == b"cache-control" and b"immutable" in value for name, value in headers)
            body = _file(body) if lasting else _pack(body, _QUICK)
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            headers += [(b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
        await send({**start, "headers": headers})
        await send({**message, "body": body})

    return packed


def _fit(start: Message) -> bool:
    headers = dict(start["headers"])
    return b"content-encoding" not in headers and _PACKED.match(headers.get(b"content-type", b"")) is not None


@functools.lru_cache(maxsize=_KEPT_FILES)
def _file(body: bytes) -> bytes:
    return _pack(body, _BEST)


def _pack(body: bytes, level: int) -> bytes:
    worker = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return worker.compress(body) + worker.flush()
