"""Bodies that come compressed though nobody asked: whole, cut short, followed by rubbish, or as a bomb."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Final

from tests.lab.behaviour import Behaviour

_GZIP: Final = 31
_MIB: Final = 1 << 20
_NAMES: Final = {"deflate": "deflate", "unasked": "br"}


class Coder:
    """Compresses piece by piece, each so that it can be read at once."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._coding = behaviour.coding
        self._bomb = bomb(behaviour.bomb_mib) if behaviour.coding == "bomb" else b""
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, 15 if behaviour.coding == "deflate" else _GZIP)

    def encode(self, data: bytes) -> bytes:
        """A piece of the body."""
        if self._coding == "unasked":
            return data
        if self._coding == "bomb":
            bytes_left, self._bomb = self._bomb, b""
            return bytes_left
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """What ends the body."""
        if self._coding in {"unasked", "bomb"}:
            return b""
        end = self._deflate.flush()
        if self._coding == "truncated":
            return b""
        return end + (b"rubbish behind it" if self._coding == "trailing" else b"")


@cache
def bomb(mib: int) -> bytes:
    """Blanks in a JSON text as gzip, a thousandth of their size on the wire. RFC 1952; equal blocks are packed once."""
    blanks = b" " * _MIB
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    opening = deflate.compress(b"{") + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(blanks) + deflate.flush(zlib.Z_FULL_FLUSH)
    check = zlib.crc32(b"{")
    for _ in range(mib):
        check = zlib.crc32(blanks, check)
    trailer = struct.pack("<II", check, (1 + mib * _MIB) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08" + bytes(6) + b"\x03" + opening + block * mib + deflate.flush() + trailer


def coder_for(behaviour: Behaviour) -> Coder | None:
    """The coder that a behaviour needs."""
    return Coder(behaviour) if behaviour.coding else None


def coding_name(behaviour: Behaviour) -> str:
    """The value of content-encoding."""
    return _NAMES.get(behaviour.coding, "gzip")
