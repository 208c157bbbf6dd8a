"""Undoes gzip and deflate of an answer that came compressed unasked, within a bound. Touches no connection."""

from __future__ import annotations

import zlib

from .faults import TransportFailed

MAX_DECODED_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_EITHER_HEADER = 47  # zlib's window bits for "gzip or zlib, told by the header"


class Inflater:
    """Decodes piece by piece, so that a small input can't unfold in memory at once."""

    def __init__(self, limit: int = MAX_DECODED_BYTES) -> None:
        self._inflate = zlib.decompressobj(_EITHER_HEADER)
        self._pending = b""
        self._full = False
        self._left = limit

    def feed(self, data: bytes) -> None:
        """Take compressed bytes; call `take` until it is empty before the next."""
        self._pending += data

    def take(self) -> bytes:
        """At most 64 KiB of decoded bytes, empty when more input is needed.

        Raises TransportFailed (`malformed` or `too_large`).
        """
        if not self._pending and not self._full:
            return b""
        try:
            piece = self._inflate.decompress(self._pending, _PIECE_BYTES)
        except zlib.error as error:
            raise TransportFailed("malformed", f"the compressed body does not decode: {error}") from error
        if self._inflate.unused_data:
            raise TransportFailed("malformed", "bytes follow the compressed body")
        self._pending = self._inflate.unconsumed_tail
        # A full piece can leave output inside zlib although every input byte is taken.
        self._full = len(piece) == _PIECE_BYTES
        self._left -= len(piece)
        if self._left < 0:
            raise TransportFailed("too_large", "the decoded body is over its cap")
        return piece

    def finish(self) -> None:
        """The input is over: raises TransportFailed unless the compressed data ended with it."""
        if not self._inflate.eof:
            raise TransportFailed("malformed", "the compressed body ends too early")


def inflater_for(content_encoding: bytes) -> Inflater | None:
    """The decoder an answer needs, None for identity. Raises TransportFailed for a coding that was never offered."""
    coding = content_encoding.strip().lower()
    if coding in (b"", b"identity"):
        return None
    if coding in (b"gzip", b"x-gzip", b"deflate"):
        return Inflater()
    raise TransportFailed("malformed", f"the answer's content-encoding is {coding[:40]!r}")
