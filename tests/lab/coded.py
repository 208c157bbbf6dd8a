"""Bodies that come compressed though nobody asked: whole, cut short, followed by rubbish, or as a bomb."""

from __future__ import annotations

import zlib
from typing import Final

from tests.lab.behaviour import Behaviour

_GZIP: Final = 31
_MIB: Final = 1 << 20
_NAMES: Final = {"deflate": "deflate", "unasked": "br"}


class Coder:
    """Compresses piece by piece, each so that it can be read at once."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._coding = behaviour.coding
        self._mib = behaviour.bomb_mib
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, 15 if behaviour.coding == "deflate" else _GZIP)

    def encode(self, data: bytes) -> bytes:
        """A piece of the body."""
        if self._coding == "unasked":
            return data
        if self._coding == "bomb":
            return self._bomb()
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """What ends the body."""
        if self._coding == "unasked":
            return b""
        end = self._deflate.flush()
        if self._coding == "truncated":
            return b""
        return end + (b"rubbish behind it" if self._coding == "trailing" else b"")

    def _bomb(self) -> bytes:
        """Blanks in a JSON text, a thousandth of their size on the wire."""
        blanks = b" " * _MIB
        made = [self._deflate.compress(b"{"), *(self._deflate.compress(blanks) for _ in range(self._mib))]
        self._mib = 0
        return b"".join(made) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def coder_for(behaviour: Behaviour) -> Coder | None:
    """The coder that a behaviour needs."""
    return Coder(behaviour) if behaviour.coding else None


def coding_name(behaviour: Behaviour) -> str:
    """The value of content-encoding."""
    return _NAMES.get(behaviour.coding, "gzip")
